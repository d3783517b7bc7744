"""`mfv graph`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError, did_you_mean
from mfv.history.find import find_run

_FORMATS = ("text", "dot", "svg", "json")


def command(
    run: Annotated[str, argument("The run.", "RUN")] = "@",
    format: Annotated[
        str, option("--format", help=f"One of {', '.join(_FORMATS)}.", metavar="FORMAT")
    ] = "text",
    json: Annotated[bool, option("--json", help="The same as --format json.")] = False,
) -> int:
    """Draw the steps of a run: how many tasks each had, how long, and where it failed.

    Without RUN the newest. Each step with its state (o ok, x failed, = reused from an earlier run,
    @ running, ! unfinished, - skipped, . not reached), what its foreach went over, which ways a
    switch took, and what it read from other runs. A step stands below those that lead to it.

    Examples: mfv graph · mfv graph prod · mfv graph 42 --format svg > run.svg
    """
    from mfv.trace import run_graph

    if format not in _FORMATS:
        hint = did_you_mean(format, _FORMATS) or f"it is {', '.join(_FORMATS)}"
        raise UsageError(f"there is no format {format!r}", hint=hint)
    graph = run_graph(find_run(repository(), run))
    if json or format == "json":
        from mfv.render.graph.data import graph_json
        from mfv.render.json import document

        print(document(graph_json(graph)))
    elif format == "dot":
        from mfv.render.graph.dot import graph_dot

        print(graph_dot(graph))
    elif format == "svg":
        from mfv.render.graph.svg import graph_svg

        print(graph_svg(graph))
    else:
        from mfv.cli.main import settings
        from mfv.render.graph.text import graph_text
        from mfv.render.terminal import Paint, coloured, page, width

        text = graph_text(graph, width=width(), paint=Paint(coloured(sys.stdout)))
        page(text, pager=settings.pager)
    return EXIT_OK
