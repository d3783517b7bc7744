"""The finished work of earlier runs, handed out task by task to one that is made of the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache

import msgspec

from mfv.errors import CorruptError, NotFoundError
from mfv.flow.graph import Graph
from mfv.flow.order import NUM_PARALLEL, Order, Transition
from mfv.flow.seams import Clone
from mfv.flow.source import Kind
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import GraphNode, Task, TaskRef
from mfv.repo.reachable import Keeping, is_there
from mfv.repo.view import RunView
from mfv.resume.past import Past

# Where a task stands: its step, and its place in each open foreach. Tasks of steps that are
# repeated stand in the same place, one after the other.
_Place = tuple[str, tuple[int, ...]]
_Artifacts = dict[str, Artifact]


class Current:
    """What the tasks of the new run have left so far, whether they ran or were taken over."""

    def __init__(self) -> None:
        self.artifacts: dict[int, _Artifacts] = {}  # by task

    def add(self, task: Task) -> None:
        self.artifacts[task.id] = {one.name: one for one in task.artifacts}


class Origin:
    """The finished work of a run, handed out to a run of the same flow."""

    def __init__(
        self,
        view: RunView,
        graph: Graph,
        number: int,
        constants: Mapping[str, Artifact],
        step: str | None = None,
        *,
        past: Past | None = None,
        current: Current | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`number`: of the new run; `constants`: those of the new run, by name.

        `step` and everything that can come after it are not taken over. `past`: tells what
        changed since; without it all that succeeded counts as it is, but for what comes after
        something that ran anew, or after a step that leads elsewhere now. `tell` hears why steps
        run that only what they are given keeps from being taken over.
        """
        self._view, self._graph, self._number = view, graph, number
        self._past, self._tell = past, tell
        self._current = current or Current()
        # What a cloned task saw is kept with it, where it is not what the new run has.
        # One that is taken over because it does not depend on them has those of the new run.
        self._old_constants = [
            artifact
            for name, artifact in view.constants.items()
            if past is None and (name not in constants or constants[name].id != artifact.id)
        ]
        self.elsewhere = {name for name in graph.nodes if self._leads_elsewhere(name)}
        self.left_out = after(graph, [step] if step is not None else [])
        if past is None:
            self.left_out |= after(graph, self.elsewhere)
        self._tasks: dict[_Place, Iterator[Task]] | None = None
        self._by_id: dict[int, Task] = {}
        self._values: dict[int, dict[int, str]] = defaultdict(dict)  # by the task that split
        self._source: dict[int, int] = {}  # by id of the new run's clones: of what they are one
        self._intact: set[int] = set()  # clones that, with all before them, are as they were
        self._told: set[str] = set()

    def clone(self, order: Order) -> Clone | None:
        """What the origin has done of `order`, as a task of the new run; None if that has to run.

        To be asked in the order in which the tasks ran, once for each.
        """
        if order.step in self.left_out or order.step in self.elsewhere:
            return None
        if self._past is None and not all(ref.id in self._source for ref in order.parents):
            return None  # what comes after something new is new
        if self._past is not None and self._past.why(order.step) is not None:
            return None
        indices = tuple(split.index for split in order.splits)
        task = next(self._places().get((order.step, indices), iter(())), None)
        if task is None or [s.total for s in task.splits] != [s.total for s in order.splits]:
            return None
        node = self._graph[order.step]
        splitting = node.kind in (Kind.FOREACH, Kind.PARALLEL)
        following = task.next or node.next
        if (splitting and not task.items) or not set(following) <= set(node.next):
            return None
        if self._is_unseen(task):
            return None
        why = self._gone(task) or self._differs(order, task)
        if why is not None:
            if order.step not in self._told:
                self._told.add(order.step)
                self._tell(f"{order.step} runs: {why}")
            return None
        known = self._values.get(task.id, {})
        values = tuple(known.get(index, "") for index in range(task.items))
        transition = Transition(following, node.foreach, task.items, values)
        clone = self._as_new(task, order)
        self._current.add(clone)
        self._source[order.id] = task.id
        return Clone(clone, transition)

    def ran(self, task: Task) -> None:
        """Takes note of a task of the new run that was not taken over."""
        self._current.add(task)
        self._source.pop(task.id, None)
        self._intact.discard(task.id)

    def unseen(self) -> set[str]:
        """The steps of which nobody knows whether they were made by the code of their run."""
        self._places()
        return {task.step for task in self._by_id.values() if self._is_unseen(task)}

    def _is_unseen(self, task: Task) -> bool:
        return self._past is not None and task.origin is not None and self._view.opening.trusted

    def finished(self) -> dict[str, tuple[int, int]]:
        """By step: how many of its tasks succeeded, and how many there were."""
        self._places()
        found: dict[str, tuple[int, int]] = {}
        for task in self._by_id.values():
            done, all_ = found.get(task.step, (0, 0))
            found[task.step] = done + (task.status == "ok"), all_ + 1
        return found

    def _gone(self, task: Task) -> str | None:
        """What the task left whose bytes were let go or lost; None if all of it is there."""
        state = self._view.state
        keeping, lost = Keeping.of(state), set(state.lost)
        for artifact in task.artifacts:
            if keeping.keeps(task.step, artifact) and lost.isdisjoint(
                frame.blob for frame in artifact.frames
            ):
                continue
            database = self._view.repository.database
            if not all(is_there(database, frame.id) for frame in artifact.frames):
                return f"the bytes of {artifact.name} are gone"
        return None

    def _as_new(self, task: Task, order: Order) -> Task:
        own = {artifact.name: artifact for artifact in task.artifacts}
        if self._past is not None:
            own = self._inputs(own)
        for constant in self._old_constants:
            own.setdefault(constant.name, constant)
        if self._is_intact(order, task):
            self._intact.add(order.id)
        elif len(order.parents) == 1 and not self._graph[order.step].is_join:
            self._pass_on(task, order, own)
        return msgspec.structs.replace(
            task,
            run=self._number,
            id=order.id,
            attempt=0,
            parents=tuple(ref.id for ref in order.parents),
            splits=order.splits,
            artifacts=tuple(own[name] for name in sorted(own)),
            origin=(task.run, task.id),
        )

    def _pass_on(self, task: Task, order: Order, own: _Artifacts) -> None:
        """Gives the clone what its parent has now of what it does not look at."""
        new = self._inputs(self._current.artifacts[order.parents[0].id])
        old = self._inputs(self._old(task.parents[0]))
        for name in task.inherited:
            if name in new:
                own[name] = new[name]
            else:
                own.pop(name, None)
        for name in new.keys() - old.keys():
            own.setdefault(name, new[name])

    def _is_intact(self, order: Order, task: Task) -> bool:
        parents = tuple(ref.id for ref in order.parents)
        return len(parents) == len(task.parents) and all(
            new in self._intact and self._source[new] == old
            for new, old in zip(parents, task.parents, strict=True)
        )

    def _differs(self, order: Order, task: Task) -> str | None:
        """What `task` was given that `order` is not; None if nothing that matters."""
        if self._past is None:
            return None
        if not self._is_intact(order, task):
            why = self._other_inputs(order, task)
            if why is not None:
                return why
        if not self._past.carriers:
            return None
        given = [artifact for artifacts in self._given(order, task) for artifact in artifacts]
        return self._past.carried([*given, *self._past.values(order.step)])

    def _other_inputs(self, order: Order, task: Task) -> str | None:
        assert self._past is not None
        if len(order.parents) != len(task.parents):
            return f"it is given {len(order.parents)} inputs, and was {len(task.parents)}"
        names = self._names(order.step, task)
        for ref, parent in zip(order.parents, task.parents, strict=True):
            if ref.step != self._by_id[parent].step:
                return f"it comes after {ref.step}, and came after {self._by_id[parent].step}"
            new = self._inputs(self._current.artifacts[ref.id])
            old = self._inputs(self._old(parent))
            for name in sorted({*new, *old}):
                if not _same(new.get(name), old.get(name)) and self._matters(
                    order.step, name, names, name in new and name in old
                ):
                    return f"{name}, which {ref.step} left, is not what it was"
        if not self._past.reach(order.step).splits:
            return None
        for depth, split in enumerate(order.splits):
            if split.variable == NUM_PARALLEL:
                continue
            new_items, old_items = self._items(order, task, depth)
            if new_items is None and old_items is None:
                known = self._past.same_value(split.variable)
            else:
                known = _same(new_items, old_items)
            if not known:
                return f"{split.variable}, which {split.step} goes over, is not what it was"
        return None

    def _matters(self, step: str, name: str, names: frozenset[str] | None, in_both: bool) -> bool:
        """Whether a task may depend on an attribute that it is given, or is not given any more."""
        assert self._past is not None
        if names is None or name in names:
            return True
        # It may delete it.
        return not in_both and name in self._past.reach(step).stored

    def _given(self, order: Order, task: Task) -> Iterator[list[Artifact]]:
        """The artifacts that a task may read."""
        assert self._past is not None
        names = self._names(order.step, task)
        for ref in order.parents:
            given = self._inputs(self._current.artifacts[ref.id])
            yield [one for name, one in given.items() if names is None or name in names]
        if self._past.reach(order.step).splits:
            for depth in range(len(order.splits)):
                items, _ = self._items(order, task, depth)
                yield [items] if items is not None else []

    def _names(self, step: str, task: Task) -> frozenset[str] | None:
        """What of its inputs a task may depend on; None for all."""
        assert self._past is not None
        reach = self._past.reach(step)
        if self._graph[step].is_join:
            return reach.reads_inputs
        if reach.reads is None:
            return None
        return reach.reads | (reach.stored & frozenset(task.inherited))

    def _items(
        self, order: Order, task: Task, depth: int
    ) -> tuple[Artifact | None, Artifact | None]:
        """What an open foreach goes over, now and there."""
        frames = [frame for frame in order.frames if frame.variable is not None]
        frame = frames[depth]
        split = order.splits[depth]
        old: Task | None = task
        while old is not None and not (old.step == split.step and len(old.splits) == depth):
            old = self._by_id.get(old.parents[0]) if old.parents else None
        before = None if old is None else self._old(old.id).get(split.variable)
        given = self._current.artifacts.get(frame.task, {}).get(split.variable)
        return given, before

    def _inputs(self, artifacts: _Artifacts) -> _Artifacts:
        """Without parameters and constants, which a task has of its run."""
        assert self._past is not None
        readonly = self._past.readonly
        return {name: one for name, one in artifacts.items() if name not in readonly}

    def _old(self, task: int) -> _Artifacts:
        return {artifact.name: artifact for artifact in self._by_id[task].artifacts}

    def _places(self) -> dict[_Place, Iterator[Task]]:
        """The tasks that succeeded, by place, in the order in which they ran."""
        if self._tasks is None:
            self._tasks = self._read()
        return self._tasks

    def _read(self) -> dict[_Place, Iterator[Task]]:
        found: dict[_Place, list[Task]] = defaultdict(list)
        newest: dict[int, TaskRef] = {}
        for ref in self._view.refs:
            if ref.id not in newest or newest[ref.id].attempt <= ref.attempt:
                newest[ref.id] = ref
        for number in sorted(newest):
            task = self._by_id[number] = self._view.repository.task(newest[number])
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


class Earlier:
    """The finished work of several runs: each task is taken from the first that has it."""

    def __init__(self, origins: Iterable[Callable[[], Origin]]) -> None:
        """`origins`: made when they are first asked; they share what they know of the new run.

        One whose records are damaged is not asked again.
        """
        self._origins: list[Callable[[], Origin]] = [cache(make) for make in origins]

    def clone(self, order: Order) -> Clone | None:
        """As `Origin.clone`."""
        for make in list(self._origins):
            try:
                clone = make().clone(order)
            except (CorruptError, NotFoundError):
                self._origins.remove(make)
                continue
            if clone is not None:
                return clone
        return None

    def ran(self, task: Task) -> None:
        """As `Origin.ran`."""
        for make in list(self._origins):
            try:
                make().ran(task)
            except (CorruptError, NotFoundError):
                self._origins.remove(make)


def _same(new: Artifact | None, old: Artifact | None) -> bool:
    if new is None or old is None:
        return new is old
    return new.id == old.id and new.serializer == old.serializer


def _shape(node: GraphNode) -> tuple[str, tuple[str, ...], bool]:
    return node.kind, node.next, node.is_join


def after(graph: Graph, steps: Sequence[str] | set[str]) -> set[str]:
    """`steps` and all that can come after them."""
    found, todo = set(steps), list(steps)
    while todo:
        for following in graph[todo.pop()].next:
            if following not in found:
                found.add(following)
                todo.append(following)
    return found
