"""Packs that need not be read again before something new relies on them.

A damaged object that new runs build on would take them all along, so a writer reads what it finds
known and checks it. That is most of what storing a nearly unchanged value costs. A pack that was
written since the machine started, and that nobody touched since, is what was written: it is noted
in the cache, with what the file system says of it, and taken at its word until the next start.
"""

from __future__ import annotations

from mfv.errors import MfvError
from mfv.ids import PACK_ID_BYTES, PackId, Seal
from mfv.odb.packindex import key_of
from mfv.storage.base import Backend, Witnessing

_FOLDER = "cache/verified/"
_WITNESS_BYTES = 16
_NOTE_BYTES = PACK_ID_BYTES + _WITNESS_BYTES
_LARGEST = 16 << 20  # bytes of notes, beyond which they are begun anew
_KEPT = 7 * 86400.0  # seconds that the notes of another machine or start are kept


class Verified:
    """The notes of one repository, as of when they were first asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend if isinstance(backend, Witnessing) else None
        self._key = ""
        self._notes: frozenset[bytes] | None = None
        self._known: dict[PackId, bool] = {}

    def trusts(self, pack: PackId) -> bool:
        """Whether the pack is as it was when it was noted; told once, then remembered."""
        known = self._known.get(pack)
        if known is None:
            note = self._note(pack) if self._read() else None
            known = self._known[pack] = note is not None and note in self._read()
        return known

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

    def _read(self) -> frozenset[bytes]:
        if self._notes is None:
            data = b""
            if self._backend is not None and self._start():
                try:
                    data = self._backend.get(self._key)
                except MfvError:
                    self._clear()
            whole = range(0, len(data) - len(data) % _NOTE_BYTES, _NOTE_BYTES)
            self._notes = frozenset(data[at : at + _NOTE_BYTES] for at in whole)
        return self._notes

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
