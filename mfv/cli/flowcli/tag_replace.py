"""`python flow.py tag replace`"""

from typing import Annotated

from mfv.cli.command import option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.tagging import run_to_tag, show_changed
from mfv.errors import EXIT_OK, UsageError


def command(
    call: Call,
    run_id: Annotated[str | None, option("--run-id", help="The run.")] = None,
    namespace: Annotated[
        str | None, option("--namespace", help="Instead of your own; empty for everybody's.")
    ] = None,
    add: Annotated[list[str], option("--add", help="Put this tag on; can be given again.")] = (),  # type: ignore[assignment]
    remove: Annotated[
        list[str], option("--remove", help="Take this tag off; can be given again.")
    ] = (),  # type: ignore[assignment]
) -> int:
    """Take tags off a run and put others on: all of it, or nothing.

    Examples: python flow.py tag replace --run-id 42 --remove trial --add best
    """
    if not add or not remove:
        what = "add" if not add else "remove"
        other = "remove" if not add else "add"
        raise UsageError(f"no tag to {what}", hint=f"give --{what} TAG, or use `tag {other}`")
    run = run_to_tag(call, run_id, namespace)
    run.replace_tags(remove, add)
    show_changed(call, run)
    return EXIT_OK
