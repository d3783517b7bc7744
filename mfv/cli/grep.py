"""`mfv grep`"""

import sys
from typing import Annotated

from mfv.cli import main
from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_FAILED, EXIT_OK, UsageError
from mfv.history.history import History
from mfv.render.text import escape
from mfv.repo.revision import resolve
from mfv.repo.view import RunView

_RUNS = 100  # the newest, where nobody said how many


def command(
    pattern: Annotated[str, argument("A regular expression.", "PATTERN")],
    runs: Annotated[list[str], argument("The runs; else the newest.", "[RUN]...")] = (),  # type: ignore[assignment]
    number: Annotated[
        int | None, option("-n", "--number", help="The newest so many; 0 for all.", metavar="N")
    ] = None,
    flow: Annotated[
        str | None, option("--flow", help="Only runs of this flow.", metavar="FLOW")
    ] = None,
    where: Annotated[
        str | None,
        option("-w", "--where", help="Only runs for which this is true.", metavar="QUERY"),
    ] = None,
    ignore_case: Annotated[bool, option("-i", "--ignore-case", help="Case means nothing.")] = False,
    fixed: Annotated[
        bool, option("-F", "--fixed-strings", help="The pattern is text as it stands.")
    ] = False,
    runs_only: Annotated[
        bool, option("-l", "--runs-with-matches", help="Only the names of runs.")
    ] = False,
    counts: Annotated[bool, option("-c", "--count", help="Only how many lines match.")] = False,
    code: Annotated[bool, option("--code", help="Look in the code.")] = False,
    params: Annotated[bool, option("--params", help="Look in parameters and constants.")] = False,
    logs: Annotated[bool, option("--logs", help="Look in what tasks printed.")] = False,
    artifacts: Annotated[bool, option("--artifacts", help="Look in texts that were left.")] = False,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Find a pattern in the code, parameters, logs and texts of runs.

    In all of them, unless some are named; in the newest 100 runs, unless some are asked for. What
    several runs have in common is read once and told once, under the newest that has it. Exits
    with 1 where nothing matches, as grep does.

    Examples: mfv grep learning_rate · mfv grep -F "lr=0.1" --params -l · mfv grep Error --logs
    --where "status = failed" · mfv grep "def fit" 41 42 --code
    """
    from mfv.seek.grep import SECTIONS, compiled, grep

    history = History(repository())
    chosen_sections = [
        name for name, on in zip(SECTIONS, (code, params, logs, artifacts), strict=True) if on
    ]
    wanted = compiled(pattern, fixed=fixed, ignore_case=ignore_case)
    views = _runs(history, list(runs), number, flow, where)
    found = list(grep(views, wanted, chosen_sections or SECTIONS))
    from mfv.render.matches import counts_text, match_json, matches_text, runs_of
    from mfv.render.terminal import Paint, coloured, page

    if json:
        from mfv.render.json import line

        for one in found:
            print(line(match_json(one)))
    elif runs_only:
        for name in runs_of(found):
            print(escape(name))
    elif found:
        paint = Paint(coloured(sys.stdout))
        lines = counts_text(found) if counts else matches_text(found, paint)
        page("\n".join(lines), pager=main.settings.pager)
    return EXIT_OK if found else EXIT_FAILED


def _runs(
    history: History, named: list[str], number: int | None, flow: str | None, where: str | None
) -> list[RunView]:
    if named:
        if number is not None or flow is not None or where is not None:
            raise UsageError("runs are named, or asked for by -n, --flow and --where: not both")
        return [RunView(history.repository, resolve(history.names, text)) for text in named]
    asked = None
    if flow is not None or where is not None:
        from mfv.history import asking

        asked = asking.expression(history, flow=flow, where=where)
    limit = _RUNS if number is None else number
    if limit < 0:
        raise UsageError("-n wants 0 or more")
    return history.select(asked, limit=limit or None).runs
