"""`mfv log`"""

import sys
from collections.abc import Sequence
from typing import Annotated

from mfv.cli import main
from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_CORRUPT, EXIT_OK, UsageError
from mfv.history.history import History
from mfv.render.lanes import Drawn, lanes
from mfv.render.terminal import Paint, coloured, page, width
from mfv.repo.view import RunView

_SHOWN = 30  # runs, where nobody said how many
_STATES = "open, ok, failed, interrupted, crashed"


def command(
    flow: Annotated[str | None, argument("Only runs of this flow.", "FLOW")] = None,
    number: Annotated[
        int | None, option("-n", "--number", help="At most so many runs; 0 for all.", metavar="N")
    ] = None,
    where: Annotated[
        str | None,
        option("-w", "--where", help="Only runs for which this is true.", metavar="QUERY"),
    ] = None,
    tag: Annotated[
        str | None, option("--tag", help="Only runs with this tag.", metavar="TAG")
    ] = None,
    status: Annotated[str | None, option("--status", help=f"Only runs that are {_STATES}.")] = None,
    since: Annotated[
        str | None,
        option("--since", help="Only runs begun since: 2w, today, 2026-11-01.", metavar="TIME"),
    ] = None,
    until: Annotated[
        str | None, option("--until", help="Only runs begun until then.", metavar="TIME")
    ] = None,
    sort: Annotated[
        str | None,
        option("--sort", help="By fields; with a dash, largest first.", metavar="[-]FIELD,..."),
    ] = None,
    reverse: Annotated[bool, option("--reverse", help="The listed runs in reverse.")] = False,
    columns: Annotated[
        str | None, option("--columns", help="A table of these fields.", metavar="FIELD,...")
    ] = None,
    group_by: Annotated[
        str | None,
        option("--group-by", help="One line for all runs alike in these.", metavar="FIELD,..."),
    ] = None,
    oneline: Annotated[bool, option("--oneline", help="One short line a run.")] = False,
    stat: Annotated[
        bool, option("--stat", help="Also what each changed against the run before it.")
    ] = False,
    graph: Annotated[
        bool, option("--graph", help="Draw lines to the runs that each builds on.")
    ] = False,
    spark: Annotated[
        str | None, option("--spark", help="First draw this number over them.", metavar="METRIC")
    ] = None,
    format: Annotated[
        str | None,
        option("--format", help="A line a run: '{name} {params.lr:>8}'.", metavar="TEMPLATE"),
    ] = None,
    trash: Annotated[bool, option("--trash", help="The runs that are in the trash.")] = False,
    compare: Annotated[
        bool, option("--compare", help="They beside each other: only what differs.")
    ] = False,
    follow: Annotated[
        bool, option("-f", "--follow", help="Go on, and tell of runs that begin and end.")
    ] = False,
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

    A query compares fields with = != < <= > >=, with ~ a pattern, with `in (a, b)` several values,
    joined by and, or, not and parentheses. params.NAME, metrics.NAME, constants.NAME, or NAME
    alone, are what the runs were given and made.

    Every run has flow, number, name, id, status, started, ended, duration, user, host, commit,
    branch, failed_step and failure. tag:GLOB, step:GLOB, flow:GLOB, user:GLOB match names;
    code:GLOB is true where such a file changed, package:numpy<2 where that is installed.

    With --lineage a tree instead: the runs that RUN was resumed or cloned from, whose results it
    reused, or whose artifacts its steps read through the client, and those behind them.

    Examples: mfv log · mfv log TrainFlow -n 5 · mfv log --where "lr < 0.01 and accuracy >= 0.9" ·
    mfv log --since 2w --sort -accuracy --columns name,lr,accuracy · mfv log --group-by lr ·
    mfv log --stat · mfv log --tag prod --json · mfv log --lineage 42
    """
    if lineage is not None:
        others = (flow, number, where, tag, status, since, until, sort, columns, group_by, spark)
        if any(one is not None for one in (*others, format)) or follow or stat or graph:
            raise UsageError("--lineage follows one run, and takes no filter beside it")
        from mfv.cli.lineage import print_lineage

        return print_lineage(lineage, both=descendants, json=json)
    if descendants:
        raise UsageError("--descendants wants --lineage RUN")
    _refuse_two(columns, group_by, format, oneline=oneline, stat=stat, graph=graph)
    if compare and (columns or group_by or format or oneline or stat or graph or spark or follow):
        raise UsageError("--compare is a form of its own", hint="leave out the other one")
    history = History(repository())
    asked, keys = None, []
    if any(one is not None for one in (flow, tag, status, where, since, until, sort)):
        from mfv.history import asking

        asked = asking.expression(
            history, flow=flow, tag=tag, status=status, where=where, since=since, until=until
        )
        keys = asking.sort_keys(history, sort) if sort is not None else []
    many = json or format is not None or group_by is not None
    limit = number if number is not None else (0 if many else _SHOWN)
    if limit < 0:
        raise UsageError("-n wants 0 or more")
    chosen = history.select(asked, keys, limit or None, trash=trash)
    runs = chosen.runs[::-1] if reverse or follow else chosen.runs
    if compare:
        return _print_compared(runs, json)
    if group_by is not None:
        _print_groups(history, runs, group_by, json)
    elif columns is not None or format is not None:
        _print_fields(history, runs, columns, format, json)
    elif json:
        _print_json(runs)
    elif runs:
        _print_text(history, runs, spark, oneline=oneline, stat=stat, graph=graph, live=follow)
    elif not follow:
        any_at_all = asked is not None or trash
        print("no runs" if any_at_all else "no runs yet: `mfv run FLOW.py` makes one")
    if number is None and limit and (left := chosen.count_left()):
        print(f"and {left} earlier (`mfv log -n 0` lists all)", file=sys.stderr)
    judged = _judge(history, chosen.runs)
    if follow:
        from mfv.cli.following import follow_log

        follow_log(history, asked, runs, json=json)
    return judged


def _refuse_two(
    columns: str | None,
    group_by: str | None,
    format: str | None,
    *,
    oneline: bool,
    stat: bool,
    graph: bool,
) -> None:
    """One form is printed; raises UsageError where two are wanted."""
    forms = {"--columns": columns, "--group-by": group_by, "--format": format}
    given = [name for name, value in forms.items() if value is not None]
    given += ["--oneline"] * oneline
    if (
        len(given) > 1
        or (given and (stat or graph) and given != ["--oneline"])
        or (oneline and stat)
    ):
        given += ["--stat"] * stat + ["--graph"] * graph
        raise UsageError(f"{' and '.join(given[:2])} are two ways to print runs: choose one")


def _print_json(runs: Sequence[RunView]) -> None:
    from mfv.render.json import line
    from mfv.render.runs import run_json

    for run in runs:
        print(line(run_json(run)))


def _print_fields(
    history: History, runs: Sequence[RunView], columns: str | None, format: str | None, json: bool
) -> None:
    from mfv.history import asking
    from mfv.render.fields import Template, fields_text, row_json
    from mfv.render.json import line

    template = None if format is None else Template(format)
    names = ",".join(template.names) if template else columns
    fields = asking.fields(history, names) if names else []
    rows = [[history.facts_of(run).value(field) for field in fields] for run in runs]
    if json:
        for run, row in zip(runs, rows, strict=True):
            print(line(row_json(run.name, fields, row)))
    elif template is not None:
        kinds = [field.kind for field in fields]
        for row in rows:
            print(template.line(list(zip(row, kinds, strict=True))))
    elif rows:
        paint = Paint(coloured(sys.stdout))
        page(fields_text(fields, rows, width=width(), paint=paint), pager=main.settings.pager)
    else:
        print("no runs")


def _print_compared(runs: Sequence[RunView], json: bool) -> int:
    from mfv.comparemany import compare_many
    from mfv.render.json import document
    from mfv.render.many import many_json, many_text
    from mfv.render.runs import parameter_text

    diff = compare_many(runs, parameter_text)
    if json:
        print(document(many_json(diff)))
    else:
        text = many_text(diff, width=width(), paint=Paint(coloured(sys.stdout)))
        page(text, pager=main.settings.pager)
    return EXIT_OK


def _print_groups(history: History, runs: Sequence[RunView], names: str, json: bool) -> None:
    from mfv.history import asking
    from mfv.history.groups import grouped
    from mfv.render.fields import group_json, groups_text
    from mfv.render.json import line

    fields = asking.fields(history, names)
    groups = grouped([history.facts_of(run) for run in runs], fields)
    if json:
        for group in groups:
            print(line(group_json(fields, group)))
    elif groups:
        paint = Paint(coloured(sys.stdout))
        page(groups_text(fields, groups, width=width(), paint=paint), pager=main.settings.pager)
    else:
        print("no runs")


def _print_text(
    history: History,
    runs: Sequence[RunView],
    spark: str | None,
    *,
    oneline: bool,
    stat: bool,
    graph: bool,
    live: bool,
) -> None:
    from mfv.render.runs import log_blocks, oneline_blocks

    columns, paint = width(), Paint(coloured(sys.stdout))
    drawn = _lanes(runs) if graph else None
    room = columns
    if drawn:
        room = max(40, columns - max(len(one.before) for one in drawn) - 1)
    if oneline:
        blocks = oneline_blocks(runs, width=room)
    else:
        blocks = log_blocks(runs, _before(history, runs), width=room, paint=paint)
    if stat:
        for run, block in zip(runs, blocks, strict=True):
            block += _stat(history, run, room, paint)
    if drawn:
        from mfv.render.lanes import beside

        blocks = beside(drawn, blocks)
    lines = [line for block in blocks for line in block]
    if spark is not None:
        lines = [_spark(history, runs, spark, columns), *lines]
    page("\n".join(lines), pager=main.settings.pager and not live)


def _before(history: History, runs: Sequence[RunView]) -> dict[str, RunView]:
    """For each run's name the run of its flow before it."""
    known = {run.name: run for run in runs}
    found = {}
    for run in runs:
        name = f"{run.flow}/{run.number - 1}"
        past = known.get(name) or history.before(run)
        if past is not None:
            found[run.name] = past
    return found


def _stat(history: History, run: RunView, columns: int, paint: Paint) -> list[str]:
    from mfv.compare import compare
    from mfv.errors import CorruptError
    from mfv.render.runstat import stat_lines

    past = history.before(run)
    try:
        diff = None if past is None else compare(past, run)
    except CorruptError as error:
        return [f"   cannot be compared: {error.message}"]
    return stat_lines(diff, width=columns, paint=paint)


def _lanes(runs: Sequence[RunView]) -> list[Drawn]:
    from mfv.trace import built_on

    parents = {run.name: [] if run.trouble else built_on(run) for run in runs}
    return lanes([run.name for run in runs], parents)


def _spark(history: History, runs: Sequence[RunView], name: str, columns: int) -> str:
    from mfv.history import asking
    from mfv.query.fields import type_of
    from mfv.render.spark import spark_text

    (field,) = asking.fields(history, name)
    values = [(run, history.facts_of(run).value(field)) for run in runs]
    points = [
        (run.state.opened, run.name, float(value))  # type: ignore[arg-type]
        for run, value in values
        if type_of(value) == "number"
    ]
    return spark_text(name, [(run, value) for _, run, value in sorted(points)], width=columns)


def _judge(history: History, runs: Sequence[RunView]) -> int:
    """Damage costs the runs that it touches, never the listing; the exit status tells of it."""
    from mfv.render.text import escape

    damaged = [run.name for run in runs if run.trouble is not None]
    log = history.repository.log
    problems = [*log.damaged.values(), *(f"{name} is damaged" for name in damaged)]
    for problem in problems[:5]:
        print(f"warning: {escape(problem)} (`mfv fsck` says more)", file=sys.stderr)
    return EXIT_CORRUPT if problems else EXIT_OK
