"""Real processes of mfv whose calls of the storage are held against the steps of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from explorer import Edge
from interleave import Actor
from protocol import DELETE, LIST, LOOK, LOST, PUT, READ, WON

from mfv.errors import ConflictError, NotFoundError
from mfv.ids import PackId
from mfv.odb.packindex import FOLDER as PACKS
from mfv.odb.packindex import key_of
from mfv.repo.archive import FOLDER as LOG
from mfv.repo.log import CHECKPOINT, TIP, Log, decode_entry
from mfv.storage.base import Backend, Buffer, Stat

READING = {READ, LIST, LOOK}


class Ledger:
    """What all of them together did so far, and may never do."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        condemned = Log(backend).catch_up().condemned
        self.condemned = {key_of(PackId(pack)) for pack in condemned}
        self.used = set(backend.list(PACKS))  # names of packs, whether they are still there or not

    def put(self, key: str) -> None:
        assert key not in self.used, f"8: the name {key} is used again"
        self.used.add(key)

    def created(self, number: int, data: bytes) -> None:
        body = decode_entry(number, data)[0].body
        brought = {key_of(PackId(one.pack)) for one in getattr(body, "packs", ())}
        assert not brought & self.condemned, "7: an entry brings in what was condemned before"
        missing = brought - set(self.backend.list(PACKS))
        assert not missing, "2: an entry names packs that are not there"
        self.condemned |= {key_of(PackId(one)) for one in getattr(body, "condemned", ())}

    def delete(self, key: str) -> None:
        assert key in self.condemned, f"9: {key} is deleted, and no entry condemned it"


class Traced(Actor):
    """One process. `role`: that of the model; its calls are noted by the labels of the model."""

    def __init__(
        self,
        ledger: Ledger,
        role: str,
        act: Callable[[Backend], object],
        *,
        at_every_call: bool = False,
    ) -> None:
        super().__init__(ledger.backend, role, act)
        self._ledger, self._at_every_call = ledger, at_every_call
        self.trace: list[str] = []
        self._end = -1  # where the log ended when it was read last, if nothing was written since

    def stops(self, verb: str, key: str) -> bool:
        if self._at_every_call or (key.startswith(PACKS) and verb not in ("get", "stat")):
            return True
        # Entries never change: of those that are read only the one that is not there matters.
        return _is_entry(key) and (verb != "get" or not self._is_there(key))

    def _is_there(self, key: str) -> bool:
        try:
            self.inner.stat(key)
        except NotFoundError:
            return False
        return True

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        try:
            data = super().get(key, start, length)
        except NotFoundError:
            if _is_entry(key):
                self._end = int(key.removeprefix(LOG))
            self._note_reading(key)
            raise
        self._note_reading(key)
        return data

    def stat(self, key: str) -> Stat:
        found = super().stat(key)
        self._note_reading(key)
        return found

    def list(self, prefix: str) -> Iterator[str]:
        found = super().list(prefix)
        self._note(LIST if prefix == PACKS else READ)
        return found

    def put(self, key: str, parts: Iterable[Buffer], *, sync: bool = True) -> None:
        if not key.startswith(PACKS):
            self._assert_hint(key)
            super().put(key, parts, sync=sync)
            return
        self.before("put", key)
        self._ledger.put(key)
        self.inner.put(key, parts, sync=sync)
        self._end = -1
        self._note(PUT)

    def create(self, key: str, parts: Iterable[Buffer]) -> None:
        self.before("create", key)
        assert _is_entry(key), f"{key} is created, which is no entry of the log"
        number, data = int(key.removeprefix(LOG)), b"".join(parts)
        assert self._end == number, f"{key} is created, and the log was not read up to it before"
        self._end = -1
        try:
            self.inner.create(key, [data])
        except ConflictError:
            self._note(LOST)
            raise
        self._ledger.created(number, data)
        self._note(WON)

    def delete(self, key: str) -> None:
        if not key.startswith(PACKS):
            self._assert_hint(key)
            super().delete(key)
            return
        self.before("delete", key)
        self._ledger.delete(key)
        self.inner.delete(key)
        self._note(DELETE)

    def _assert_hint(self, key: str) -> None:
        assert key == TIP or key.startswith(LOG + CHECKPOINT), f"{key} is written"
        written = [label for label in self.trace if label not in READING]
        assert written and written[-1] == WON, f"the hint {key} is written before an entry"

    def _note_reading(self, key: str) -> None:
        if key.startswith(PACKS):
            self._note(LOOK)
        elif key.startswith(LOG):
            self._note(READ)

    def _note(self, label: str) -> None:
        if label not in READING or self.trace[-1:] != [label]:
            self.trace.append(label)


def _is_entry(key: str) -> bool:
    return key.startswith(LOG) and key.removeprefix(LOG).isdecimal()


class Alphabet:
    """What processes of a role do in the model, in which order."""

    def __init__(self, edges: Iterable[Edge], role: str, starts: set[str]) -> None:
        self._edges = [edge for edge in edges if edge.role == role]
        self._starts = starts
        assert self._edges, f"the model has no {role}"

    def trouble(self, trace: list[str], *, ended: bool) -> str:
        """Where a trace is none that the model has; empty if it has it.

        Code may read more than the model says, at any time; what the model reads it must read, and
        what it writes must be just what the model writes.
        """
        here = self._starts
        for place, label in enumerate(trace):
            there = {edge.then for edge in self._edges if edge.pc in here and edge.label == label}
            if label in READING:
                there |= here
            if not there:
                before = ", ".join(trace[:place])
                return f"after {before}: {label!r}, where the model is at {sorted(here)}"
            here = there
        if ended and "" not in here:
            return f"it ended, where the model is at {sorted(here)}: {', '.join(trace)}"
        return ""

    def successions(self) -> set[tuple[str, str]]:
        """Which write can follow which, reading aside; the first one follows nothing."""
        found = set()
        after = {"": self._starts}
        for edge in self._edges:
            if edge.label not in READING:
                after.setdefault(edge.label, set()).add(edge.then)
        for label, places in after.items():
            reached = set(places)
            while True:
                more = {e.then for e in self._edges if e.pc in reached and e.label in READING}
                if more <= reached:
                    break
                reached |= more
            writes = (e.label for e in self._edges if e.pc in reached and e.label not in READING)
            found |= {(label, write) for write in writes}
        return found


def successions(trace: list[str]) -> set[tuple[str, str]]:
    """Which write followed which in a trace."""
    writes = ["", *(label for label in trace if label not in READING)]
    return set(pairwise(writes))
