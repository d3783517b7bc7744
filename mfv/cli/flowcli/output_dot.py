"""`python flow.py output-dot`"""

import sys

from mfv.cli.flowcli.call import Call
from mfv.errors import EXIT_OK
from mfv.flow.describe import dot
from mfv.flow.graph import read_graph
from mfv.flow.lint import check


def command(call: Call) -> int:
    """Print the graph for Graphviz: `… output-dot | dot -Tpng -o graph.png` draws it.

    Examples: python flow.py output-dot
    """
    graph = read_graph(call.flow)
    check(graph)
    if not call.quiet:
        print("`| dot -Tpng -o graph.png` makes a picture of it", file=sys.stderr)
    print(dot(graph))
    return EXIT_OK
