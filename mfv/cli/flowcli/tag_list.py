"""`python flow.py tag list`"""

from collections.abc import Iterable
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.tagging import show_runs, show_tags
from mfv.cli.flowcli.target import choose_repository, find_run
from mfv.client import Flow, MetaflowNamespaceMismatch, MetaflowNotFound, Run, default_namespace
from mfv.errors import EXIT_OK, NotFoundError, UsageError


def command(
    call: Call,
    run: Annotated[str | None, argument("The run; all by default.", "RUN")] = None,
    run_id: Annotated[str | None, option("--run-id", help="The run.")] = None,
    all: Annotated[bool, option("--all", help="All runs of the flow.")] = False,
    my_runs: Annotated[bool, option("--my-runs", help="Only your own runs.")] = False,
    hide_system_tags: Annotated[
        bool, option("--hide-system-tags", help="Only tags that people put on.")
    ] = False,
    group_by_tag: Annotated[bool, option("--group-by-tag", help="The runs of each tag.")] = False,
    group_by_run: Annotated[bool, option("--group-by-run", help="The tags of each run.")] = False,
    flat: Annotated[bool, option("--flat", help="One tag a line.", hidden=True)] = False,
) -> int:
    """List the tags of a run, or of all runs.

    Examples: python flow.py tag list --run-id 42 · python flow.py tag list --group-by-tag
    """
    _check(run, run_id, all, my_runs, group_by_tag, group_by_run, flat)
    named = run or run_id
    runs = [find_run(call, named)] if named else _runs(call, my_runs)
    if flat:
        print(
            "\n".join(
                sorted(_union(one.user_tags if hide_system_tags else one.tags for one in runs))
            )
        )
    elif group_by_tag:
        groups: dict[tuple[str, bool], list[str]] = {}
        for one in runs:
            for tag in sorted(one.user_tags):
                groups.setdefault((tag, False), []).append(one.pathspec)
            for tag in () if hide_system_tags else sorted(one.system_tags):
                groups.setdefault((tag, True), []).append(one.pathspec)
        show_runs(call, dict(sorted(groups.items())))
    elif group_by_run:
        by_run = {one.pathspec: (_system([one], hide_system_tags), one.user_tags) for one in runs}
        show_tags(call, by_run, heads=len(runs) > 1)
    else:
        names = ",".join(one.pathspec for one in runs)
        user = _union(one.user_tags for one in runs)
        show_tags(call, {names: (_system(runs, hide_system_tags), user)})
    return EXIT_OK


def _check(
    run: str | None,
    run_id: str | None,
    all: bool,
    my_runs: bool,
    group_by_tag: bool,
    group_by_run: bool,
    flat: bool,
) -> None:
    if run is not None and run_id is not None:
        raise UsageError("the run is named twice", hint="give RUN or --run-id, not both")
    if all and my_runs:
        raise UsageError("--all and --my-runs exclude each other")
    if group_by_tag + group_by_run + flat > 1:
        raise UsageError("--group-by-tag, --group-by-run and --flat exclude each other")


def _runs(call: Call, mine: bool) -> list[Run]:
    choose_repository(call)
    if mine:
        default_namespace()
    try:
        return list(Flow(call.flow.__name__))
    except (MetaflowNotFound, MetaflowNamespaceMismatch) as error:
        raise NotFoundError(
            f"{call.flow.__name__} has no run{' of yours' * mine}", hint=error.hint
        ) from None


def _system(runs: Iterable[Run], hidden: bool) -> set[str]:
    return set() if hidden else _union(one.system_tags for one in runs)


def _union(sets: Iterable[Iterable[str]]) -> set[str]:
    return {tag for tags in sets for tag in tags}
