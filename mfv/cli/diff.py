"""`mfv diff`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_FAILED, EXIT_OK, UsageError
from mfv.history.find import find_run
from mfv.repo.view import RunView


def command(
    runs: Annotated[list[str], argument("The runs: before and after.", "[BEFORE [AFTER]]")] = (),  # type: ignore[assignment]
    stat: Annotated[bool, option("--stat", help="Counts of lines, not the lines.")] = False,
    exit_code: Annotated[
        bool, option("--exit-code", help="Exit with 1 if the runs differ.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Compare two runs: parameters, metrics, code, artifacts, environment, git, steps.

    With one run, it and the run of its flow before it; with none, the newest and the one before.
    Artifacts are compared by what was noted when they were stored; nothing is unpickled.

    Examples: mfv diff 41 42 · mfv diff prod · mfv diff TrainFlow@latest~1 TrainFlow@latest
    """
    from mfv.compare import compare

    before, after = _sides(list(runs))
    diff = compare(before, after)
    if json:
        from mfv.render.diff import diff_json
        from mfv.render.json import document

        print(document(diff_json(diff)))
    else:
        from mfv.cli.main import settings
        from mfv.render.diff import diff_text
        from mfv.render.terminal import Paint, coloured, page, width

        paint = Paint(coloured(sys.stdout))
        page(diff_text(diff, width=width(), paint=paint, stat=stat), pager=settings.pager)
    return EXIT_FAILED if exit_code and diff else EXIT_OK


def _sides(runs: list[str]) -> tuple[RunView, RunView]:
    repo = repository()
    if len(runs) > 2:
        raise UsageError(f"diff compares two runs, not {len(runs)}")
    if len(runs) == 2:
        return find_run(repo, runs[0]), find_run(repo, runs[1])
    after = find_run(repo, runs[0] if runs else "@")
    return find_run(repo, f"{after.name}~1"), after
