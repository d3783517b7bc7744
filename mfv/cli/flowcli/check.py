"""`python flow.py check`"""

from mfv.capture.user import user_name
from mfv.cli.flowcli.call import Call
from mfv.errors import EXIT_OK
from mfv.flow.decorators.force import put_in_force
from mfv.flow.graph import read_graph
from mfv.flow.lint import check
from mfv.flow.parameters import collect


def command(call: Call) -> int:
    """Check the graph, the parameters and the decorators.

    Examples: python flow.py check
    """
    graph = read_graph(call.flow)
    check(graph)
    put_in_force(call.flow, graph, user_name(), call.typed)
    collect(call.flow)
    if not call.quiet:
        print(f"{graph.flow} is a valid flow of {len(graph)} steps")
    return EXIT_OK
