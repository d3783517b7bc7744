"""`mfv fsck`"""

from typing import Annotated

from mfv.cli.command import option
from mfv.cli.place import repository
from mfv.errors import EXIT_CORRUPT, EXIT_OK
from mfv.maintain.fsck import Report, fsck
from mfv.render.text import escape
from mfv.render.units import count, size

_SHOWN = 50


def command(
    data: Annotated[bool, option("--data", help="Read and hash every stored byte too.")] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Check the repository: its log, its packs, and that everything every run needs is there.

    Exits with 5 if something recorded is lost or wrong. Never writes.

    Examples: mfv fsck · mfv fsck --data
    """
    report = fsck(repository(), data=data)
    if json:
        import msgspec

        from mfv.render.json import document

        print(document({**msgspec.to_builtins(report), "errors": report.errors}))
    else:
        _print(report)
    return EXIT_CORRUPT if report.errors else EXIT_OK


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
