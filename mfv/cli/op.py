"""`mfv op`"""

from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError, did_you_mean


def command(
    action: Annotated[str, argument("log", "log")] = "log",
    number: Annotated[int, option("-n", "--number", help="The newest so many.", metavar="N")] = 30,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """List what was done to tags, notes and the trash, the newest first.

    `mfv undo NUMBER` takes one back.

    Examples: mfv op log · mfv op log -n 5
    """
    import time

    from mfv.render.text import escape, table
    from mfv.render.units import age
    from mfv.repo.operations import UNDOABLE, operations, words

    if action != "log":
        raise UsageError(f"there is no `mfv op {action}`", hint=did_you_mean(action, ["log"]))
    if number < 1:
        raise UsageError("-n wants 1 or more")
    found = operations(repository(), number)
    if json:
        from mfv.render.json import line

        for one in found:
            facts = {"number": one.number, "time": one.time, "by": one.writer}
            undoable = isinstance(one.body, UNDOABLE)
            print(line({**facts, "what": words(one), "undoable": undoable}))
        return EXIT_OK
    from mfv.render.terminal import width

    rows = [
        (
            str(one.number),
            age(time.time() - one.time / 1e6),
            escape(one.writer),
            escape(words(one)),
        )
        for one in found
    ]
    right = frozenset({0})
    print("\n".join(table(rows, width=width(), right=right, shrink=3)) if rows else "nothing yet")
    return EXIT_OK
