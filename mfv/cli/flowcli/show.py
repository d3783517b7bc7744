"""`python flow.py show`"""

import sys

from mfv.cli.flowcli.call import Call
from mfv.errors import EXIT_OK
from mfv.flow.decorators.base import decorators_of
from mfv.flow.graph import Node, read_graph
from mfv.flow.source import Kind
from mfv.render.terminal import Paint, coloured


def command(call: Call) -> int:
    """Show the steps, their decorators, what they say of themselves, and where they lead.

    Examples: python flow.py show
    """
    paint = Paint(coloured(sys.stdout))
    graph = read_graph(call.flow)
    blocks = [graph.doc] if graph.doc else []
    for node in graph:
        lines = [f"Step {paint(node.name, 'bold')}"]
        lines += [
            f"    {paint(repr(worn), 'cyan')}" for worn in decorators_of(call.flow, node.name)
        ]
        lines += [f"    {line}".rstrip() for line in (node.doc.strip() or "?").splitlines()]
        lines += [f"    {paint('=>', 'cyan')} {way}" for way in _ways(node)]
        blocks.append("\n".join(lines))
    print("\n\n".join(blocks))
    return EXIT_OK


def _ways(node: Node) -> list[str]:
    """Where a step leads, a line for each case of a switch."""
    if node.kind is Kind.SWITCH:
        return [f"{step} if {node.condition} is {case}" for case, step in node.cases]
    if not node.next:
        return []
    steps = ", ".join(node.next)
    if node.kind is Kind.FOREACH:
        return [f"{steps} for each of {node.foreach}"]
    return [f"{steps}, several at once" if node.kind is Kind.PARALLEL else steps]
