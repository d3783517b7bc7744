"""`python flow.py show`"""

from mfv.cli.flowcli.call import Call
from mfv.errors import EXIT_OK
from mfv.flow.graph import read_graph


def command(call: Call) -> int:
    """Show the steps."""
    graph = read_graph(call.flow)
    if graph.doc:
        print(f"{graph.doc.strip()}\n")
    for node in graph:
        arrow = f" -> {', '.join(node.next)}" if node.next else ""
        over = f" (foreach {node.foreach})" if node.foreach else ""
        print(f"{'join ' if node.is_join else ''}{node.name}{arrow}{over}")
        if node.doc:
            print(f"    {node.doc.strip().splitlines()[0]}")
    return EXIT_OK
