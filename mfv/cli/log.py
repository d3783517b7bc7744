"""`mfv log`"""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_CORRUPT, EXIT_OK, NotFoundError, UsageError, did_you_mean
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

_SHOWN = 30  # runs, where nobody said how many
_STATES = ("open", "ok", "failed", "interrupted", "crashed")


def command(
    flow: Annotated[str | None, argument("Only runs of this flow.", "FLOW")] = None,
    number: Annotated[
        int | None, option("-n", "--number", help="At most so many runs; 0 for all.", metavar="N")
    ] = None,
    tag: Annotated[
        str | None, option("--tag", help="Only runs with this tag.", metavar="TAG")
    ] = None,
    status: Annotated[
        str | None, option("--status", help=f"Only runs that are {', '.join(_STATES)}.")
    ] = None,
    oneline: Annotated[bool, option("--oneline", help="One short line a run.")] = False,
    lineage: Annotated[
        str | None,
        option("--lineage", help="The runs that RUN took something from.", metavar="RUN"),
    ] = None,
    descendants: Annotated[
        bool, option("--descendants", help="With --lineage, also those that took from it.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """List runs, newest first.

    Each run with its state (o ok, x failed, - interrupted, ! crashed, @ open), id, name, age,
    duration, tags, parameters (and what they were in the run before) and the numbers that its
    last step left. The newest 30 are listed, with --json all.

    With --lineage a tree instead: the runs that RUN was resumed or cloned from, whose results it
    reused, or whose artifacts its steps read through the client, and those behind them.

    Examples: mfv log · mfv log TrainFlow -n 5 · mfv log --tag prod --json · mfv log --lineage 42
    """
    if lineage is not None:
        if flow is not None or tag is not None or status is not None or number is not None:
            raise UsageError("--lineage follows one run, and takes no filter beside it")
        return _lineage(lineage, descendants, json)
    if descendants:
        raise UsageError("--descendants wants --lineage RUN")
    repo = repository()
    runs = _chosen(repo, flow, tag, status)
    limit = number if number is not None else (0 if json else _SHOWN)
    if limit < 0:
        raise UsageError("-n wants 0 or more")
    listed = list(islice(runs, limit)) if limit else list(runs)
    left = sum(1 for _ in runs)
    if json:
        _print_json(listed)
    elif listed:
        _print_text(repo, listed, oneline)
    else:
        print("no runs" if flow or tag or status else "no runs yet: `mfv run FLOW.py` makes one")
    if left and not json and number is None:
        print(f"and {left} earlier (`mfv log -n 0` lists all)", file=sys.stderr)
    return _judge(repo, listed)


def _chosen(
    repo: Repository, flow: str | None, tag: str | None, status: str | None
) -> Iterator[RunView]:
    """The runs asked for, newest first, read as they are listed."""
    state = repo.state
    if flow is not None and flow not in state.runs:
        raise NotFoundError(f"there is no flow {flow!r}", hint=did_you_mean(flow, state.runs))
    if tag is not None and tag not in state.tags():
        raise NotFoundError(f"no run has the tag {tag!r}", hint=did_you_mean(tag, state.tags()))
    if status is not None and status not in _STATES:
        raise UsageError(f"there is no status {status!r}", hint=f"it is {', '.join(_STATES)}")
    views = (
        RunView(repo, run)
        for run in state
        if (flow is None or run.flow == flow) and (tag is None or tag in run.tags)
    )
    return (view for view in views if status is None or view.status == status)


def _lineage(run: str, both: bool, json: bool) -> int:
    """The lineage of one run; damage costs what it touches."""
    from mfv import trace
    from mfv.repo.find import find_run

    view = find_run(repository(), run)
    traced = [trace.ancestors(view), *([trace.descendants(view)] if both else ())]
    if json:
        from mfv.render.json import line
        from mfv.render.lineage import known_json

        for lineage, _ in traced:
            for known in lineage.runs:
                print(line(known_json(lineage, known)))
    else:
        from mfv.cli.main import settings
        from mfv.render.lineage import lineage_text
        from mfv.render.terminal import Paint, coloured, page, width

        paint = Paint(coloured(sys.stdout))
        texts = [lineage_text(lineage, width=width(), paint=paint) for lineage, _ in traced]
        page("\n\n".join(texts), pager=settings.pager)
    damaged = sorted({name for _, names in traced for name in names})
    from mfv.render.text import escape

    for name in damaged[:5]:
        print(f"warning: {escape(name)} is damaged (`mfv fsck` says more)", file=sys.stderr)
    return EXIT_CORRUPT if damaged else EXIT_OK


def _print_json(runs: list[RunView]) -> None:
    from mfv.render.json import line
    from mfv.render.runs import run_json

    for run in runs:
        print(line(run_json(run)))


def _print_text(repo: Repository, runs: list[RunView], oneline: bool) -> None:
    from mfv.cli.main import settings
    from mfv.render.runs import log_text, oneline_text
    from mfv.render.terminal import Paint, coloured, page, width

    if oneline:
        page(oneline_text(runs, width=width()), pager=settings.pager)
        return
    state = repo.log.state
    known = {run.name: run for run in runs}
    earlier: dict[str, RunView] = {}
    for run in runs:
        past = state.find(run.flow, run.number - 1)
        if past is not None:
            earlier[run.name] = known.get(past.name) or RunView(repo, past)
    text = log_text(runs, earlier, width=width(), paint=Paint(coloured(sys.stdout)))
    page(text, pager=settings.pager)


def _judge(repo: Repository, runs: list[RunView]) -> int:
    """Damage costs the runs that it touches, never the listing; the exit status tells of it."""
    damaged = [run.name for run in runs if run.trouble is not None]
    problems = [*repo.log.damaged.values(), *(f"{name} is damaged" for name in damaged)]
    for problem in problems[:5]:
        print(f"warning: {problem} (`mfv fsck` says more)", file=sys.stderr)
    return EXIT_CORRUPT if problems else EXIT_OK
