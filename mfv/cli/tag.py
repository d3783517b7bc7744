"""`mfv tag`"""

from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, NotFoundError, UsageError, did_you_mean
from mfv.render.text import escape, table
from mfv.repo.names import RunState
from mfv.repo.repository import Repository
from mfv.repo.revision import resolve
from mfv.repo.statenames import StateNames


def command(
    tag: Annotated[str | None, argument("The tag.", "TAG")] = None,
    runs: Annotated[list[str], argument("The runs; the newest by default.", "[RUN]...")] = (),  # type: ignore[assignment]
    delete: Annotated[
        bool, option("-d", "--delete", help="Take the tag off the runs, or off all.")
    ] = False,
    move: Annotated[
        bool, option("-m", "--move", help="Take it off every other run of the same flow.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """List, add, move or remove tags.

    A tag is a label: many runs may bear it, and used as a revision it means the newest of them.
    Tagging never changes a run.

    Examples: mfv tag · mfv tag prod 42 · mfv tag --move prod 43 · mfv tag -d prod
    """
    repo = repository()
    if tag is None:
        if delete or move:
            raise UsageError("which tag?", hint="mfv tag -d TAG [RUN]…")
        _list(repo, json)
        return EXIT_OK
    if delete and move:
        raise UsageError("a tag is deleted or moved, not both")
    state = repo.state
    names = StateNames(state)
    if delete:
        bearers = state.tags().get(tag, [])
        if not bearers:
            known = state.tags()
            raise NotFoundError(f"no run bears the tag {tag!r}", hint=did_you_mean(tag, known))
        chosen = [resolve(names, run) for run in runs] or bearers
        repo.tag(remove=[(run, tag) for run in chosen])
        _say(f"took {tag} off", chosen)
        return EXIT_OK
    chosen = [resolve(names, run) for run in runs or ["@"]]
    flows = {run.flow for run in chosen}
    off = [
        run for run in state.tags().get(tag, []) if move and run.flow in flows and run not in chosen
    ]
    repo.tag(add=[(run, tag) for run in chosen], remove=[(run, tag) for run in off])
    _say(f"tagged {tag}:", chosen)
    if off:
        _say("before that it was on", off)
    return EXIT_OK


def _list(repo: Repository, json: bool) -> None:
    tags = repo.state.tags()
    if json:
        from mfv.render.json import line

        for tag, runs in tags.items():
            print(line({"tag": tag, "runs": [run.name for run in runs]}))
        return
    from mfv.render.terminal import width

    rows = [(escape(tag), _names(runs)) for tag, runs in tags.items()]
    print("\n".join(table(rows, width=width())) if rows else "no tags yet: `mfv tag TAG RUN`")


def _say(what: str, runs: list[RunState]) -> None:
    print(f"{escape(what)} {_names(runs)}")


def _names(runs: list[RunState]) -> str:
    return ", ".join(escape(run.name) for run in runs)
