"""Which tasks a run needs next: pure, so that every graph shape can be tested without a process."""

from __future__ import annotations

from mfv.flow.graph import Graph
from mfv.flow.order import NUM_PARALLEL, Frame, Gang, Order, Transition
from mfv.flow.source import Kind
from mfv.manifest.records import TaskRef


class Plan:
    """The tasks of one run, from `start` on. Task ids are dense and begin with 1."""

    def __init__(self, graph: Graph, run: int) -> None:
        self._graph, self._run = graph, run
        self._last_id = 0
        self._waiting: dict[tuple[str, int, tuple[tuple[int, int], ...]], dict[int, TaskRef]] = {}

    def start(self) -> Order:
        """The first task."""
        return self._order(self._graph.start, (), ())

    def finished(self, order: Order, ref: TaskRef, transition: Transition) -> list[Order]:
        """The tasks that can run now that the one of `order` is durable as `ref`."""
        kind = self._graph[order.step].kind
        if kind is Kind.FOREACH:
            (step,) = transition.next
            return [
                self._next(step, ref, (*order.frames, self._item(order, ref, transition, index)))
                for index in range(transition.total)
            ]
        if kind is Kind.PARALLEL:
            return self._gang(order, ref, transition)
        if kind is Kind.SPLIT:
            total = len(transition.next)
            frames = (
                Frame(order.step, order.id, index, total, None, "", None) for index in range(total)
            )
            orders = (
                self._arrive(step, ref, (*order.frames, frame))
                for step, frame in zip(transition.next, frames, strict=True)
            )
            return [order for order in orders if order is not None]
        # Linear, or a switch: the one that it chose, which may be a step that has run before.
        ready = (self._arrive(step, ref, order.frames) for step in transition.next)
        return [order for order in ready if order is not None]

    def _gang(self, order: Order, ref: TaskRef, transition: Transition) -> list[Order]:
        (step,) = transition.next
        total, control = transition.total, str(self._last_id + 1)
        return [
            self._order(
                step,
                (ref,),
                (
                    *order.frames,
                    Frame(order.step, order.id, index, total, NUM_PARALLEL, str(index), None),
                ),
                Gang(total, index, control),
            )
            for index in range(total)
        ]

    def _arrive(self, step: str, ref: TaskRef, frames: tuple[Frame, ...]) -> Order | None:
        """The task of `step`, unless it is a join that waits for more."""
        if not self._graph[step].is_join:
            return self._next(step, ref, frames)
        *outer, last = frames
        key = (step, last.task, tuple((frame.task, frame.index) for frame in outer))
        arrived = self._waiting.setdefault(key, {})
        arrived[last.index] = ref
        if len(arrived) < last.total:
            return None
        del self._waiting[key]
        parents = tuple(arrived[index] for index in sorted(arrived))
        return self._order(step, parents, tuple(outer))

    def _next(self, step: str, ref: TaskRef, frames: tuple[Frame, ...]) -> Order:
        return self._order(step, (ref,), frames)

    def _item(self, order: Order, ref: TaskRef, transition: Transition, index: int) -> Frame:
        value = transition.values[index] if index < len(transition.values) else ""
        item = transition.items[index] if index < len(transition.items) else b""
        total, variable = transition.total, transition.variable
        return Frame(order.step, order.id, index, total, variable, value, ref, item)

    def _order(
        self,
        step: str,
        parents: tuple[TaskRef, ...],
        frames: tuple[Frame, ...],
        gang: Gang | None = None,
    ) -> Order:
        self._last_id += 1
        return Order(self._run, self._last_id, step, parents, frames, gang=gang)
