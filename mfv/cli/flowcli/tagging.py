"""What the commands `tag …` of a flow have in common: the run they mean, and how tags are shown."""

from collections.abc import Iterable, Mapping

from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.target import choose_repository, find_run
from mfv.client import (
    Flow,
    MetaflowNamespaceMismatch,
    MetaflowNotFound,
    Run,
    default_namespace,
    namespace,
)
from mfv.errors import NotFoundError, UsageError
from mfv.render.text import escape

_HEAD = ["System tags and *tags*; only *tags* can be modified", "-" * 56, ""]
_WIDTH = 120  # columns
_GAP = 4


def run_to_tag(call: Call, run_id: str | None, within: str | None) -> Run:
    """The run that --run-id names; it is to be in the namespace, by default one's own."""
    flow = call.flow.__name__
    choose_repository(call)
    chosen = default_namespace() if within is None else namespace(within or None)
    if run_id is None:
        try:
            latest = Flow(flow).latest_run
        except (MetaflowNotFound, MetaflowNamespaceMismatch):
            latest = None
        hint = f"--run-id {latest.id} is the latest run" if latest else "run the flow first"
        raise UsageError("--run-id must say which run", hint=hint)
    found = find_run(call, run_id)
    namespace(chosen)
    if not found.is_in_namespace():
        raise NotFoundError(
            f"{found.pathspec} is not in the namespace {chosen!r}",
            hint='--namespace "" is for the runs of everybody',
        )
    return found


def show_changed(call: Call, run: Run) -> None:
    """The tags that a run bears after a change."""
    if not call.quiet:
        print("Operation successful. New tags:\n")
    show_tags(call, {run.pathspec: (run.system_tags, run.user_tags)})


def show_tags(
    call: Call, groups: Mapping[str, tuple[Iterable[str], Iterable[str]]], *, heads: bool = False
) -> None:
    """Prints the system's and the user's tags of each group of runs; `heads` names the groups.

    Quiet, a group is one line: `runs ; system tags ; tags`.
    """
    if call.quiet:
        for group, (system, user) in groups.items():
            print(" ; ".join([group, ",".join(sorted(system)), ",".join(sorted(user))]))
        return
    print("\n".join(_HEAD))
    for group, (system, user) in groups.items():
        if heads:
            print(f"For run {group}")
        print("\n".join([*_columns([*system, *(f"*{tag}*" for tag in user)]), ""]))


def show_runs(call: Call, groups: Mapping[tuple[str, bool], list[str]]) -> None:
    """Prints the runs of each tag; a group is a tag, and whether it is the system's."""
    if call.quiet:
        for (tag, is_system), runs in groups.items():
            print(f"{'system' if is_system else 'user'}:{tag} ; {','.join(runs)}")
        return
    print("\n".join(_HEAD))
    for (tag, is_system), runs in groups.items():
        print(f"For tag {tag if is_system else f'*{tag}*'}")
        print("\n".join([*_columns(runs), ""]))


def _columns(words: Iterable[str]) -> list[str]:
    """The words in order, column by column, in as many columns as fit."""
    ordered = sorted(map(escape, words), key=lambda word: word.strip("*"))
    widest = max(map(len, ordered), default=0)
    across = max(1, (_WIDTH + _GAP) // (widest + _GAP))
    down = -(-len(ordered) // across)
    rows = [ordered[row::down] for row in range(down)]
    return [(" " * _GAP).join(word.ljust(widest) for word in row).rstrip() for row in rows]
