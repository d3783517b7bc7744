"""Whether the steps of a flow fit together; looks at the graph alone, runs nothing.

The rules are Metaflow's but for two: a switch may lead back to any earlier step and not only to
its own, and two joins cannot share a split, since the tasks of one split would wait in both.
"""

from __future__ import annotations

import re
from typing import NoReturn

from mfv.errors import FlowError, did_you_mean
from mfv.flow.graph import Graph, Node, Way, arrivals
from mfv.flow.source import Kind

# The flow has attributes of these names itself.
RESERVED = frozenset({"name", "next", "input", "index", "cmd"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
_OPENING = (Kind.SPLIT, Kind.FOREACH, Kind.PARALLEL)


def check(graph: Graph) -> None:
    """Nothing if the flow can run from start to end; else FlowError for the first thing wrong.

    The error has the file and line of the step, and a hint what to write instead. What every step
    says by itself comes before how steps fit together, and earlier steps before later ones.
    """
    _check_names(graph)
    _check_edges(graph)
    for node in graph:
        _check_targets(graph, node)
    _check_ends(graph)
    _check_loops(graph)
    _check_reach(graph)
    _check_joins(graph)


def _fail(node: Node, message: str, *, hint: str, at_next: bool = False) -> NoReturn:
    raise FlowError(
        message,
        file=node.file,
        line=node.next_line if at_next and node.next_line else node.line,
        hint=hint,
    )


def _check_names(graph: Graph) -> None:
    for node in graph.nodes.values():
        if node.name in RESERVED:
            _fail(
                node,
                f"no step can be named '{node.name}': every flow has something of that name",
                hint=f"name it otherwise, for instance '{node.name}_step'",
            )
        if not _NAME.fullmatch(node.name):
            plain = re.sub(r"[^a-z0-9_]", "", node.name.lower()).lstrip("_")
            _fail(
                node,
                f"a step cannot be named '{node.name}'",
                hint="use lower-case letters a-z, digits and underscores, and no underscore in "
                "front" + (f": '{plain}'" if plain else ""),
            )


def _check_edges(graph: Graph) -> None:
    if not graph.nodes:
        raise FlowError(
            f"flow '{graph.flow}' has no steps",
            file=graph.file or None,
            hint="put @step above a method `def start(self):` that ends with self.next(self.end), "
            "and above a `def end(self):`",
        )
    first, last = (next(iter(graph.nodes.values())), list(graph.nodes.values())[-1])
    if not graph.start:
        raise FlowError(
            f"flow '{graph.flow}' has no step 'start'",
            file=first.file,
            line=first.line,
            hint=_near_step("start", graph)
            or f"name the step that runs first 'start'; the first one here is '{first.name}'",
        )
    if not graph.end:
        raise FlowError(
            f"flow '{graph.flow}' has no step 'end'",
            file=last.file,
            line=last.line,
            hint=_near_step("end", graph)
            or "add a last step: @step, `def end(self):`, without a self.next",
        )


def _near_step(name: str, graph: Graph) -> str | None:
    """A hint naming the steps whose names are near, or None."""
    return did_you_mean(name, (step for step in graph.nodes if step != name))


def _check_targets(graph: Graph, node: Node) -> None:
    if node.kind is Kind.END:
        return
    if not node.next_line:
        example = f"self.next(self.{graph.end})"
        _fail(
            node,
            f"step '{node.name}' does not say what comes next",
            hint=f"end it with self.next and the step that follows, such as {example}",
        )
    for target in node.next:
        if target not in graph:
            _fail(
                node,
                f"step '{node.name}' leads to '{target}', which is no step",
                hint=_near_step(target, graph)
                or f"add it, or put @step above `def {target}(self):` if it is there",
                at_next=True,
            )
    if node.kind is Kind.SWITCH:
        return
    if node.name in node.next:
        _fail(
            node,
            f"step '{node.name}' leads to itself",
            hint="only a switch can repeat a step: "
            f'self.next({{"again": self.{node.name}, "done": self.{graph.end}}}, '
            'condition="attribute")',
            at_next=True,
        )
    twice = [target for target in node.next if node.next.count(target) > 1]
    if twice:
        _fail(
            node,
            f"step '{node.name}' leads to '{twice[0]}' twice",
            hint="name each branch once; to run one step several times use a foreach: "
            f'self.next(self.{twice[0]}, foreach="items")',
            at_next=True,
        )


def _check_ends(graph: Graph) -> None:
    start, end = graph[graph.start], graph[graph.end]
    if start.previous:
        back = graph[start.previous[0]]
        _fail(
            back,
            f"step '{back.name}' leads back to '{start.name}', which must run once, first",
            hint=f"move what is to be repeated from '{start.name}' into a step after it",
            at_next=True,
        )
    if start.is_join:
        _fail(
            start,
            f"step '{start.name}' takes inputs, but nothing runs before it",
            hint=f"write `def {start.name}(self):`",
        )
    if end.is_join:
        _fail(
            end,
            f"the end step '{end.name}' takes inputs, but the end cannot be a join",
            hint=f"write `def {end.name}(self):` and before it a step `def join(self, inputs):` "
            f"that ends with self.next(self.{end.name})",
        )
    for node in graph:
        if node.is_join and (node.kind in _OPENING or node.kind is Kind.SWITCH):
            _fail(
                node,
                f"step '{node.name}' is both a join (it takes inputs) and a {node.kind}",
                hint=f"let '{node.name}' only join, and lead to a new step that goes on with "
                f"this self.next",
            )


def _check_loops(graph: Graph) -> None:
    """Without the switches, nothing may lead back."""
    waiting = dict.fromkeys(graph.nodes, 0)
    for node in graph:
        if node.kind is not Kind.SWITCH:
            for target in node.next:
                waiting[target] += 1
    free = [name for name, count in waiting.items() if not count]
    while free:
        node = graph[free.pop()]
        del waiting[node.name]
        if node.kind is not Kind.SWITCH:
            for target in node.next:
                waiting[target] -= 1
                if not waiting[target]:
                    free.append(target)
    if not waiting:
        return
    # Every step that is left follows another that is left, or comes after one that does: going
    # back from any of them meets the circle.
    trail = [next(name for name in graph.order if name in waiting)]
    while trail.count(trail[-1]) == 1:
        trail.append(
            next(
                name
                for name in graph[trail[-1]].previous
                if name in waiting and graph[name].kind is not Kind.SWITCH
            )
        )
    loop = trail[trail.index(trail[-1]) :][::-1]
    # Told from the step of it that runs first.
    loop = loop[:-1]
    first = min(range(len(loop)), key=lambda at: graph.order.index(loop[at]))
    loop = loop[first:] + loop[:first]
    last = graph[loop[-1]]
    _fail(
        last,
        f"the steps go in a circle: {' -> '.join([*loop, loop[0]])}",
        hint=f"let '{last.name}' lead on; to repeat until something holds, use a switch: "
        f'self.next({{"again": self.{loop[0]}, "done": self.{graph.end}}}, condition="attribute")',
        at_next=True,
    )


def _check_reach(graph: Graph) -> None:
    reached = _closure(graph, graph.start, forward=True)
    for node in graph:
        if node.name not in reached:
            _fail(
                node,
                f"step '{node.name}' is never reached from '{graph.start}'",
                hint=f"add self.{node.name} to the self.next of the step before it, or remove "
                "the step",
            )
    ending = _closure(graph, graph.end, forward=False)
    for node in graph:
        if node.name not in ending:
            _fail(
                node,
                f"no way leads from step '{node.name}' to '{graph.end}': it would never stop",
                hint="give the switch a case that leads on",
                at_next=True,
            )


def _closure(graph: Graph, name: str, *, forward: bool) -> set[str]:
    seen = {name}
    todo = [name]
    while todo:
        node = graph[todo.pop()]
        for other in node.next if forward else node.previous:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _check_joins(graph: Graph) -> None:
    ways = arrivals(graph.nodes, graph.start)
    joins: dict[str, Node] = {}
    for node in graph:
        here = ways[node.name]
        if node.is_join:
            split = _check_join(graph, node, here)
            if split.name in joins:
                _fail(
                    node,
                    f"{_opened(split)} is joined by '{joins[split.name].name}' and by "
                    f"'{node.name}'",
                    hint="let all cases of the switch between them meet in one step before the "
                    "join",
                )
            joins[split.name] = node
        elif node.kind is Kind.END:
            _check_closed(graph, node, here)
        elif len(here) > 1:
            _fail_meeting(graph, node, here)


def _opened(split: Node) -> str:
    word = {Kind.FOREACH: "foreach", Kind.PARALLEL: "num_parallel"}.get(split.kind, "split")
    return f"the {word} in step '{split.name}'"


def _check_join(graph: Graph, node: Node, ways: list[Way]) -> Node:
    """The split that `node` closes."""
    if any(not way for way in ways):
        _fail(
            node,
            f"step '{node.name}' takes inputs, but no split or foreach is open when it runs",
            hint=f"write `def {node.name}(self):`, or split before it",
        )
    splits = {way[-1][0]: None for way in ways}
    if len(splits) > 1 or len({way[:-1] for way in ways}) > 1:
        listed = ", ".join(f"'{name}'" for name in node.previous)
        _fail(
            node,
            f"step '{node.name}' joins branches of different splits: it is reached from {listed}",
            hint="join the branches of each split by themselves first, inner ones before outer "
            "ones",
        )
    split = graph[next(iter(splits))]
    if split.name in node.previous:
        _fail(
            split,
            f"{_opened(split)} leads straight to the join '{node.name}'",
            hint=f"put a step between them; without work to do it only says "
            f"self.next(self.{node.name})",
            at_next=True,
        )
    for name in node.previous:
        if graph[name].kind is Kind.SWITCH:
            _fail(
                graph[name],
                f"the switch in step '{name}' leads straight to the join '{node.name}'",
                hint=f"put a step between them that only says self.next(self.{node.name})",
                at_next=True,
            )
    taken = {way[-1][1] for way in ways}
    missing = [target for target in split.next if target not in taken]
    if missing:
        listed = " and ".join(f"'{name}'" for name in missing)
        _fail(
            node,
            f"step '{node.name}' joins only some branches of {_opened(split)}: {listed} "
            f"never lead{'s' * (len(missing) == 1)} to it",
            hint=f"let every branch end in self.next(self.{node.name})",
        )
    return split


def _check_closed(graph: Graph, end: Node, ways: list[Way]) -> None:
    for way in ways:
        if not way:
            continue
        split = graph[way[-1][0]]
        before = [graph[name] for name in end.previous]
        # The step that collects is often there and only lacks its inputs.
        collecting = [
            node
            for node in before
            if node.kind is Kind.LINEAR
            and not node.is_join
            and split.name not in node.previous
            and node.split_path[-1:] == (split.name,)
        ]
        if collecting:
            name = collecting[0].name
            hint = f"if '{name}' is to join it, write `def {name}(self, inputs):`"
        else:
            hint = (
                "add a step `def join(self, inputs):` that ends with "
                f"self.next(self.{end.name}), and let every branch lead to it"
            )
        _fail(split, f"{_opened(split)} is never joined before '{end.name}'", hint=hint)


def _fail_meeting(graph: Graph, node: Node, ways: list[Way]) -> NoReturn:
    """A step without inputs is reached with different splits open: say how they differ."""
    one, other = ways[0], ways[1]
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    if at < min(len(one), len(other)) and one[at][0] == other[at][0]:
        split = graph[one[at][0]]
        _fail(
            node,
            f"the branches '{one[at][1]}' and '{other[at][1]}' of {_opened(split)} meet in step "
            f"'{node.name}', which takes no inputs",
            hint=f"make it a join: `def {node.name}(self, inputs):`",
        )
    split = graph[(one[at:] or other[at:])[0][0]]
    _fail(
        node,
        f"step '{node.name}' is reached both from within {_opened(split)} and from outside",
        hint="join the branches in a step `def join(self, inputs):` before they meet the others",
    )
