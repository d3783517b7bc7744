"""fsck: everything that is not as it should be, as findings. Never writes."""

from __future__ import annotations

import contextlib
from typing import Literal

import msgspec

from mfv.errors import CorruptError, MfvError, NotFoundError, StorageError
from mfv.ids import BlobId, ObjectId, PackId
from mfv.odb.numbers import MissingCodecError
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.repo.archive import list_archives, open_archive, read_log
from mfv.repo.entries import Condemn, Entry
from mfv.repo.log import decode_entry, read_checkpoint, read_tip
from mfv.repo.names import OPEN, RunState, State
from mfv.repo.reachable import blobs_of, records_of, sizes_of
from mfv.repo.repository import CRASHED, Repository
from mfv.repo.view import RunView

Severity = Literal["error", "warning", "note"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it should be."""

    severity: Severity  # error: lost or wrong; warning: hurt, nothing lost; note: no trouble
    kind: str  # stable for programs
    message: str
    runs: tuple[str, ...] = ()  # the runs that it touches


class Report(msgspec.Struct, frozen=True):
    """What fsck looked at and what it found."""

    findings: tuple[Finding, ...]
    entries: int
    runs: int
    packs: int
    objects: int
    bytes_read: int  # 0 unless the data was read

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)


def fsck(repository: Repository, *, data: bool = False) -> Report:
    """Checks the log, every pack's index, and that all that each run leads to is there.

    With `data` every stored byte is read and hashed.
    """
    return _Check(repository).run(data=data)


class _Check:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._findings: list[Finding] = []
        self._entries: list[Entry] = []
        self._packs = self._objects = self._read = 0
        self._unreadable: dict[PackId, str] = {}
        self._damaged: dict[bytes, str] = {}  # objects without a good copy
        self._reached: set[bytes] = set()

    def run(self, *, data: bool) -> Report:
        state = self._fold()
        self._read_indexes()
        if data:
            self._read_objects()
        for run in state:
            self._check_run(run)
        self._check_packs(state)
        return Report(
            findings=tuple(self._findings),
            entries=len(self._entries),
            runs=sum(len(numbers) for numbers in state.runs.values()),
            packs=self._packs,
            objects=self._objects,
            bytes_read=self._read,
        )

    def _find(self, severity: Severity, kind: str, message: str, *runs: str) -> None:
        self._findings.append(Finding(severity, kind, message, runs))

    def _fold(self) -> State:
        """The state after all entries, read from the first on; what breaks the chain is noted."""
        backend = self._repository.backend
        tip = read_tip(backend)
        for first, last in list_archives(backend):
            with contextlib.suppress(NotFoundError):
                trouble = open_archive(backend, first, last).trouble
                if trouble:
                    self._find("error", "log", trouble)
        state, expected = State(), 1
        chained = True
        for number, data in read_log(backend):
            if number != expected:
                self._find("error", "log", f"log entries {expected} to {number - 1} are missing")
                chained = False
            expected = number + 1
            try:
                entry, seal = decode_entry(number, data)
            except MfvError as error:
                self._find("error", "log", error.message)
                chained = False
                continue
            if chained and entry.previous != state.head:
                self._find("error", "log", f"log entry {number} does not follow the one before")
            chained = True
            state.apply(entry, seal)
            self._entries.append(entry)
            if tip is not None and number == tip.checkpoint:
                self._check_checkpoint(number, state)
        if tip is not None and tip.number >= expected:
            lost = f"the log ends at entry {expected - 1}, but {tip.number} was seen before"
            self._find("error", "log", lost)
        if tip is not None and tip.checkpoint >= expected:
            self._find("error", "checkpoint", f"checkpoint {tip.checkpoint} is of no entry here")
        return state

    def _check_checkpoint(self, number: int, state: State) -> None:
        """Holds the checkpoint at an entry against what the log adds up to there."""
        try:
            fold = read_checkpoint(self._repository.backend, number)
        except MfvError as error:
            self._find("warning", "checkpoint", f"{error.message}; the log itself is read instead")
            return
        # Of a log that is damaged it may know more than is left.
        if fold.head != state.head or (fold != state and not self._findings):
            self._find("error", "checkpoint", f"checkpoint {number} is not of this log")

    def _read_indexes(self) -> None:
        backend, index = self._repository.backend, self._repository.database.index
        for pack in list_packs(backend):
            self._packs += 1
            try:
                records = read_index(backend, pack)
            except NotFoundError:
                continue  # swept at this moment
            except MfvError as error:
                self._unreadable[pack] = error.message
                if not isinstance(error, CorruptError):
                    index.forget({pack})  # to be asked again, it would refuse again
                continue
            self._objects += len(records)
        index.load_all()

    def _read_objects(self) -> None:
        """Hashes every copy of every object."""
        database = self._repository.database
        good: set[bytes] = set()
        bad: dict[bytes, str] = {}
        for location in database.index:
            self._read += location.record.stored
            try:
                database.verify(location)
                good.add(location.record.id)
            except MissingCodecError:
                raise  # nothing can be said of what cannot be read here
            except (CorruptError, StorageError) as error:
                bad[location.record.id] = error.message
        for object_id, message in bad.items():
            if object_id in good:
                self._find("warning", "object", f"{message}; another copy of it is whole")
            else:
                self._damaged[object_id] = message

    def _check_run(self, state: RunState) -> None:
        run = RunView(self._repository, state)
        try:
            needed: list[ObjectId] = list(records_of(run))
            for record in needed:
                self._repository.database.read_record(record)
            needed += set(blobs_of(run))
        except (CorruptError, StorageError) as error:
            self._find("error", "run", f"{run.name}: {error.message}", run.name)
            return
        for object_id in needed:
            self._check_object(run, object_id)
        self._check_sizes(run)
        if state.status == OPEN and run.status == CRASHED:
            message = f"{run.name} was left open by a process that is gone; the next run closes it"
            self._find("note", "crashed", message, run.name)

    def _check_object(self, run: RunView, object_id: ObjectId) -> None:
        database = self._repository.database
        parts: list[bytes] = [bytes(object_id)]
        try:
            if isinstance(object_id, BlobId):
                parts += map(bytes, database.needed_chunks(object_id, set()))
        except (CorruptError, StorageError) as error:
            self._find("error", "object", f"{run.name}: {error.message}", run.name)
            return
        self._reached.update(parts)
        for part in parts:
            if part in self._damaged:
                self._find("error", "object", f"{run.name}: {self._damaged[part]}", run.name)
            elif not database.index.find(part):
                self._find("error", "object", f"{run.name}: {part.hex()[:12]} is missing", run.name)

    def _check_sizes(self, run: RunView) -> None:
        """What the records say of sizes against what the blobs have."""
        sizes: dict[BlobId, int] = {}
        for name, blob, said in sizes_of(run):
            if blob not in sizes:
                with contextlib.suppress(CorruptError, StorageError):  # told of already
                    sizes[blob] = self._repository.database.blob_size(blob)
            if sizes.get(blob, said) != said:
                message = f"{run.name}: {name} is said to have {said} bytes, and has {sizes[blob]}"
                self._find("error", "size", message, run.name)

    def _check_packs(self, state: State) -> None:
        """Packs that the log names against those that are there, and what nothing leads to."""
        backend = self._repository.backend
        there = set(list_packs(backend))
        condemned = set(state.condemned)
        for entry in self._entries:
            if isinstance(entry.body, Condemn):
                continue
            for made in getattr(entry.body, "packs", ()):
                if made.pack in condemned:
                    continue
                if made.pack not in there:
                    message = f"pack {made.pack.hex()} of log entry {entry.number} is missing"
                    self._find("error", "pack", message)
                elif backend.stat(key_of(PackId(made.pack))).size != made.size:
                    self._unreadable.setdefault(PackId(made.pack), "it has another size")
        for pack, message in self._unreadable.items():
            severity: Severity = "note" if pack in condemned else "error"
            self._find(severity, "pack", f"{pack}: {message}")
        for object_id, message in self._damaged.items():
            if object_id not in self._reached:
                self._find("note", "garbage", f"{message}; no run leads to it")
        needed = {
            place.pack
            for place in self._repository.database.index
            if place.record.id in self._reached
        }
        idle = there - needed - set(self._unreadable)
        if idle:
            message = f"{len(idle)} packs lead to no run: `mfv gc` removes them"
            self._find("note", "garbage", message)
