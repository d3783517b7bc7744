"""`python flow.py output-raw`"""

from typing import Annotated

from mfv.cli.command import option
from mfv.cli.flowcli.call import Call
from mfv.errors import EXIT_OK
from mfv.flow.describe import steps_of_graph
from mfv.flow.graph import Graph, Node, read_graph
from mfv.flow.lint import check


def command(
    call: Call,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Print the graph as mfv sees it.

    Examples: python flow.py output-raw · python flow.py output-raw --json
    """
    graph = read_graph(call.flow)
    check(graph)
    steps, structure = steps_of_graph(graph)
    if json:
        from mfv.render.json import document

        print(document({"graph": steps, "graph_structure": structure}))
        return EXIT_OK
    for node in graph:
        print("\n".join(_lines(graph, node, steps[node.name]["type"])))
    return EXIT_OK


def _lines(graph: Graph, node: Node, kind: str) -> list[str]:
    joins = [other.name for other in graph if other.closes == node.name]
    facts = {
        "in_funcs": _list(node.previous),
        "out_funcs": _list(node.next),
        "split_parents": _list(node.split_path),
        "matching_join": _list(joins),
        "foreach": node.foreach or "",
        "condition": node.condition or "",
    }
    where = f"{node.file} line {node.line}"
    return [f"[{node.name} {kind} ({where})]", *(f"    {k}={v}" for k, v in facts.items())]


def _list(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"[{name}]" for name in names)
