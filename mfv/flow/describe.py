"""A flow's graph as plain data and as text for Graphviz, in the words that Metaflow has for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mfv.flow.graph import Graph, Node
from mfv.flow.parameters import Parameter
from mfv.flow.source import Kind

_TYPES = {
    Kind.SPLIT: "split-static",
    Kind.FOREACH: "split-foreach",
    Kind.PARALLEL: "split-parallel",
    Kind.SWITCH: "split-switch",
}
# A name in the graph's structure, or the branches that are open there, each a structure itself.
Structure = list[Any]


def graph_info(
    graph: Graph, parameters: Mapping[str, Parameter], constants: Mapping[str, object]
) -> dict[str, Any]:
    """The whole flow: `current.graph`."""
    steps, structure = steps_of_graph(graph)
    return {
        "file": os.path.basename(graph.file),
        "start_step": graph.start,
        "end_step": graph.end,
        "parameters": [
            {"name": parameter.attribute, "type": type(parameter).__name__}
            for parameter in parameters.values()
        ],
        "constants": [
            {"name": name, "type": type(value).__name__} for name, value in constants.items()
        ],
        "steps": steps,
        "graph_structure": structure,
        "doc": graph.doc,
    }


def steps_of_graph(graph: Graph) -> tuple[dict[str, dict[str, Any]], Structure]:
    """Each step by name, and how they are nested: a split is followed by the list of its branches.

    The graph has been checked: every split but a switch has its join.
    """
    joins = {node.closes: node.name for node in graph if node.closes is not None}
    steps = {node.name: _step(graph, node, joins) for node in graph}
    if graph.start == graph.end:
        return steps, [graph.end]
    return steps, [*_block(graph, joins, graph.start, graph.end, frozenset()), graph.end]


def dot(graph: Graph) -> str:
    """The graph in the language of Graphviz."""
    nodes, edges = [], []
    for node in graph.nodes.values():
        shape, below = "record", "join" if node.is_join else _type(graph, node)
        label = f'<b>{node.name}</b> | <font point-size="10">{below}</font>'
        if node.kind is Kind.SWITCH:
            shape = "hexagon"
            text = f"switch: {node.condition}"
            label = f'<b>{node.name}</b><br/><font point-size="9">{text}</font>'
        nodes.append(f'"{node.name}" [label=<{label}> fontname="Helvetica" shape="{shape}"];')
        if node.kind is Kind.SWITCH:
            edges += [f"{node.name} -> {step} [label={_quoted(v)}];" for v, step in node.cases]
        else:
            edges += [f"{node.name} -> {step};" for step in node.next]
    return "\n".join([f"digraph {graph.flow} {{", *nodes, *edges, "}"])


def _step(graph: Graph, node: Node, joins: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": node.name,
        "type": _type(graph, node),
        "line": node.line,
        "source_file": node.file,
        "doc": node.doc,
        "next": list(node.next),
    }
    if node.kind is Kind.FOREACH:
        found["foreach_artifact"] = node.foreach
    elif node.kind is Kind.SWITCH:
        found |= {"condition": node.condition, "switch_cases": dict(node.cases)}
    if node.name in joins:
        found["matching_join"] = joins[node.name]
    return found


def _type(graph: Graph, node: Node) -> str:
    if node.name == graph.end:
        return "end"
    if node.kind in _TYPES:
        return _TYPES[node.kind]
    if node.is_join:
        return "join"
    return "start" if node.name == graph.start else "linear"


def _block(
    graph: Graph, joins: Mapping[str, str], name: str, stop: str, above: frozenset[str]
) -> Structure:
    """The steps from `name` to before `stop`; a switch that leads back ends where it leads back."""
    found: Structure = []
    seen = set(above)
    while name != stop and name not in seen:
        node = graph[name]
        seen.add(name)
        found.append(name)
        if node.kind is Kind.SWITCH:
            ways = [step for step in node.next if step != name]
            found.append([_block(graph, joins, step, stop, frozenset(seen)) for step in ways])
            break
        if node.kind in _TYPES:
            after = joins[name]
            found.append([_block(graph, joins, step, after, frozenset(seen)) for step in node.next])
            name = after
        elif node.next:
            name = node.next[0]
        else:
            break
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
