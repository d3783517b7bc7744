"""`mfv fsck`"""

import os
from typing import Annotated

from mfv.capture.user import user_at_host
from mfv.cli.command import option
from mfv.cli.howfar import how_far, no_further
from mfv.cli.place import chosen_folder, repository
from mfv.errors import EXIT_CORRUPT, EXIT_OK, UsageError
from mfv.maintain.fsck import Report, fsck
from mfv.render.text import escape
from mfv.render.units import count, size
from mfv.repo.repository import FOLDER_NAME, Repository

_SHOWN = 50


def command(
    data: Annotated[bool, option("--data", help="Read and hash every stored byte too.")] = False,
    repair: Annotated[
        bool, option("--repair", help="Then make whole again what can be; delete nothing.")
    ] = False,
    copies: Annotated[
        list[str],
        option(
            "--from",
            help="With --repair: fetch what is lost from this copy of the repository.",
            metavar="DIR",
        ),
    ] = (),  # type: ignore[assignment]
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Check the repository: its log, its packs, and that everything every run needs is there.

    Exits with 5 if something recorded is lost or wrong. Writes only with --repair.

    --repair moves what is whole in damaged packs into new ones, turns back single bits, and makes
    the log one that can be written to again. What was damaged is kept in `lost-found/`.

    A run that misses something is told by name, then and by every later fsck; `--from` brings back
    what a copy still has.

    Examples: mfv fsck · mfv fsck --data · mfv fsck --repair ·
    mfv fsck --repair --from /backup/project/.mfv
    """
    if copies and not repair:
        raise UsageError("--from says where to fetch from in a --repair", hint="add --repair")
    if repair:
        return _repair(copies, json=json)
    report = fsck(repository(), data=data, progress=how_far("read", quiet=json))
    no_further(quiet=json)
    if json:
        import msgspec

        from mfv.render.json import document

        print(document({**msgspec.to_builtins(report), "errors": report.errors}))
    else:
        _print(report)
    return EXIT_CORRUPT if report.errors else EXIT_OK


def _repair(copies: list[str], *, json: bool) -> int:
    from mfv.maintain import repair as repairs
    from mfv.storage.local import LocalBackend

    folder = chosen_folder()
    found = None
    if folder is not None and os.path.isdir(folder):
        found = repairs.repair_format(LocalBackend(folder))
    repo = repository()
    sources = [Repository.open(_repository_in(copy), writer=user_at_host()) for copy in copies]
    repaired = repairs.repair(repo, sources, progress=how_far("read", quiet=json))
    no_further(quiet=json)
    if found is not None:
        repaired = repaired._replace(done=(found, *repaired.done))
    if json:
        from mfv.render.json import document

        print(document(repaired.facts))
    else:
        for one in repaired.done:
            print(f"{one.kind}: {escape(one.message)}")
        if not repaired.done:
            print("nothing had to be repaired")
        _print(repaired.report)
    return EXIT_CORRUPT if repaired.report.errors else EXIT_OK


def _repository_in(folder: str) -> str:
    inside = os.path.join(folder, FOLDER_NAME)
    return inside if os.path.isdir(inside) else folder


def _print(report: Report) -> None:
    for finding in report.findings[:_SHOWN]:
        print(f"{finding.severity}: {escape(finding.message)}")
    if len(report.findings) > _SHOWN:
        print(f"and {len(report.findings) - _SHOWN} more findings (--json lists all)")
    checked = (
        f"checked {count(report.runs, 'run')}, {report.entries} log entries, "
        f"{count(report.packs, 'pack')}, {count(report.objects, 'object')}"
    )
    read = f", {size(report.bytes_read)} read" if report.bytes_read else ""
    print(f"{checked}{read}: {count(report.errors, 'error') if report.errors else 'all is well'}")
