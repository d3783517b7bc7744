"""`mfv rev-parse`"""

from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, NotFoundError
from mfv.history.history import History
from mfv.repo.revision import resolve_target


def command(
    revisions: Annotated[list[str], argument("What means a run.", "REV...")],
    id: Annotated[bool, option("--id", help="The run's true name: 64 hex digits.")] = False,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Print the full name of what a revision means.

    A step, task or artifact behind it stays as it was typed. For scripts: fails where it means
    nothing (3) or several runs (4).

    Examples: mfv rev-parse @ · mfv rev-parse prod~2 · mfv rev-parse --id 42
    """
    names = History(repository()).names
    for text in revisions:
        target = resolve_target(names, text)
        run = target.run
        true_name = None if run.run_id is None else str(run.run_id)
        if json:
            from mfv.render.json import line

            path = "/".join(target.path) or None
            print(line({"revision": text, "run": run.name, "id": true_name, "path": path}))
        elif id:
            if true_name is None:
                raise NotFoundError(f"{run.name} is open, and has no true name yet")
            print(true_name)
        else:
            from mfv.render.text import escape

            print(escape("/".join((run.name, *target.path))))
    return EXIT_OK
