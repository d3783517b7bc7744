"""fsck: everything that is not as it should be, as findings. Never writes.

Others write, sweep, repack and collect meanwhile. So nothing is called missing before it was asked
once more whether it went as it may: a pack after an entry that condemns it, a run's bytes after one
that sweeps them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from mfv.errors import CorruptError, MfvError, NotFoundError, StorageError
from mfv.ids import BlobId, ObjectId, PackId
from mfv.maintain.checking import Progress, check
from mfv.maintain.needs import needs
from mfv.odb.packindex import Location, key_of, list_packs, read_index
from mfv.repo.archive import list_archives, open_archive, read_log
from mfv.repo.entries import Condemn, Entry, Lost
from mfv.repo.log import Tip, decode_entry, list_checkpoints, read_checkpoint, read_tip
from mfv.repo.names import OPEN, RunState, State
from mfv.repo.reachable import Keeping, sizes_of
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


def fsck(
    repository: Repository, *, data: bool = False, progress: Progress = lambda _: None
) -> Report:
    """Checks the log, every pack's index, and that all that each run leads to is there.

    With `data` every stored byte is read and hashed; `progress` is told how many so far.
    """
    return _Check(repository, progress).run(data=data)


class _Check:
    def __init__(self, repository: Repository, progress: Progress) -> None:
        self._repository, self._progress = repository, progress
        self._findings: list[Finding] = []
        self._entries: list[Entry] = []
        self._packs = self._objects = self._read = 0
        self._unreadable: dict[PackId, str] = {}
        self._damaged: dict[bytes, str] = {}  # objects without a good copy
        self._reached: set[bytes] = set()
        self._has_lost = False  # whether entries stand in place of such that were lost

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
        checkpoint = self._fold_to_check(tip)
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
            if isinstance(entry.body, Lost):
                self._has_lost = True
                self._find("note", "log", f"log entry {number} was lost; a repair stands for it")
            if number == checkpoint:
                self._check_checkpoint(number, state)
        if tip is not None and tip.number >= expected:
            lost = f"the log ends at entry {expected - 1}, but {tip.number} was seen before"
            self._find("error", "log", lost)
        if checkpoint >= expected:
            self._find("error", "checkpoint", f"checkpoint {checkpoint} is of no entry here")
        return state

    def _fold_to_check(self, tip: Tip | None) -> int:
        """The entry of the checkpoint that readers begin at; 0 where there is none."""
        if tip is None or not tip.checkpoint:
            return 0
        listed = list_checkpoints(self._repository.backend)
        if tip.checkpoint in listed or not listed:
            return tip.checkpoint
        now = read_tip(self._repository.backend)
        if now is None or now.checkpoint == tip.checkpoint:
            message = f"the tip names checkpoint {tip.checkpoint}, which {listed[-1]} replaced"
            self._find("note", "checkpoint", f"{message}; the next entry puts that right")
        return listed[-1]

    def _check_checkpoint(self, number: int, state: State) -> None:
        """Holds the checkpoint at an entry against what the log adds up to there."""
        try:
            fold = read_checkpoint(self._repository.backend, number)
        except MfvError as error:
            if isinstance(error, NotFoundError) and list_checkpoints(self._repository.backend):
                return  # another one came in its place
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
        """Hashes every copy of every object, those that a repack moves meanwhile included."""
        database = self._repository.database
        good: set[bytes] = set()
        bad: dict[bytes, str] = {}
        done: set[PackId] = set()
        while True:
            gone, here = False, set[PackId]()

            def locations(done: set[PackId] = done, here: set[PackId] = here) -> Iterator[Location]:
                for location in database.index:
                    if location.pack not in done:
                        here.add(location.pack)
                        yield location

            for location, trouble in check(database, locations(), self._progress):
                if trouble and not self._is_there(location.pack):
                    gone = True
                    continue
                self._read += 0 if location.record.within else location.record.stored
                if trouble:
                    bad[location.record.id] = trouble
                else:
                    good.add(location.record.id)
            done |= here
            if not gone:
                break
        for object_id, message in bad.items():
            if object_id in good:
                self._find("warning", "object", f"{message}; another copy of it is whole")
            else:
                self._damaged[object_id] = message

    def _is_there(self, pack: PackId) -> bool:
        try:
            self._repository.backend.stat(key_of(pack))
        except NotFoundError:
            return False
        return True

    def _now(self) -> State:
        """The names as of now; where that cannot be told, as they were read last."""
        with contextlib.suppress(MfvError):
            return self._repository.state
        return self._repository.log.state

    def _check_run(self, state: RunState) -> None:
        before = len(self._findings)
        self._check_whole(state)
        if len(self._findings) > before:
            now = self._now().find(state.flow, state.number)
            if now is not None and Keeping.of(now) != Keeping.of(state):
                del self._findings[before:]
                self._check_whole(now)

    def _check_whole(self, state: RunState) -> None:
        if state.opening is None and state.manifest is None:
            # A repair may know of its tasks alone.
            severity: Severity = "warning" if self._has_lost else "error"
            message = f"{state.name}: the log entry that opened it is damaged"
            self._find(severity, "run", message, state.name)
        seen: set[bytes] = set()
        for object_id, trouble in needs(self._repository, state):
            if trouble:
                severity = "warning" if object_id in state.lost else "error"
                self._find(severity, "run", f"{state.name}: {trouble}", state.name)
            elif object_id not in seen:
                seen.add(bytes(object_id))
                self._check_object(state, object_id)
        with contextlib.suppress(CorruptError, StorageError):  # told of already
            self._check_sizes(RunView(self._repository, state))
        if state.status == OPEN and self._repository.status(state) == CRASHED:
            message = "was left open by a process that is gone; the next run closes it"
            self._find("note", "crashed", f"{state.name} {message}", state.name)

    def _check_object(self, run: RunState, object_id: ObjectId) -> None:
        database = self._repository.database
        severity: Severity = "warning" if object_id in run.lost else "error"
        parts: list[bytes] = [bytes(object_id)]
        try:
            if isinstance(object_id, BlobId):
                parts += map(bytes, database.needed_chunks(object_id, set()))
        except (CorruptError, StorageError) as error:
            self._find(severity, "object", f"{run.name}: {error.message}", run.name)
            return
        self._reached.update(parts)
        for part in parts:
            if part in self._damaged:
                self._find(severity, "object", f"{run.name}: {self._damaged[part]}", run.name)
            elif not database.index.find(part) and not self._find_anew(part):
                message = f"{run.name}: {part.hex()[:12]} is missing"
                self._find(severity, "object", message, run.name)

    def _find_anew(self, object_id: bytes) -> bool:
        """Whether an object is somewhere after all: a repack may have moved it."""
        index = self._repository.database.index
        index.refresh()
        return bool(index.find(object_id))

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
                try:
                    size = backend.stat(key_of(PackId(made.pack))).size
                except NotFoundError:
                    if made.pack not in self._now().condemned:
                        message = f"pack {made.pack.hex()} of log entry {entry.number} is missing"
                        self._find("error", "pack", message)
                    continue
                if size != made.size:
                    self._unreadable.setdefault(PackId(made.pack), "it has another size")
        for pack, message in self._unreadable.items():
            severity: Severity = "note" if pack in condemned else "error"
            self._find(severity, "pack", f"{pack}: {message}")
        # Where something is lost, what it led to looks like garbage and is none.
        hurt = any(finding.severity == "error" for finding in self._findings)
        for object_id, message in self._damaged.items():
            if object_id not in self._reached:
                to = "no run that can be read leads to it" if hurt else "no run leads to it"
                self._find("note", "garbage", f"{message}; {to}")
        needed = {
            place.pack
            for place in self._repository.database.index
            if place.record.id in self._reached
        }
        idle = there - needed - set(self._unreadable)
        if idle:
            message = f"{len(idle)} packs lead to no run: `mfv gc` removes them"
            if hurt:
                message = f"{len(idle)} packs lead to no run that can be read"
            self._find("note", "garbage", message)
