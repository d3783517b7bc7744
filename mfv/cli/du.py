"""`mfv du`"""

import sys
from typing import Annotated

from mfv.cli import main
from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError
from mfv.history.history import History
from mfv.repo.revision import resolve
from mfv.repo.view import RunView

_SHOWN = 30  # names, where nobody said how many


def command(
    runs: Annotated[list[str], argument("The runs; else all.", "[RUN]...")] = (),  # type: ignore[assignment]
    flows: Annotated[bool, option("--flows", help="A line for each flow.")] = False,
    artifacts: Annotated[bool, option("--artifacts", help="A line for each artifact.")] = False,
    where: Annotated[
        str | None,
        option("-w", "--where", help="Only runs for which this is true.", metavar="QUERY"),
    ] = None,
    number: Annotated[
        int | None, option("-n", "--number", help="So many lines; 0 for all.", metavar="N")
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Tell what takes the room: by run, flow or artifact, the largest first.

    Logical is what was saved, each time anew; stored is what that takes on the disk, and unique
    the part of it that no other line leads to: so much would be freed. Below stands the repository
    as a whole, with what no run needs.

    Examples: mfv du · mfv du --flows · mfv du --artifacts · mfv du --where "started < 30d"
    """
    from mfv.render.sizes import sizes_json, sizes_text
    from mfv.render.terminal import Paint, coloured, page, width
    from mfv.seek import sizes

    if flows and artifacts:
        raise UsageError("a line for each flow or for each artifact: not both")
    history = History(repository())
    views = _runs(history, list(runs), where)
    if artifacts:
        found = sizes.by_artifact(views)
    elif flows:
        found = sizes.by_flow(views)
    else:
        found = sorted(sizes.by_run(views), key=lambda size: -size.stored)
    whole = sizes.disk_of(history.repository)
    if json:
        from mfv.render.json import document

        print(document(sizes_json(found, whole)))
        return EXIT_OK
    limit = _SHOWN if number is None else number
    shown = found[: limit or None]
    paint = Paint(coloured(sys.stdout))
    text = sizes_text(shown, len(found) - len(shown), whole, width=width(), paint=paint)
    page(text, pager=main.settings.pager)
    return EXIT_OK


def _runs(history: History, named: list[str], where: str | None) -> list[RunView]:
    if named and where is not None:
        raise UsageError("runs are named, or asked for by --where: not both")
    if named:
        return [RunView(history.repository, resolve(history.names, text)) for text in named]
    if where is None:
        return [RunView(history.repository, state) for state in history.repository.state]
    from mfv.history import asking

    return history.select(asking.expression(history, where=where)).runs
