"""`mfv restore`"""

from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError
from mfv.history.history import History
from mfv.render.text import escape
from mfv.repo import trash
from mfv.repo.revision import resolve


def command(
    runs: Annotated[list[str], argument("The runs.", "[RUN]...")] = (),  # type: ignore[assignment]
    all: Annotated[bool, option("--all", help="All that are in the trash, and whole.")] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Bring runs back out of the trash.

    They are as they were, tags and notes too. Of a run that a gc has swept only the record and
    the code are left; it stays in the trash, and `mfv clone` brings its code and parameters back.

    Examples: mfv restore 42 · mfv restore --all
    """
    if bool(runs) == all:
        raise UsageError("which runs?", hint="mfv restore RUN… or mfv restore --all")
    history = History(repository())
    if all:
        chosen = [run.state for run in history.select(trash=True).runs if not run.state.swept]
    else:
        chosen = [resolve(history.names, text) for text in runs]
    back = [run.name for run in trash.restore(history.repository, chosen)]
    if json:
        from mfv.render.json import document

        print(document({"restored": back}))
    elif back:
        print(f"restored {', '.join(map(escape, back))}")
    else:
        print("no such run is in the trash")
    return EXIT_OK
