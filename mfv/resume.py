"""Going on from a run that did not come to its end: which tasks of it a new run takes over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from mfv.errors import ConflictError, FlowError, NotFoundError, did_you_mean
from mfv.flow.graph import Graph
from mfv.flow.order import Order, Transition
from mfv.flow.seams import Clone
from mfv.flow.source import Kind
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import GraphNode, Task, TaskRef
from mfv.repo.names import OPEN
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

# Where a task stands: its step, and its place in each open foreach. Tasks of steps that are
# repeated stand in the same place, one after the other.
_Place = tuple[str, tuple[int, ...]]


class Origin:
    """The finished work of a run, handed out to a run of the same flow that goes on from it."""

    def __init__(
        self,
        view: RunView,
        graph: Graph,
        number: int,
        constants: Mapping[str, Artifact],
        step: str | None = None,
    ) -> None:
        """`number`: of the new run; `constants`: those of the new run, by name.

        `step` and everything that can come after it are not taken over, nor is what comes after
        a step that leads elsewhere now than it did.
        """
        self._view, self._graph, self._number = view, graph, number
        # What a cloned task saw is kept with it, where it is not what the new run has.
        self._old_constants = [
            artifact
            for name, artifact in view.constants.items()
            if name not in constants or constants[name].id != artifact.id
        ]
        changed = [name for name in graph.nodes if self._leads_elsewhere(name)]
        self._left_out = after(graph, [*changed, *([step] if step is not None else [])])
        self._tasks: dict[_Place, Iterator[Task]] | None = None
        self._values: dict[int, dict[int, str]] = defaultdict(dict)  # by the task that split

    def clone(self, order: Order) -> Clone | None:
        """What the origin has done of `order`, as a task of the new run; None if that has to run.

        To be asked in the order in which the tasks ran, once for each.
        """
        if order.step in self._left_out:
            return None
        if self._tasks is None:
            self._tasks = self._read()
        indices = tuple(split.index for split in order.splits)
        task = next(self._tasks.get((order.step, indices), iter(())), None)
        if task is None or [s.total for s in task.splits] != [s.total for s in order.splits]:
            return None
        node = self._graph[order.step]
        splitting = node.kind in (Kind.FOREACH, Kind.PARALLEL)
        following = task.next or node.next
        if (splitting and not task.items) or not set(following) <= set(node.next):
            return None
        known = self._values.get(task.id, {})
        values = tuple(known.get(index, "") for index in range(task.items))
        transition = Transition(following, node.foreach, task.items, values)
        return Clone(self._as_new(task, order), transition)

    def _as_new(self, task: Task, order: Order) -> Task:
        own = {artifact.name for artifact in task.artifacts}
        kept = [constant for constant in self._old_constants if constant.name not in own]
        return msgspec.structs.replace(
            task,
            run=self._number,
            id=order.id,
            attempt=0,
            parents=tuple(ref.id for ref in order.parents),
            splits=order.splits,
            artifacts=tuple(sorted([*task.artifacts, *kept], key=lambda one: one.name)),
            origin=(task.run, task.id),
        )

    def _read(self) -> dict[_Place, Iterator[Task]]:
        """The tasks that succeeded, by place, in the order in which they ran."""
        found: dict[_Place, list[Task]] = defaultdict(list)
        newest: dict[int, TaskRef] = {}
        for ref in self._view.refs:
            if ref.id not in newest or newest[ref.id].attempt <= ref.attempt:
                newest[ref.id] = ref
        for number in sorted(newest):
            task = self._view.repository.task(newest[number])
            if task.splits and len(task.parents) == 1:
                split = task.splits[-1]
                self._values[task.parents[0]].setdefault(split.index, split.value)
            if task.status == "ok":
                found[task.step, tuple(split.index for split in task.splits)].append(task)
        return {place: iter(tasks) for place, tasks in found.items()}

    def _leads_elsewhere(self, step: str) -> bool:
        before = {node.name: node for node in self._view.opening.graph}.get(step)
        node = self._graph[step]
        return before is None or _shape(before) != (node.kind.value, node.next, node.is_join)


def _shape(node: GraphNode) -> tuple[str, tuple[str, ...], bool]:
    return node.kind, node.next, node.is_join


def after(graph: Graph, steps: list[str]) -> set[str]:
    """`steps` and all that can come after them."""
    found, todo = set(steps), list(steps)
    while todo:
        for following in graph[todo.pop()].next:
            if following not in found:
                found.add(following)
                todo.append(following)
    return found


def find_origin(repository: Repository, flow: str, number: str | None) -> RunView:
    """The run to go on from: the one of that number, else the newest run of the flow.

    Raises NotFoundError with the numbers that there are, ConflictError if it still runs.
    """
    runs = repository.state.runs.get(flow, {})
    if not runs:
        raise NotFoundError(f"{flow} has no run to resume", hint="start one: `python FLOW.py run`")
    if number is None:
        state = max(runs.values(), key=lambda run: run.opened)
    else:
        text = number.removeprefix(f"{flow}/")
        found = runs.get(int(text)) if text.isascii() and text.isdecimal() else None
        if found is None:
            raise NotFoundError(
                f"{flow} has no run {number!r}",
                hint=f"its runs are {min(runs)} to {max(runs)}; `mfv log` lists them",
            )
        state = found
    if repository.status(state) == OPEN:
        raise ConflictError(
            f"{state.name} is still running", hint="wait for its end, or stop it, and resume then"
        )
    return RunView(repository, state)


def check_step(graph: Graph, step: str | None) -> None:
    """FlowError if there is no such step to begin with."""
    if step is not None and step not in graph:
        raise FlowError(
            f"{graph.flow} has no step {step!r} to resume from",
            hint=did_you_mean(step, graph.nodes) or f"its steps are {', '.join(graph.order)}",
        )
