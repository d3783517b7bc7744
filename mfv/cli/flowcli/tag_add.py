"""`python flow.py tag add`"""

from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.tagging import run_to_tag, show_changed
from mfv.errors import EXIT_OK


def command(
    call: Call,
    tags: Annotated[list[str], argument("The tags.", "TAG...")],
    run_id: Annotated[str | None, option("--run-id", help="The run.")] = None,
    namespace: Annotated[
        str | None, option("--namespace", help="Instead of your own; empty for everybody's.")
    ] = None,
) -> int:
    """Put tags on a run: all of them, or none.

    Examples: python flow.py tag add --run-id 42 best
    """
    run = run_to_tag(call, run_id, namespace)
    run.add_tags(tags)
    show_changed(call, run)
    return EXIT_OK
