"""One run as commands and the client see it: read when asked for, and read once."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from mfv.errors import AmbiguousError, CorruptError, NotFoundError, did_you_mean
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment, Opening, Run, Task, TaskRef, Tree
from mfv.repo.names import OPEN, RunState
from mfv.repo.repository import Repository

T = TypeVar("T")


class RunView:
    """A run of a repository: what the log says, and what its records say."""

    def __init__(self, repository: Repository, state: RunState) -> None:
        self.repository, self.state = repository, state
        self.flow, self.number, self.name = state.flow, state.number, state.name
        self.tags = tuple(state.tags)
        self._kept: dict[str, Any] = {}

    @property
    def run_id(self) -> str | None:
        """The run's true name in hex; None while it is open."""
        return None if self.state.manifest is None else self.state.manifest.hex()

    @cached_property
    def status(self) -> str:
        """`open`, `ok`, `failed`, `interrupted` or `crashed`."""
        return self.repository.status(self.state)

    @property
    def opening(self) -> Opening:
        """What the run began with; CorruptError if that record is damaged."""
        return self._once("opening", lambda: self.repository.opening(self.state))

    @property
    def manifest(self) -> Run | None:
        """The sealed run, None while it is open; CorruptError if the record is damaged."""
        return self._once("manifest", lambda: self.repository.manifest(self.state))

    @property
    def refs(self) -> tuple[TaskRef, ...]:
        """The finished attempts, in the order in which they were committed."""
        manifest = self.manifest
        return tuple(self.state.tasks) if manifest is None else manifest.tasks

    @property
    def tree(self) -> Tree:
        return self._once("tree", lambda: self.repository.tree(self.opening))

    @property
    def environment(self) -> Environment:
        return self._once("environment", lambda: self.repository.environment(self.opening))

    def _once(self, name: str, read: Callable[[], T]) -> T:
        """What `read` gives, kept unless it is large: of those the repository keeps a few."""
        if name in self._kept:
            return self._kept[name]  # type: ignore[no-any-return]
        found = read()
        if not self.repository.is_large(found):
            self._kept[name] = found
        return found

    @cached_property
    def trouble(self) -> str | None:
        """What is damaged of the records that a listing needs; None if all is well."""
        try:
            _ = self.opening, self.manifest
        except CorruptError as error:
            return error.message
        return None

    @property
    def started(self) -> int:
        """µs since 1970."""
        return self.state.time

    @property
    def ended(self) -> int | None:
        """µs since 1970; None while the run is open."""
        if self.state.manifest is None or self.manifest is None:
            return None
        return self.manifest.ended

    @property
    def seconds(self) -> float:
        """How long the run took, or has taken so far; of a crashed one, until its last task."""
        ended = self.ended
        if ended is None and self.status == OPEN:
            ended = time.time_ns() // 1000
        if ended is None:
            ended = max((ref.ended for ref in self.refs), default=self.started)
        return max(0, ended - self.started) / 1e6

    @property
    def parameters(self) -> dict[str, Artifact]:
        """The parameters by name."""
        return {artifact.name: artifact for artifact in self.opening.parameters}

    @property
    def metrics(self) -> dict[str, Artifact]:
        """The numbers that the end task left, parameters aside."""
        results = () if self.manifest is None else self.manifest.results
        return {a.name: a for a in results if a.is_number}

    @property
    def constants(self) -> dict[str, Artifact]:
        return {artifact.name: artifact for artifact in self.opening.constants}

    def steps(self) -> dict[str, list[TaskRef]]:
        """The finished tasks by step, steps in the order in which they began; newest attempt."""
        newest: dict[tuple[str, int], TaskRef] = {}
        for ref in self.refs:
            key = (ref.step, ref.id)
            if key not in newest or newest[key].attempt <= ref.attempt:
                newest[key] = ref
        found: dict[str, list[TaskRef]] = {}
        for ref in sorted(newest.values(), key=lambda ref: ref.id):
            found.setdefault(ref.step, []).append(ref)
        return found

    def tasks(self, step: str) -> list[Task]:
        """The finished tasks of one step, by id; NotFoundError with near names."""
        return [self.repository.task(ref) for ref in self.step(step)]

    def step(self, step: str) -> list[TaskRef]:
        """The references of one step's tasks; NotFoundError with near names."""
        steps = self.steps()
        if step in steps:
            return steps[step]
        known = [node.name for node in self.opening.graph]
        if step in known:
            raise NotFoundError(f"step {step!r} of {self.name} has no finished task")
        hint = did_you_mean(step, known) or f"its steps are {', '.join(known)}"
        raise NotFoundError(f"{self.name} has no step {step!r}", hint=hint)

    def task(self, step: str, task_id: str) -> Task:
        """One finished task; NotFoundError with the ids that there are."""
        refs = self.step(step)
        for ref in refs:
            if str(ref.id) == task_id:
                return self.repository.task(ref)
        ids = ", ".join(str(ref.id) for ref in refs[:20])
        raise NotFoundError(
            f"step {step!r} of {self.name} has no task {task_id!r}", hint=f"its tasks are {ids}"
        )

    def end_task(self) -> Task | None:
        """The task of the last step, if the run came so far."""
        ends = [node.name for node in self.opening.graph if not node.next]
        refs = [ref for name in ends for ref in self.steps().get(name, ()) if ref.status == "ok"]
        return self.repository.task(refs[-1]) if refs else None

    def last_task(self) -> Task | None:
        """The task that finished last: that of the end step, where there is one."""
        end = self.end_task()
        if end is not None or not self.refs:
            return end
        return self.repository.task(max(self.refs, key=lambda ref: ref.ended))

    def artifact(self, task: Task, name: str) -> Artifact:
        """One artifact of a task, parameters and constants included; NotFoundError."""
        found = {a.name: a for a in self.all_artifacts(task)}
        if name in found:
            return found[name]
        dropped = dict(task.dropped)
        if name in dropped:
            raise NotFoundError(f"{name!r} of {task.pathspec} was not stored: {dropped[name]}")
        hint = did_you_mean(name, found)
        raise NotFoundError(f"{task.pathspec} has no artifact {name!r}", hint=hint)

    def inputs(self, task: Task) -> list[Artifact]:
        """The parameters and constants, which every task has."""
        own = {artifact.name for artifact in task.artifacts}
        given = (*self.opening.parameters, *self.opening.constants)
        return [artifact for artifact in given if artifact.name not in own]

    def all_artifacts(self, task: Task) -> list[Artifact]:
        """The artifacts of a task: parameters, constants, then its own."""
        return [*self.inputs(task), *task.artifacts]

    def only_task(self, step: str, purpose: str) -> Task:
        """The task of a step that has one; AmbiguousError with the candidates otherwise."""
        refs = self.step(step)
        if len(refs) > 1:
            names = [f"{self.name}/{step}/{ref.id}" for ref in refs]
            raise AmbiguousError(
                f"step {step!r} of {self.name} has {len(refs)} tasks, and {purpose} wants one",
                names,
                hint=f"give its id: {', '.join(str(ref.id) for ref in refs[:20])}",
            )
        return self.repository.task(refs[0])
