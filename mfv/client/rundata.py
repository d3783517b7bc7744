"""One run behind its handles: every read of it, under the lock of its repository.

While a run is open each question is asked of the log anew, so that a handle can be polled; of a
sealed run nothing is read twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from mfv.client.errors import MetaflowNotFound
from mfv.client.place import Place
from mfv.errors import did_you_mean
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment, Log, Opening, Task, TaskRef, Tree
from mfv.repo.gone import told_if_gone
from mfv.repo.logs import Line, read_lines
from mfv.repo.names import OPEN, RunState
from mfv.repo.view import RunView

# The step that Metaflow pretends to have run first: its one task holds parameters and constants.
PARAMETERS = "_parameters"
SYSTEM_TAGS = ("user", "runtime", "python_version", "mfv_version", "date")
DECORATOR_TAGS = ("project", "project_branch")  # kinds that a flow's decorators give
RUNTIME = "dev"
PARALLEL = "num_parallel"  # the variable of a split into tasks that run at the same time
_UNRECORDED = b"running"  # in place of the id of a record
_running: tuple[Path, Task] | None = None


def set_running(folder: Path, record: Task) -> None:
    """Tells of the task that this process runs: it counts as there until it has a record.

    `folder`: its repository. `record`: what is known of the attempt now, with no end.
    """
    global _running
    _running = (folder, record)


class _Fold(NamedTuple):
    """What the log said of the run at one moment, by step and by task."""

    mark: tuple[object, ...]
    view: RunView
    steps: dict[str, list[int]]  # task ids, in the order in which the steps began
    attempts: dict[tuple[str, int], list[TaskRef]]  # oldest first


class RunData:
    """What the handles of one run, its steps, tasks and artifacts share."""

    def __init__(self, place: Place, state: RunState) -> None:
        self.place = place
        self.flow, self.number = state.flow, state.number
        self.name = state.name
        self._fold: _Fold | None = None
        self._records: dict[bytes, Task] = {}
        self._artifacts: dict[tuple[str, int, int], dict[str, Artifact]] = {}
        self._system_tags: dict[str, str] = {}

    @property
    def state(self) -> RunState:
        """What the log says of the run now; MetaflowNotFound if it is gone."""
        found = self.place.state().find(self.flow, self.number)
        if found is None:
            raise MetaflowNotFound(f"{self.name} is not there any more")
        return found

    @property
    def status(self) -> str:
        """`open`, `ok`, `failed`, `interrupted` or `crashed`."""
        with self.place.lock:
            return self.place.repository.status(self.state)

    @property
    def opening(self) -> Opening:
        """What the run began with."""
        with self.place.lock:
            return self._now().view.opening

    @property
    def environment(self) -> Environment:
        with self.place.lock:
            return self._now().view.environment

    @property
    def tree(self) -> Tree:
        with self.place.lock:
            return self._now().view.tree

    def info(self) -> dict[str, Any]:
        """What was around the run."""
        from mfv.repo.info import info_of

        with self.place.lock:
            return info_of(self._now().view)

    @property
    def origin_id(self) -> bytes:
        """The id of the repository where the run was made."""
        with self.place.lock:
            manifest = self._now().view.manifest
            return self.place.repository.format.repository if manifest is None else manifest.origin

    @property
    def created(self) -> int:
        """µs since 1970."""
        return self.state.time or self.opening.created

    @property
    def running(self) -> Task | None:
        """The attempt of this run that this process itself is; None in any other process."""
        if _running is None or _running[0] != self.place.folder:
            return None
        record = _running[1]
        return record if (record.flow, record.run) == (self.flow, self.number) else None

    def steps(self) -> dict[str, list[int]]:
        """The ids of the finished tasks by step, steps in the order in which they began."""
        with self.place.lock:
            found = self._now().steps
        running = self.running
        if running is None or running.id in found.get(running.step, ()):
            return found
        return {**found, running.step: [*found.get(running.step, ()), running.id]}

    def attempts(self, step: str, task: int) -> Sequence[TaskRef]:
        """The finished attempts of one task, oldest first; none if there is no such task."""
        if (step, task) == (PARAMETERS, 0):
            return [TaskRef(PARAMETERS, 0, 0, "ok", self.created, self.created, b"", b"")]
        with self.place.lock:
            found = self._now().attempts.get((step, task), [])
        running = self.running
        if running is None or (step, task) != (running.step, running.id):
            return found
        if any(ref.attempt == running.attempt for ref in found):
            return found
        begun, attempt = running.started, running.attempt
        return [*found, TaskRef(step, task, attempt, "failed", begun, 0, _UNRECORDED, b"")]

    def find_task(self, step: str, task: str, attempt: int | None) -> TaskRef:
        """The newest finished attempt of a task, or the one asked for.

        Raises MetaflowNotFound, which names the steps, the tasks or the attempts that there are.
        """
        place = f"{self.name}/{step}"
        ids = self.step(step)
        attempts = self.attempts(step, as_number(task))
        if not attempts:
            some = ", ".join(map(str, ids[:20]))
            raise MetaflowNotFound(f"{place} has no task {task!r}", hint=f"its tasks are {some}")
        if attempt is None:
            return attempts[-1]
        for ref in attempts:
            if ref.attempt == attempt:
                return ref
        some = ", ".join(str(ref.attempt) for ref in attempts)
        raise MetaflowNotFound(
            f"{place}/{task} has no attempt {attempt!r}", hint=f"its attempts are {some}"
        )

    def step(self, step: str) -> Sequence[int]:
        """The ids of a step's finished tasks; MetaflowNotFound if there are none."""
        if step == PARAMETERS:
            return [0]
        steps = self.steps()
        if step in steps:
            return steps[step]
        known = [node.name for node in self.opening.graph]
        if step in known:
            raise MetaflowNotFound(
                f"step {step!r} of {self.name} has no finished task",
                hint=f"the run is {self.status}; it has {', '.join(steps) or 'no finished step'}",
            )
        hint = did_you_mean(step, known) or f"its steps are {', '.join(known)}"
        raise MetaflowNotFound(f"{self.name} has no step {step!r}", hint=hint)

    def record(self, ref: TaskRef) -> Task:
        """The record of one attempt."""
        if ref.step == PARAMETERS:
            return Task(self.flow, self.number, PARAMETERS, 0, "ok", ref.started, ref.ended)
        if ref.manifest == _UNRECORDED and self.running is not None:
            return self.running
        with self.place.lock:
            if ref.manifest not in self._records:
                self._records[ref.manifest] = self.place.repository.task(ref)
            return self._records[ref.manifest]

    def artifacts(self, task: Task) -> dict[str, Artifact]:
        """The artifacts of a task by name: its own, then the run's constants and parameters."""
        key = (task.step, task.id, task.attempt)
        with self.place.lock:
            if key not in self._artifacts:
                found = {artifact.name: artifact for artifact in task.artifacts}
                for artifact in self._now().view.all_artifacts(task):
                    found.setdefault(artifact.name, artifact)
                self._artifacts[key] = found
            return self._artifacts[key]

    def find_artifact(self, task: Task, name: str) -> Artifact:
        """One artifact of a task; MetaflowNotFound, which says if it could not be stored."""
        found = self.artifacts(task)
        if name in found:
            return found[name]
        place = f"{self.name}/{task.step}/{task.id}"
        dropped = dict(task.dropped)
        if name in dropped:
            raise MetaflowNotFound(f"{name!r} of {place} was not stored: {dropped[name]}")
        hint = did_you_mean(name, found) or f"it has {', '.join(found) or 'none at all'}"
        raise MetaflowNotFound(f"{place} has no artifact {name!r}", hint=hint)

    def origin(self, task: Task) -> str | None:
        """The pathspec of the task that a resumed run took this one from by reference."""
        if task.origin is None:
            return None
        run, id = task.origin
        return f"{self.flow}/{run}/{task.step}/{id}"

    def load(self, artifact: Artifact, name: str, trust: bool | None = None) -> object:
        """The value of an artifact, every byte verified. Unpickles what is trusted."""
        from mfv.repo.trust import load

        with self.place.lock, told_if_gone(self.state, artifact.name):
            return load(
                self.place.repository,
                artifact,
                name,
                origin=self.origin_id,
                trust=trust,
                once="`.load(trust=True)`",
            )

    def read_blob(self, blob: bytes) -> bytes:
        from mfv.ids import BlobId

        with self.place.lock:
            return bytes(self.place.repository.database.read_blob(BlobId(blob)))

    def lines(self, log: Log) -> Iterator[Line]:
        """The lines of a log."""
        with self.place.lock, told_if_gone(self.state):
            # What is kept of a blob is mapped or in memory: only the look-up needs the lock.
            lines = read_lines(self.place.repository.database, log)
            first = next(lines, None)
        if first is not None:
            yield first
            yield from lines

    @property
    def end_step(self) -> str:
        """The name of the step where the flow ends."""
        return next((node.name for node in self.opening.graph if not node.next), "end")

    def next_steps(self, step: str) -> list[str]:
        """The steps that follow one, as the graph has them."""
        return [name for node in self.opening.graph if node.name == step for name in node.next]

    def previous_steps(self, step: str) -> list[str]:
        return [node.name for node in self.opening.graph if step in node.next]

    def bears(self, tag: str) -> bool:
        """Whether the run bears a tag, the user's or the system's."""
        kind = tag.partition(":")[0]
        if tag in self.state.tags or (kind in SYSTEM_TAGS and tag == self._system_tag(kind)):
            return True
        # Of many runs that are filtered by a tag of theirs, none has to be opened.
        return kind in DECORATOR_TAGS and tag in self.opening.system_tags

    def system_tags(self) -> frozenset[str]:
        """The tags that say what every run has, and that nobody can change."""
        general = (self._system_tag(kind) for kind in SYSTEM_TAGS)
        return frozenset((*general, *self.opening.system_tags))

    def _system_tag(self, kind: str) -> str:
        # One at a time: a filter by user over many runs need not read their environments.
        if kind not in self._system_tags:
            if kind == "user":
                value = self.opening.user
            elif kind == "runtime":
                value = RUNTIME
            elif kind == "python_version":
                value = self.environment.python
            elif kind == "mfv_version":
                value = self.opening.mfv
            else:
                value = datetime.fromtimestamp(self.created / 1e6, UTC).strftime("%Y-%m-%d")
            self._system_tags[kind] = f"{kind}:{value}"
        return self._system_tags[kind]

    def _now(self) -> _Fold:
        """The run as of now. Ask under the lock."""
        kept = self._fold
        if kept is not None and kept.view.state.status != OPEN and kept.view.manifest is not None:
            return kept
        state = self.state
        # The log changes this very object as it is read on, hence a mark of what was looked at.
        mark = (state.status, state.manifest, len(state.tasks))
        if kept is None or kept.mark != mark:
            view = RunView(self.place.repository, state)
            steps = {name: [ref.id for ref in refs] for name, refs in view.steps().items()}
            attempts: dict[tuple[str, int], list[TaskRef]] = {}
            for ref in sorted(view.refs, key=lambda ref: ref.attempt):
                attempts.setdefault((ref.step, ref.id), []).append(ref)
            self._fold = kept = _Fold(mark, view, steps, attempts)
        return kept


def as_number(text: str) -> int:
    """The number that `text` spells as ids are spelled; -1, which no id is, if it spells none."""
    short = text.isascii() and text.isdecimal() and len(text) < 20
    return int(text) if short and str(int(text)) == text else -1


def local_time(time: int) -> datetime:
    """`time` (µs since 1970) as Metaflow's client tells times: local, without a zone."""
    return datetime.fromtimestamp(time / 1e6)
