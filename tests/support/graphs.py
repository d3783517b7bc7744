"""Graphs of runs made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mfv.lineage.steps import RunGraph, graph_of
from mfv.manifest.records import GraphNode, Task

SECOND = 1_000_000  # µs


def node(name: str, *following: str, kind: str = "", join: bool = False) -> GraphNode:
    """A step; its kind as its successors tell, unless one is given."""
    known = kind or ("end" if not following else "linear" if len(following) == 1 else "split")
    return GraphNode(name, known, following, join, 1, "")


def task(step: str, id: int, *following: str, status: Any = "ok", **facts: Any) -> Task:
    """A task that took a second, and led to `following`."""
    times = {"started": id * SECOND, "ended": (id + 1) * SECOND}
    return Task("F", 1, step, id, status, **{**times, **facts}, next=following)


def graph(nodes: Sequence[GraphNode], tasks: Sequence[Task] = (), status: str = "ok") -> RunGraph:
    return graph_of("F/1", nodes, tasks, status=status, seconds=1.5)


DIAMOND = [
    node("start", "left", "right"),
    node("left", "join"),
    node("right", "join"),
    node("join", "end", join=True),
    node("end"),
]
DIAMOND_RAN = [
    task("start", 1, "left", "right"),
    task("left", 2, "join"),
    task("right", 3, "join"),
    task("join", 4, "end"),
    task("end", 5),
]
LOOP = [
    node("start", "body"),
    node("body", "check"),
    node("check", "body", "end", "other", kind="switch"),
    node("other", "end"),
    node("end"),
]
