"""`mfv note`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError
from mfv.history.history import History
from mfv.render.text import escape
from mfv.repo.repository import note
from mfv.repo.revision import resolve


def command(
    run: Annotated[str, argument("The run; the newest by default.", "[RUN]")] = "@",
    message: Annotated[
        str | None, option("-m", "--message", help="What to say; - reads stdin.", metavar="TEXT")
    ] = None,
    add: Annotated[bool, option("-a", "--append", help="Behind what is said already.")] = False,
    delete: Annotated[bool, option("-d", "--delete", help="Say nothing any more.")] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Say something of a run, or print what is said of it.

    A note never changes the run. `mfv show` prints it, `mfv log --json` and the client have it.

    Examples: mfv note 42 · mfv note 42 -m "the one in the paper" · mfv note 42 -a -m "rerun in May"
    · mfv note -d 42
    """
    if delete and message is not None:
        raise UsageError("a note is said or deleted, not both")
    if add and message is None:
        raise UsageError("append what?", hint="mfv note RUN -a -m TEXT")
    repo = repository()
    chosen = resolve(History(repo).names, run)
    text = chosen.note
    if message is not None or delete:
        said = "" if delete else sys.stdin.read() if message == "-" else message or ""
        text = f"{text}\n{said}" if add and text else said
        note(repo, chosen, text)
    if json:
        from mfv.render.json import document

        print(document({"run": chosen.name, "note": text or None}))
    elif message is None and not delete:
        print(escape(text, keep="\n") if text else f"nothing is said of {escape(chosen.name)}")
    else:
        print(f"{'noted on' if text else 'took the note off'} {escape(chosen.name)}")
    return EXIT_OK
