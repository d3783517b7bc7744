"""The graph of a flow, read from the source of its steps; no step is run for it.

What one `self.next` says is settled here, and refused here where it cannot be read. Whether the
steps fit together is `mfv.flow.lint`'s question: `read_graph` also returns a graph with missing
or unjoined steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import NamedTuple, NoReturn

from mfv.flow.source import (
    Definition,
    Kind,
    Source,
    Transition,
    next_call,
    next_calls,
    transition_of,
)


class Node(NamedTuple):
    """One step, as its source tells it."""

    name: str
    kind: Kind
    next: tuple[str, ...]  # distinct for a switch, as written otherwise; () where none is named
    foreach: str | None  # the attribute that is iterated
    condition: str | None  # the attribute that a switch looks at
    cases: tuple[tuple[str, str], ...]  # of a switch: value as text, step; in order
    num_parallel: bool
    is_join: bool  # takes a second argument
    file: str
    line: int  # of the `def`, 1-based
    next_line: int  # of self.next; 0 where there is none
    doc: str
    previous: tuple[str, ...]  # steps that lead here, in order of definition
    split_path: tuple[str, ...]  # splits open while this step runs, outermost first
    closes: str | None  # the split that a join ends; no longer part of its split_path


class Graph:
    """All steps of one flow. Equal graphs have equal values; nothing in one can be set.

    Iteration gives the nodes with each step before those that it leads to (a step back, through a
    switch, does not count), unreachable ones after the others and the end last.
    """

    __slots__ = ("doc", "end", "file", "flow", "nodes", "order", "start")

    flow: str  # name of the class
    file: str  # "" where the class has none
    doc: str
    nodes: dict[str, Node]  # in order of definition, inherited steps first
    start: str  # name of the first step; "" where there is none
    end: str  # name of the last step; "" where there is none
    order: tuple[str, ...]  # names in order of iteration

    def __init__(
        self, flow: str, file: str, doc: str, nodes: dict[str, Node], start: str, end: str
    ) -> None:
        values = (doc, end, file, flow, nodes, _order(nodes, start, end), start)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Graph cannot be changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Graph cannot be changed: {name}")

    def __reduce__(self) -> tuple[type[Graph], tuple[object, ...]]:
        return Graph, (self.flow, self.file, self.doc, self.nodes, self.start, self.end)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((self.flow, self.file, self.order))

    def __repr__(self) -> str:
        return f"Graph({self.flow}: {', '.join(self.order)})"

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.nodes

    def __iter__(self) -> Iterator[Node]:
        return (self.nodes[name] for name in self.order)

    def __len__(self) -> int:
        return len(self.nodes)


def read_graph(flow_class: type) -> Graph:
    """The graph of `flow_class`: its own and inherited functions with `is_step` set to True.

    FlowError, with file and line, where a step's source cannot be found, or its arguments or its
    self.next cannot be understood. The graph as a whole is unchecked: see `mfv.flow.lint.check`.
    """
    import inspect

    steps = _steps(flow_class)
    parsed: dict[str, dict[tuple[str, int], Definition]] = {}
    sources = {name: Source.of(name, inspect.unwrap(step), parsed) for name, step in steps.items()}
    start = _edge(steps, sources, "start")
    end = _edge(steps, sources, "end")
    if len(steps) == 1:
        # Metaflow lets a lone step be both; one that leads on is still looking for its `end`.
        (name,) = steps
        if not list(next_calls(sources[name])):
            start = end = name
    nodes = {
        name: _node(source, steps[name].__doc__, name == end) for name, source in sources.items()
    }
    return Graph(
        flow=flow_class.__name__,
        file=_file_of(flow_class, sources),
        doc=inspect.cleandoc(flow_class.__doc__ or ""),
        nodes=_placed(nodes, start),
        start=start,
        end=end,
    )


# A way to a step: the splits that are open on it, outermost first, each with the branch taken.
Way = tuple[tuple[str, str], ...]


def arrivals(nodes: Mapping[str, Node], start: str) -> dict[str, list[Way]]:
    """The distinct ways on which each step is reached from `start`; none if it is unreachable.

    In a sound flow a join has one way per branch and every other step has one. Beyond a step, only
    its first way is followed: a second one is an error there already, and following all of them
    doubles at every unjoined split.
    """
    found: dict[str, list[Way]] = {name: [] for name in nodes}
    followed: set[str] = set()
    todo: list[tuple[str, Way]] = [(start, ())]
    while todo:
        name, way = todo.pop()
        if name not in nodes:
            continue
        if way not in found[name]:
            found[name].append(way)
        if name in followed:
            continue
        followed.add(name)
        node = nodes[name]
        if node.is_join:
            way = way[:-1]
        opens = node.kind in (Kind.SPLIT, Kind.FOREACH, Kind.PARALLEL)
        for target in reversed(node.next):
            todo.append((target, (*way, (name, target)) if opens else way))
    return found


def _placed(nodes: dict[str, Node], start: str) -> dict[str, Node]:
    """`nodes` with what follows from the others filled in."""
    previous: dict[str, list[str]] = {name: [] for name in nodes}
    for node in nodes.values():
        for target in dict.fromkeys(node.next):
            if target in previous:
                previous[target].append(node.name)
    ways = arrivals(nodes, start)
    placed = {}
    for name, node in nodes.items():
        path = tuple(split for split, _ in ways[name][0]) if ways[name] else ()
        closes = None
        if node.is_join and path:
            *outer, closes = path
            path = tuple(outer)
        placed[name] = node._replace(previous=tuple(previous[name]), split_path=path, closes=closes)
    return placed


def _order(nodes: Mapping[str, Node], start: str, end: str) -> tuple[str, ...]:
    # Reverse postorder; with a stack of its own, because a flow may have more steps than Python
    # has frames.
    done: list[str] = []
    seen = {start}
    stack = [(start, iter(reversed(nodes[start].next)))] if start in nodes else []
    while stack:
        name, rest = stack[-1]
        target = next(rest, None)
        if target is None:
            done.append(name)
            stack.pop()
        elif target in nodes and target not in seen:
            seen.add(target)
            stack.append((target, iter(reversed(nodes[target].next))))
    names = [*reversed(done), *(name for name in nodes if name not in seen)]
    if end in nodes:
        # A switch that leads back can put the end before the loop's body.
        names.remove(end)
        names.append(end)
    return tuple(names)


def _steps(flow_class: type) -> dict[str, FunctionType]:
    found: dict[str, FunctionType] = {}
    for cls in reversed(flow_class.__mro__):
        for name, value in vars(cls).items():
            if isinstance(value, FunctionType) and getattr(value, "is_step", None) is True:
                found[name] = value
            else:
                found.pop(name, None)
    return found


def _edge(steps: dict[str, FunctionType], sources: dict[str, Source], edge: str) -> str:
    """The step marked as the `edge` ("start" or "end") of the flow, or of that name, or ""."""
    marked = [name for name, step in steps.items() if getattr(step, f"is_{edge}_step", False)]
    if edge in steps and edge not in marked:
        marked.append(edge)
    if len(marked) > 1:
        listed = " and ".join(f"'{name}'" for name in marked)
        raise sources[marked[1]].wrong(
            f"{listed} both want to be the {edge} of the flow",
            hint=f"mark one step only with @step({edge}=True), or name one step only '{edge}'",
        )
    return marked[0] if marked else ""


def _file_of(flow_class: type, sources: dict[str, Source]) -> str:
    import sys

    own = [source.file for name, source in sources.items() if name in vars(flow_class)]
    module = sys.modules.get(flow_class.__module__)
    return own[0] if own else getattr(module, "__file__", None) or ""


def _node(source: Source, doc: str | None, is_end: bool) -> Node:
    import inspect

    call = next_call(source, is_end)
    transition = Transition(Kind.LINEAR, ()) if call is None else transition_of(source, call)
    return Node(
        name=source.name,
        kind=Kind.END if is_end else transition.kind,
        next=transition.targets,
        foreach=transition.foreach,
        condition=transition.condition,
        cases=transition.cases,
        num_parallel=transition.kind is Kind.PARALLEL,
        is_join=source.is_join,
        file=source.file,
        line=source.tree.lineno,
        next_line=call.lineno if call else 0,
        doc=inspect.cleandoc(doc or ""),
        previous=(),
        split_path=(),
        closes=None,
    )
