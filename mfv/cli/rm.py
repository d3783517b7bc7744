"""`mfv rm`"""

from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError
from mfv.history.history import History
from mfv.render.text import escape
from mfv.render.units import count
from mfv.repo import trash
from mfv.repo.revision import resolve
from mfv.repo.view import RunView

_NAMED = 10  # runs that are named; of more the number is told


def command(
    runs: Annotated[list[str], argument("The runs.", "[RUN]...")] = (),  # type: ignore[assignment]
    where: Annotated[
        str | None,
        option("-w", "--where", help="All runs for which this is true.", metavar="QUERY"),
    ] = None,
    artifact: Annotated[
        list[str],
        option("--artifact", help="Only the bytes of this artifact.", metavar="NAME"),
    ] = (),  # type: ignore[assignment]
    dry_run: Annotated[
        bool, option("-n", "--dry-run", help="Say what would be removed; remove nothing.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Put runs into the trash, or let the bytes of artifacts go.

    A run in the trash is listed no longer; `mfv log --trash` lists those, `mfv restore` brings one
    back. After 30 days (`trash` in config.toml) a gc frees its bytes; its record and its code stay.

    With --artifact the runs stay, and of artifacts of this name (or STEP/NAME) the record stays
    and the next gc frees the bytes. That cannot be undone.

    Examples: mfv rm 41 42 · mfv rm --where "status = failed and started < 2w" ·
    mfv rm 41 --artifact model
    """
    history = History(repository())
    if not runs and where is None:
        raise UsageError("which runs?", hint="mfv rm RUN… or mfv rm --where QUERY")
    found = {run.name: run for run in (resolve(history.names, text) for text in runs)}
    if where is not None:
        from mfv.history import asking

        chosen = history.select(asking.expression(history, where=where))
        found |= {run.name: run.state for run in chosen.runs}
    names = list(found)
    if artifact:
        return _drop(
            history,
            [RunView(history.repository, run) for run in found.values()],
            artifact,
            dry_run=dry_run,
            json=json,
        )
    if not dry_run:
        reason = "mfv rm" if where is None else f"mfv rm --where {where!r}"
        names = [
            run.name for run in trash.remove(history.repository, found.values(), reason=reason)
        ]
    if json:
        from mfv.render.json import document

        print(document({"dry_run": dry_run, "removed": names}))
    elif not names:
        print("no run to remove")
    else:
        what = ", ".join(map(escape, names)) if len(names) <= _NAMED else count(len(names), "run")
        print(f"{'would put' if dry_run else 'put'} {what} into the trash")
        if not dry_run:
            print(
                "`mfv restore` brings them back"
                if len(names) > 1
                else f"`mfv restore {escape(names[0])}` brings it back"
            )
    return EXIT_OK


def _drop(
    history: History, runs: list[RunView], names: list[str], *, dry_run: bool, json: bool
) -> int:
    dropped = {}
    for run in runs:
        known = tuple(run.state.dropped)
        dropped[run.name] = (
            tuple(name for name in names if name not in known)
            if dry_run
            else trash.drop(run, names)
        )
    if json:
        from mfv.render.json import document

        facts = {name: list(gone) for name, gone in dropped.items()}
        print(document({"dry_run": dry_run, "dropped": facts}))
        return EXIT_OK
    verb = "would let go" if dry_run else "let go"
    for name, gone in dropped.items():
        what = ", ".join(map(escape, gone)) or "nothing more"
        print(f"{escape(name)}: {verb} {what}")
    if not dry_run and any(dropped.values()):
        print("`mfv gc` frees what no other run holds")
    return EXIT_OK
