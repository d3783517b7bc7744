"""Packs that need not be read again before something new relies on them.

A damaged object that new runs build on would take them all along, so a writer reads what it finds
known and checks it. That is most of what storing a nearly unchanged value costs. A pack that was
written since the machine started, and that nobody touched since, is what was written: it is noted
in the cache, with what the file system says of it, and taken at its word until the next start.
"""

from __future__ import annotations

from typing import cast

from mfv.errors import MfvError
from mfv.ids import PACK_ID_BYTES, PackId, Seal
from mfv.odb.packindex import key_of
from mfv.storage.base import Backend, Witnessing, offers

_FOLDER = "cache/verified/"
_WITNESS_BYTES = 16
_NOTE_BYTES = PACK_ID_BYTES + _WITNESS_BYTES
_LARGEST = 16 << 20  # bytes of notes, beyond which they are begun anew
_KEPT = 7 * 86400.0  # seconds that the notes of another machine or start are kept


class Notes:
    """The notes of one repository as far as they were read; they only ever grow."""

    def __init__(self) -> None:
        self._data = bytearray()

    def read_on(self, backend: Backend, key: str) -> None:
        """Reads what was noted since the last call; MfvError where nothing can be read."""
        new = backend.get(key, len(self._data))
        if not new and backend.stat(key).size < len(self._data):  # begun anew
            self._data.clear()
            new = backend.get(key)
        self._data += new

    def __contains__(self, note: bytes) -> bool:
        # Searched as it lies: taking thousands of notes apart costs more than one look.
        at = self._data.find(note)
        while at >= 0 and at % _NOTE_BYTES:
            at = self._data.find(note, at + 1)
        return at >= 0

    def __bool__(self) -> bool:
        return bool(self._data)


class Verified:
    """What one writer takes for verified, as of when it first asked."""

    def __init__(self, backend: Backend, notes: Notes | None = None) -> None:
        """`notes`: what was read of them before, and will be read on."""
        self._backend = cast(Witnessing, backend) if offers(backend, Witnessing) else None
        self._key = ""
        self._notes = Notes() if notes is None else notes
        self._has_read = False
        self._known: dict[PackId, bool] = {}

    def trusts(self, pack: PackId) -> bool:
        """Whether the pack is as it was when it was noted; told once, then remembered."""
        known = self._known.get(pack)
        if known is None:
            note = self._note(pack) if self._read() else None
            known = self._known[pack] = note is not None and note in self._notes
        return known

    def seen(self, pack: PackId) -> bytes:
        """What the system says of the pack now, and never again once it was touched.

        Empty where that cannot be told. Who takes this, then verifies what the pack holds, knows by
        an equal answer that it is still whole.
        """
        return (self._note(pack) or b"") if self._start() else b""

    def note(self, pack: PackId) -> None:
        """Notes a pack that was just written. Advice: a failure here costs a later reading."""
        backend = self._backend
        if backend is None or not self._start():
            return
        note = self._note(pack)
        if note is None:
            return
        try:
            backend.append(self._key, note, largest=_LARGEST)
        except MfvError:
            return

    def _start(self) -> bool:
        """Finds the notes of this start of this machine; False where that cannot be told."""
        if self._backend is not None and not self._key:
            start = self._backend.start_id()
            self._key = f"{_FOLDER}{Seal.of(start).hex()[:16]}" if start else ""
        return bool(self._key)

    def _read(self) -> bool:
        """Whether anything was noted."""
        if not self._has_read:
            self._has_read = True
            if self._backend is not None and self._start():
                try:
                    self._notes.read_on(self._backend, self._key)
                except MfvError:
                    self._clear()
        return bool(self._notes)

    def _note(self, pack: PackId) -> bytes | None:
        assert self._backend is not None
        try:
            witness = self._backend.witness(key_of(pack))
        except MfvError:
            return None
        return pack + Seal.of(self._key.encode() + witness)[:_WITNESS_BYTES]

    def _clear(self) -> None:
        """Before the first note after a start: drops those of starts long ago."""
        import time

        assert self._backend is not None
        try:
            for key in self._backend.list(_FOLDER):
                if time.time() - self._backend.stat(key).modified > _KEPT:
                    self._backend.delete(key)
        except MfvError:
            return
