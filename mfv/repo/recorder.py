"""Recording one run: open it, commit its tasks as they finish, seal it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from mfv.errors import ConflictError
from mfv.ids import Buffer, OpeningId, PackId, RunId, TaskId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, Log, Opening, Run, RunName, RunStatus, Task, TaskRef
from mfv.odb.pack import Receipt
from mfv.odb.source import ReadAt
from mfv.odb.writer import Parcel, Writer
from mfv.repo.entries import OpenRun, PackMade, SealRun, Tasks
from mfv.repo.names import OPEN, State
from mfv.repo.publish import Build, add_record, publish
from mfv.repo.reachable import blobs_of_task
from mfv.repo.reads import sources_of
from mfv.repo.repository import CRASHED, Repository
from mfv.storage.held import hold
from mfv.storage.local import LocalBackend

# Shorter logs stand in the task's record.
_INLINE_LOG = 2048  # bytes


class LongLog(NamedTuple):
    """A log that is read where it lies, a piece at a time."""

    read_at: ReadAt
    size: int  # bytes
    lines: int  # line ends


class Finished(NamedTuple):
    """One attempt that ended, with all that must be durable before anybody may say so.

    That of a clone (its task has an origin) is durable already, but for the record.
    """

    task: Task  # without its logs, but for a clone
    stdout: Buffer | LongLog = b""
    stderr: Buffer | LongLog = b""
    parcel: Parcel | None = None
    receipts: tuple[Receipt, ...] = ()
    relied: frozenset[PackId] = frozenset()

    @property
    def packs(self) -> set[PackId]:
        """The packs that the attempt's own process wrote or built on."""
        return {receipt.pack for receipt in self.receipts} | self.relied


class RunRecorder:
    """Writes one run. Hold it in one process only."""

    def __init__(self, repository: Repository, make: Callable[[Writer], Opening]) -> None:
        """Opens the run that `make` describes: durable, with its number, when this returns.

        `make` stores what the opening points at through the writer that it is given, and may be
        called again. Runs whose process died before are closed on the way.
        """
        self._repository = repository
        self._lease_fd = -1
        lease = ""
        if isinstance(repository.backend, LocalBackend):
            repository.backend.clear_abandoned()
            close_crashed(repository)
            lease = f"run{os.urandom(8).hex()}"
            self._lease_fd = hold(repository.lease_path(lease), repository.modes)
        self._lease = lease
        self.opening: Opening
        self.refs: dict[int, TaskRef] = {}  # by task id, newest attempt
        self._sources: set[RunName] = set()

        def fill(writer: Writer) -> Build:
            self.opening = make(writer)
            opening_id, pack = add_record(writer, OpeningId, self.opening)
            self._opening_id = OpeningId(opening_id)

            def build(state: State, packs: tuple[PackMade, ...]) -> OpenRun:
                number = state.next_number(self.opening.flow)
                return OpenRun(
                    self.opening.flow,
                    number,
                    bytes(opening_id),
                    bytes(pack),
                    lease,
                    os.uname().nodename,
                    packs,
                )

            return build

        try:
            entry = publish(repository.database, repository.log, fill)
        except BaseException:
            self.close()
            raise
        assert isinstance(entry.body, OpenRun)
        self.flow, self.number = entry.body.flow, entry.body.number
        self._started = entry.time

    @property
    def name(self) -> str:
        return f"{self.flow}/{self.number}"

    def commit(self, finished: Sequence[Finished]) -> list[TaskRef]:
        """Makes finished attempts part of the run with one entry; durable when this returns.

        Returns their references in the order given. Raises CondemnedError, with nothing
        committed, if a gc condemned packs that one of the attempts' processes relied on.
        """
        refs: list[TaskRef] = []

        def fill(writer: Writer) -> Build:
            refs[:] = _add_tasks(writer, finished)
            return lambda _, packs: Tasks(self.flow, self.number, tuple(refs), packs)

        _publish(self._repository, fill, finished)
        self.refs.update((ref.id, ref) for ref in refs)
        self._sources |= self._sources_of(finished)
        return refs

    def seal(
        self,
        status: RunStatus,
        *,
        ended: int,
        results: tuple[Artifact, ...] = (),
        failure: Failure | None = None,
        failed_step: str | None = None,
        finished: Sequence[Finished] = (),
    ) -> RunId:
        """Ends the run; from then on it never changes. Returns its true name.

        `finished`: last attempts, made part of it by the same entry; CondemnedError as `commit`.
        """
        # Read on: a commit that failed may have been made all the same.
        run = self._repository.state.find(self.flow, self.number)
        assert run is not None
        before = tuple(run.tasks)
        sources = self._sources | self._sources_of(finished)
        refs: list[TaskRef] = []

        def manifest(writer: Writer) -> Run:
            refs[:] = _add_tasks(writer, finished)
            return Run(
                flow=self.flow,
                number=self.number,
                origin=self._repository.format.repository,
                opening=bytes(self._opening_id),
                status=status,
                started=self._started,
                ended=ended,
                tasks=(*before, *refs),
                results=results,
                failure=failure,
                failed_step=failed_step,
                sources=tuple(sorted(sources, key=lambda run: (run.flow, run.number, run.origin))),
            )

        run_id = _seal(self._repository, manifest, finished)
        self.refs.update((ref.id, ref) for ref in refs)
        self.close()
        return run_id

    def _sources_of(self, finished: Sequence[Finished]) -> set[RunName]:
        return sources_of((one.task for one in finished), self._repository.format.repository)

    def close(self) -> None:
        """Gives the lease back; a run that is still open shows as crashed from then on."""
        if self._lease_fd >= 0:
            os.close(self._lease_fd)
            self._lease_fd = -1
            if isinstance(self._repository.backend, LocalBackend):
                self._repository.backend.clear_abandoned()


def close_crashed(repository: Repository) -> list[str]:
    """Seals, as `crashed`, every open run whose process is gone; returns their names."""
    closed = []
    for run in repository.state.open_runs():
        if repository.status(run) != CRASHED or run.opening is None:
            continue
        ended = max([run.time, *(ref.ended for ref in run.tasks)])
        sealed = Run(
            flow=run.flow,
            number=run.number,
            origin=repository.format.repository,
            opening=run.opening,
            status="crashed",
            started=run.time,
            ended=ended,
            tasks=tuple(run.tasks),
            results=(),
        )
        try:
            _seal(repository, lambda _, sealed=sealed: sealed)  # type: ignore[misc]
        except ConflictError:
            continue  # another process did it at the same moment
        closed.append(run.name)
    return closed


def _seal(
    repository: Repository, manifest: Callable[[Writer], Run], finished: Sequence[Finished] = ()
) -> RunId:
    """Seals the run that `manifest` describes once it has stored what it adds."""
    made: list[RunId] = []

    def fill(writer: Writer) -> Build:
        sealed = manifest(writer)
        run_id, pack = add_record(writer, RunId, sealed)
        made[:] = [RunId(run_id)]

        def build(state: State, packs: tuple[PackMade, ...]) -> SealRun:
            run = state.find(sealed.flow, sealed.number)
            if run is None or run.status != OPEN:
                raise ConflictError(f"{sealed.flow}/{sealed.number} is sealed already")
            status, number = sealed.status, sealed.number
            return SealRun(sealed.flow, number, status, bytes(run_id), bytes(pack), packs)

        return build

    _publish(repository, fill, finished)
    return made[0]


def _publish(
    repository: Repository, fill: Callable[[Writer], Build], finished: Sequence[Finished]
) -> None:
    publish(
        repository.database,
        repository.log,
        fill,
        receipts=[receipt for one in finished for receipt in one.receipts],
        relied=[pack for one in finished for pack in one.relied],
    )


def _add_tasks(writer: Writer, finished: Sequence[Finished]) -> list[TaskRef]:
    """Stores the records of attempts and what their processes handed over."""
    refs = []
    for one in finished:
        if one.parcel is not None:
            writer.add_parcel(one.parcel)
        task = one.task
        if task.origin is None:
            stdout, stderr = _log(writer, one.stdout), _log(writer, one.stderr)
            task = msgspec.structs.replace(task, stdout=stdout, stderr=stderr)
        else:
            for blob in blobs_of_task(task):
                writer.rely(blob)
        task_id, pack = add_record(writer, TaskId, task)
        where = (bytes(task_id), bytes(pack))
        times = (task.started, task.ended)
        refs.append(TaskRef(task.step, task.id, task.attempt, task.status, *times, *where))
    return refs


def _log(writer: Writer, text: Buffer | LongLog) -> Log:
    if isinstance(text, LongLog):
        blob, size = writer.add_file(text.read_at, text.size)
        return Log(size, text.lines, blob=bytes(blob))
    size = len(text)
    if size == 0:
        return Log()
    lines = bytes(text).count(b"\n") if size <= _INLINE_LOG else _count_lines(text)
    if size <= _INLINE_LOG:
        return Log(size, lines, text=bytes(text))
    return Log(size, lines, blob=bytes(writer.add_blob(text)))


def _count_lines(text: Buffer) -> int:
    view, step = memoryview(text), 1 << 20
    return sum(bytes(view[i : i + step]).count(b"\n") for i in range(0, len(view), step))
