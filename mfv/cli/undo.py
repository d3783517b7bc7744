"""`mfv undo`"""

from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK


def command(
    number: Annotated[
        int | None, argument("The operation, as `mfv op log` numbers it.", "[NUMBER]")
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Take back the newest change of tags, notes or the trash, or an earlier one.

    Taking back is an operation too: `mfv undo` twice leaves things as they were. Only what is
    still as the operation left it is changed. What a gc has swept stays gone.

    Examples: mfv undo · mfv undo 412
    """
    from mfv.render.text import escape
    from mfv.repo.operations import undo, words

    entry, new = undo(repository(), number)
    if json:
        from mfv.render.json import document

        facts = {"undone": entry.number, "what": words(entry)}
        print(document({**facts, "number": new.number, "did": words(new)}))
    else:
        print(f"took back {entry.number}, which {escape(words(entry))}: {escape(words(new))}")
    return EXIT_OK
