"""Tasks: one execution of a step, with what it left, what it printed and how it went."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mfv.client.artifact import DataArtifact
from mfv.client.base import RunPart
from mfv.client.code import MetaflowCode, environment_info
from mfv.client.errors import MetaflowNotFound, TaskError
from mfv.client.reading import ArtifactRead
from mfv.client.rundata import PARALLEL, RUNTIME, as_number, local_time
from mfv.client.values import MetaflowData
from mfv.errors import UsageError
from mfv.manifest import records
from mfv.manifest.records import TaskRef


class Metadata(NamedTuple):
    """One fact about a task."""

    name: str
    value: str
    created_at: int  # ms since 1970
    type: str
    task: Task


class Task(RunPart):
    """One execution of a step. It contains the artifacts that it left.

    Where a task was tried several times, the newest finished attempt speaks for it; another one
    is `Task(pathspec, attempt=0)`.
    """

    _DEPTH = 4
    _FORM = "Task('FlowName/RunID/StepName/TaskID')"

    def __init__(self, pathspec: str, attempt: int | None = None) -> None:
        """The task at `pathspec`; raises MetaflowNotFound also for an attempt that is not there."""
        self._open(pathspec, attempt)

    def __iter__(self) -> Iterator[DataArtifact]:
        """The artifacts, but for names with a leading underscore; the task's own come first."""
        names = [name for name in self._run_data.artifacts(self._record) if name[:1] != "_"]
        return (self._child(DataArtifact, name) for name in names)

    def __getitem__(self, name: str) -> DataArtifact:
        """The artifact of that name, also one with a leading underscore; KeyError."""
        return self._item(DataArtifact, name)

    def _ipython_key_completions_(self) -> list[str]:
        return [artifact.id for artifact in self]

    def __contains__(self, name: object) -> bool:
        return self._has(DataArtifact, name)

    def all_artifacts(self) -> Iterator[DataArtifact]:
        """The artifacts, also those with a leading underscore."""
        return (self._child(DataArtifact, name) for name in self._run_data.artifacts(self._record))

    @property
    def data(self) -> MetaflowData:
        """The values of the artifacts as attributes, each loaded when it is asked for."""
        return MetaflowData(self)

    @property
    def artifacts(self) -> Any:
        """The artifacts as a named tuple of DataArtifact."""
        from collections import namedtuple

        found = list(self)
        # A name that no attribute can have stands under its position instead of failing all.
        names = [artifact.id for artifact in found]
        bundle: Any = namedtuple("MetaflowArtifacts", names, rename=True)  # type: ignore[misc]
        return bundle._make(found)

    @property
    def created_at(self) -> datetime:
        """When the first attempt began, or the one that this handle is of; local time."""
        return local_time(min(ref.started for ref in self._refs))

    @property
    def finished_at(self) -> datetime | None:
        """When the attempt ended, whether it succeeded or not; local time, None while it runs."""
        ended = self._ref.ended
        return local_time(ended) if ended else None

    @property
    def successful(self) -> bool:
        """Whether the task did what it was to do; as with Metaflow, not if @catch took over."""
        return self._ref.status == "ok" and self._record.caught is None

    @property
    def finished(self) -> bool:
        """Whether the task came to its end; False, as with Metaflow, if it failed."""
        return self._ref.status == "ok"

    @property
    def exception(self) -> TaskError | None:
        """Why the task failed, with type, exception and stacktrace as text; None if it did not."""
        failure = self._record.failure
        if failure is None:
            return None
        return TaskError(_dotted(failure.type), failure.message, failure.traceback)

    @property
    def index(self) -> int | None:
        """Which item of the innermost foreach it works on, from 0; None outside of one."""
        splits = self._record.splits
        return splits[-1].index if splits else None

    @property
    def current_attempt(self) -> int:
        """The number of the attempt that speaks here, from 0."""
        return self._ref.attempt

    @property
    def runtime_name(self) -> str:
        """Where it ran: `dev` is this machine."""
        return RUNTIME

    @property
    def code(self) -> MetaflowCode:
        """The code that ran, the same for all tasks of a run."""
        return MetaflowCode(self._run_data)

    @property
    def environment_info(self) -> dict[str, Any]:
        """The machine, and `packages` with the version of each."""
        return environment_info(self._run_data)

    @property
    def stdout(self) -> str:
        """All that it wrote to its standard output; undecodable bytes become U+FFFD."""
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        """All that it wrote to its standard error, a traceback included."""
        return self._text("stderr")

    @property
    def stdout_size(self) -> int:
        """Bytes of `stdout`."""
        return self._size("stdout")

    @property
    def stderr_size(self) -> int:
        """Bytes of `stderr`."""
        return self._size("stderr")

    def loglines(self, stream: str, as_unicode: bool = True) -> Iterator[tuple[datetime, Any]]:
        """The lines of `stdout` or `stderr` with the time at which each came.

        As with Metaflow the times are UTC, without a zone. Lines have no line end, and are str,
        or bytes as written with `as_unicode=False`. Raises UsageError for another stream.
        """
        for line in self._run_data.lines(self._log(stream)):
            time = datetime.fromtimestamp(line.time / 1e6, UTC).replace(tzinfo=None)
            yield time, line.text.decode(errors="replace") if as_unicode else line.text

    @property
    def parent_tasks(self) -> Iterator[Task]:
        """The tasks that this one goes on from, in the order in which a join sees them."""
        data = self._run_data
        wanted = dict.fromkeys(self._record.parents)
        steps = {id: step for step, ids in data.steps().items() for id in ids if id in wanted}
        return (self._sibling(steps[id], id) for id in wanted if id in steps)

    @property
    def child_tasks(self) -> Iterator[Task]:
        """The finished tasks that go on from this one, by id."""
        data, own = self._run_data, self._record.id
        steps = data.steps()
        for step in data.next_steps(self._path[2]):
            for id in steps.get(step, ()):
                if own in data.record(data.attempts(step, id)[-1]).parents:
                    yield self._sibling(step, id)

    @property
    def parent_task_pathspecs(self) -> Iterator[str]:
        """The pathspecs of `parent_tasks`."""
        return (task.pathspec for task in self.parent_tasks)

    @property
    def child_task_pathspecs(self) -> Iterator[str]:
        """The pathspecs of `child_tasks`."""
        return (task.pathspec for task in self.child_tasks)

    @property
    def metadata(self) -> list[Metadata]:
        """Facts about every finished attempt, or about the one that this handle is of."""
        found = []
        for ref in self._refs:
            for name, value, time in self._facts(ref):
                found.append(Metadata(name, value, time // 1000, name, self))
        return found

    @property
    def metadata_dict(self) -> dict[str, str]:
        """The newest value of each fact by name."""
        return {fact.name: fact.value for fact in self.metadata}

    @property
    def origin_pathspec(self) -> str | None:
        return self._run_data.origin(self._record)

    @property
    def reads(self) -> list[ArtifactRead]:
        """The artifacts of other runs that it loaded through the client, in order; at most 1000.

        Also those that programs read which it started. What a reader does not load, and what it
        reads by other ways than the client, is not known.
        """
        return [ArtifactRead.of(read) for read in self._record.reads]

    @property
    def _ref(self) -> TaskRef:
        return self._run_data.find_task(self._path[2], self.id, self._attempt)

    @property
    def _refs(self) -> list[TaskRef]:
        if self._attempt is not None:
            return [self._ref]
        return list(self._run_data.attempts(self._path[2], as_number(self.id)))

    @property
    def _record(self) -> records.Task:
        return self._run_data.record(self._ref)

    @property
    def _is_control(self) -> bool:
        """Whether it is the first of tasks that run at the same time."""
        splits = self._record.splits
        return bool(splits) and (splits[-1].variable, splits[-1].index) == (PARALLEL, 0)

    def _look_up(self) -> None:
        if self._attempt is not None:
            try:
                self._attempt = int(self._attempt)
            except (TypeError, ValueError):
                raise MetaflowNotFound(
                    f"{self._attempt!r} is no attempt of a task", hint="attempts count from 0"
                ) from None
        self._run_data.find_task(self._path[2], self.id, self._attempt)

    def _sibling(self, step: str, id: int) -> Task:
        found = Task.__new__(Task)
        found._data = self._data
        found._attach(self._place, (*self._path[:2], step, str(id)), None, self._namespace)
        return found

    def _log(self, stream: str) -> records.Log:
        if stream not in ("stdout", "stderr"):
            raise UsageError(f"a task has no stream {stream!r}", hint="say 'stdout' or 'stderr'")
        return self._record.stdout if stream == "stdout" else self._record.stderr

    def _text(self, stream: str) -> str:
        return "".join(f"{text}\n" for _, text in self.loglines(stream))

    def _size(self, stream: str) -> int:
        return sum(len(line.text) + 1 for line in self._run_data.lines(self._log(stream)))

    def _facts(self, ref: TaskRef) -> Iterator[tuple[str, str, int]]:
        """Name, value and time (µs since 1970) of what is known of one attempt."""
        task, opening = self._run_data.record(ref), self._run_data.opening
        yield "attempt", str(ref.attempt), ref.started
        yield "user", opening.user, ref.started
        yield "host", opening.host, ref.started
        yield "runtime", RUNTIME, ref.started
        yield "python_version", self._run_data.environment.python, ref.started
        yield "mfv_version", opening.mfv, ref.started
        yield "script-name", opening.script, ref.started
        if task.splits:
            # As Metaflow has it: by the step that is split into, which the graph knows.
            into = {node.name: node.next[0] for node in opening.graph if node.next}
            path = ",".join(f"{into[split.step]}:{split.index}" for split in task.splits)
            yield "foreach-execution-path", path, ref.started
        if self._is_control:
            yield "internal_task_type", "control_task", ref.started
        origin = self._run_data.origin(task)
        if origin is not None:
            _, run, _, id = origin.split("/")
            yield "origin-run-id", run, ref.started
            yield "origin-task-id", id, ref.started
        if task.pid:
            yield "pid", str(task.pid), ref.started
        if not ref.ended:
            return  # it is this very process
        if task.pid:
            yield "exit_code", str(task.exit_code), ref.ended
            yield "signal", str(task.signal), ref.ended
            yield "cpu_seconds", str(task.cpu), ref.ended
            yield "peak_memory_bytes", str(task.peak_memory), ref.ended
        yield "attempt_ok", str(ref.status == "ok"), ref.ended
        yield "attempt-done", str(ref.attempt), ref.ended


def _dotted(kind: str) -> str:
    """The class of an error with its module, as Metaflow tells it.

    The record leaves out the two modules that need no telling. How a process that said nothing
    ended ("killed", "exited") is no class and stays as it is.
    """
    if "." in kind or kind.islower():
        return kind
    return f"builtins.{kind}" if hasattr(builtins, kind) else f"__main__.{kind}"
