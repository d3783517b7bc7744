"""One attempt of one task, in a process of its own: run the step, store what it left on `self`."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import NamedTuple, Protocol

import msgspec

from mfv.flow.current import current
from mfv.flow.decorators.base import RunningTask, policy_of
from mfv.flow.decorators.running import run_decorated
from mfv.flow.decorators.told import with_decorators
from mfv.flow.describe import graph_info
from mfv.flow.failures import describe
from mfv.flow.foreach import Places, shown_items
from mfv.flow.graph import Graph
from mfv.flow.order import Order, Report, Transition
from mfv.flow.parameters import collect
from mfv.flow.spec import (
    FlowSpec,
    FlowStateError,
    Inputs,
    InputView,
    TaskState,
    is_artifact_name,
)
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, Task, TaskRef


class Saved(NamedTuple):
    """What a store made of a task's attributes."""

    artifacts: tuple[Artifact, ...]
    dropped: tuple[tuple[str, str], ...]
    delivery: bytes  # for the recorder, which alone understands it


class TaskStore(Protocol):
    """How a task reads what others left and stores what it leaves."""

    def task(self, ref: TaskRef) -> Task:
        """The record of a finished task."""
        ...

    def load(self, artifact: Artifact) -> object:
        """The value of an artifact, verified."""
        ...

    def pack(self, item: object) -> bytes:
        """A small value as bytes; empty if it is not small, or cannot be had as bytes."""
        ...

    def unpack(self, data: bytes) -> object:
        """The value that `pack` made `data` of."""
        ...

    def save(self, values: Mapping[str, object], avoid: frozenset[bytes]) -> Saved:
        """Stores `values`, unchanged meanwhile, without relying on the packs to `avoid`."""
        ...


class FlowRun(NamedTuple):
    """What all tasks of one run share."""

    flow: type[FlowSpec]
    graph: Graph
    parameters: Mapping[str, object]  # by attribute name
    constants: Mapping[str, object]
    facts: Mapping[str, object]  # for `current`


class Attempt:
    """One attempt: `run` it, then `report` as often as the recorder asks."""

    def __init__(
        self,
        run: FlowRun,
        order: Order,
        store: TaskStore,
        handles: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        """`handles`: what `current` has beside the facts, made when first asked for."""
        self._handles = handles or {}
        self._run, self._order, self._store = run, order, store
        self._node = run.graph[order.step]
        self._readonly = {**run.constants, **run.parameters}
        self._flow = run.flow(use_cli=False)
        self._failure: Failure | None = None
        self._caught: Failure | None = None
        self._transition = Transition()
        self._started = self._ended = 0

    def run(self) -> bool:
        """Runs the step; False if it failed, with the traceback printed to stderr."""
        self._started = _now()
        current._set({"graph": self._graph_info, **self._handles}, **self._facts())
        try:
            state, arguments = self._prepare()
            self._flow.__dict__.update(self._readonly)
            self._flow.__dict__["_mfv"] = state
            caught = run_decorated(self._task(), arguments)
            self._caught = None if caught is None else describe(caught)
            self._transition = self._leave(state)
        except BaseException as error:  # sys.exit, Ctrl-C, a cancelled asyncio task
            self._failure = describe(error)
            with contextlib.suppress(Exception):  # the step may have closed it
                print(self._failure.traceback, end="", file=sys.stderr, flush=True)
        self._ended = _now()
        return self._failure is None

    def report(self, avoid: frozenset[bytes] = frozenset()) -> Report:
        """Stores what the step left and says how it went.

        `avoid`: packs that were condemned since the last report; asked again, the attempt stores
        everything that it took from them anew.
        """
        values, dropped = self._left()
        inherited = self._inherited(values)
        try:
            saved = self._store.save(values, avoid)
        except Exception as error:  # a full disk, a value that changes while it is stored
            self._failure = describe(error)
            saved = Saved((), (), b"")
        self._failure = self._failure or self._unforeseen(saved)
        artifacts = {one.name: self._marked(one) for one in saved.artifacts} | inherited
        # What was read, stored again for safety, and turned out the same was handed on as well.
        before = self._passed_on()
        unchanged = {
            artifact.name
            for artifact in saved.artifacts
            if artifact.name in before and before[artifact.name].id == artifact.id
        }
        usage = resource.getrusage(resource.RUSAGE_SELF)
        kilo = 1 if sys.platform == "darwin" else 1024
        return Report(
            status="ok" if self._failure is None else "failed",
            started=self._started,
            ended=self._ended,
            cpu=usage.ru_utime + usage.ru_stime,
            peak_memory=usage.ru_maxrss * kilo,
            transition=self._transition,
            artifacts=tuple(artifacts[name] for name in sorted(artifacts)),
            inherited=tuple(sorted({*inherited, *unchanged})),
            dropped=(*dropped, *saved.dropped),
            failure=self._failure,
            caught=self._caught,
            delivery=saved.delivery,
        )

    def _task(self) -> RunningTask:
        policy = policy_of(self._run.flow, self._order.step)
        return RunningTask(self._flow, self._run.graph, self._node, self._order, policy)

    def _prepare(self) -> tuple[TaskState, list[Inputs]]:
        tasks = [self._store.task(ref) for ref in self._order.parents]
        inherited: dict[str, Artifact] = {}
        arguments = []
        if self._node.is_join:
            arguments = [Inputs([self._view(task) for task in tasks])]
        elif tasks:
            # A task that was cloned from another run may hold constants as they were there.
            artifacts = tasks[0].artifacts
            inherited = {one.name: one for one in artifacts if one.name not in self._readonly}
        places = Places(self._store, self._readonly)
        stack = [places.of(frame) for frame in self._order.frames if frame.variable is not None]
        state = TaskState(
            step=self._order.step,
            constants=self._readonly,
            inherited=inherited,
            values=self._store,
            stack=stack,
        )
        return state, arguments

    def _view(self, task: Task) -> InputView:
        artifacts = {artifact.name: artifact for artifact in task.artifacts}
        index = task.splits[-1].index if task.splits else None
        return InputView(task.step, index, artifacts, self._readonly, self._store)

    def _leave(self, state: TaskState) -> Transition:
        """Where the step said that it goes on; checked against its source."""
        if self._node.name == self._run.graph.end:
            return Transition()
        if state.transition is None:
            raise FlowStateError(f"step {state.step!r} ended without self.next")
        leaving = state.transition
        if not set(leaving.steps) <= set(self._node.next):
            steps = ", ".join(leaving.steps)
            raise FlowStateError(f"step {state.step!r} goes on to {steps}, unlike in its source")
        if leaving.num_parallel is not None:
            return Transition(leaving.steps, total=leaving.num_parallel)
        if leaving.foreach is None:
            return Transition(leaving.steps)
        values, items = shown_items(self._flow, leaving.foreach, state.step, self._store)
        return Transition(leaving.steps, leaving.foreach, len(values), values, items)

    def _unforeseen(self, saved: Saved) -> Failure | None:
        """Why the step cannot be gone on from after all; None if it can."""
        variable = self._transition.variable
        reason = dict(saved.dropped).get(variable or "")
        if reason is None:
            return None
        error = FlowStateError(f"step {self._order.step!r} goes over self.{variable}, but {reason}")
        return describe(error)

    def _left(self) -> tuple[dict[str, object], list[tuple[str, str]]]:
        """The attributes to be stored, and those that are none of a run's business."""
        values, dropped = {}, []
        for name, value in self._flow.__dict__.items():
            if not is_artifact_name(name) or name in self._readonly:
                continue
            if isinstance(value, (FunctionType, MethodType, BuiltinFunctionType)):
                reason = f"self.{name} is a function, and functions are code, not results"
                dropped.append((name, reason))
            else:
                values[name] = value
        return values, dropped

    def _marked(self, artifact: Artifact) -> Artifact:
        """`artifact` as one that is let go in time, if the step said so and it takes room."""
        state: TaskState | None = self._flow.__dict__.get("_mfv")
        if state is None or artifact.name not in state.transient or not artifact.frames:
            return artifact
        return msgspec.structs.replace(artifact, transient=True)

    def _inherited(self, values: Mapping[str, object]) -> dict[str, Artifact]:
        passed_on = self._passed_on().items()
        return {name: artifact for name, artifact in passed_on if name not in values}

    def _passed_on(self) -> Mapping[str, Artifact]:
        state: TaskState | None = self._flow.__dict__.get("_mfv")
        return {} if state is None else state.inherited

    def _facts(self) -> dict[str, object]:
        order, run = self._order, self._run
        name = run.flow.__name__
        return {
            **run.facts,
            "flow_name": name,
            "run_id": str(order.run),
            "step_name": order.step,
            "task_id": str(order.id),
            "retry_count": order.attempt,
            "is_parallel": False,
            "pathspec": f"{name}/{order.run}/{order.step}/{order.id}",
            "parameter_names": list(run.parameters),
        }

    def _graph_info(self) -> dict[str, object]:
        run = self._run
        info = graph_info(run.graph, collect(run.flow), run.constants)
        return with_decorators(run.flow, info)


def _now() -> int:
    return time.time_ns() // 1000
