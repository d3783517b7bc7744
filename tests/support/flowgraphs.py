"""Graphs made without any source, and the tasks of a plan carried out in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from mfv.flow.graph import Graph, Node
from mfv.flow.order import Order, Transition
from mfv.flow.plan import Plan
from mfv.flow.source import Kind
from mfv.manifest.records import TaskRef


def node(
    name: str,
    *following: str,
    foreach: str | None = None,
    switch: bool = False,
    parallel: bool = False,
    join: bool = False,
) -> Node:
    """One step; its kind follows from what comes after it, unless it is said."""
    kind = Kind.FOREACH if foreach else Kind.SPLIT if len(following) > 1 else Kind.LINEAR
    kind = Kind.SWITCH if switch else Kind.PARALLEL if parallel else kind
    return Node(
        name=name,
        kind=kind if following else Kind.END,
        next=following,
        foreach=foreach,
        condition=None,
        cases=(),
        num_parallel=parallel,
        is_join=join,
        file="",
        line=0,
        next_line=0,
        doc="",
        previous=(),
        split_path=(),
        closes=None,
    )


def graph_of(*nodes: Node) -> Graph:
    return Graph("F", "", "", {one.name: one for one in nodes}, "start", "end")


def ref_of(order: Order) -> TaskRef:
    return TaskRef(order.step, order.id, 0, "ok", 0, 0, bytes(32), bytes(16))


class Played(NamedTuple):
    """A plan that was carried out: its orders in the order in which they were given."""

    orders: list[Order]

    def of(self, step: str) -> list[Order]:
        return [order for order in self.orders if order.step == step]

    def parents(self, step: str) -> list[list[tuple[str, int]]]:
        """For each task of a step, the steps and ids of its parents."""
        return [[(ref.step, ref.id) for ref in order.parents] for order in self.of(step)]


def play(
    graph: Graph, items: Callable[[Order], int], chance: random.Random | None = None
) -> Played:
    """Carries out a plan; tasks end in the order of `chance`, else first come, first served."""
    plan = Plan(graph, run=7)
    waiting = [plan.start()]
    orders = list(waiting)
    while waiting:
        order = waiting.pop(chance.randrange(len(waiting)) if chance else 0)
        step = graph[order.step]
        transition = Transition(step.next)
        if step.kind is Kind.FOREACH:
            total = items(order)
            values = tuple(f"item {index}" for index in range(total))
            transition = Transition(step.next, step.foreach, total, values)
        new = plan.finished(order, ref_of(order), transition)
        orders += new
        waiting += new
    return Played(orders)
