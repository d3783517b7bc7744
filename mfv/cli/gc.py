"""`mfv gc`"""

from typing import Annotated

from mfv.cli.command import option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError
from mfv.maintain.gc import GRACE, GcPlan, plan, run
from mfv.render.units import count, duration, size

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def command(
    dry_run: Annotated[
        bool, option("-n", "--dry-run", help="Say what would be deleted; delete nothing.")
    ] = False,
    prune: Annotated[
        str | None,
        option("--prune", help="Spare what is younger: `now`, 30m, 2d, 1w.", metavar="AGE"),
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Delete what no run needs: what crashed runs and stopped commands left behind.

    No run is deleted. Safe beside anything else that works on the repository, `--prune now` too;
    what is younger than an hour is spared, so that writers need not store twice.

    Examples: mfv gc --dry-run · mfv gc · mfv gc --prune now
    """
    grace = GRACE if prune is None else _seconds(prune)
    repo = repository()
    planned = plan(repo, grace=grace)
    if not dry_run:
        planned = run(repo, planned, grace=grace)
    if json:
        from mfv.render.json import document

        print(document(_facts(planned, dry_run)))
    else:
        _print(planned, dry_run, grace)
    return EXIT_OK


def _facts(planned: GcPlan, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "packs": [
            {"pack": one.pack.hex(), "size": one.size, "objects": one.objects}
            for one in planned.doomed
        ],
        "bytes": planned.size,
        "leftover": [pack.hex() for pack in planned.leftover],
        "spared": planned.spared,
        "kept": planned.kept,
        "kept_bytes": planned.kept_size,
        "dead_inside": planned.dead_inside,
        "runs": planned.runs,
    }


def _print(planned: GcPlan, dry_run: bool, grace: float) -> None:
    verb = "would delete" if dry_run else "deleted"
    objects = sum(one.objects for one in planned.doomed)
    packs = count(len(planned.doomed) + len(planned.leftover), "pack")
    print(f"{verb} {packs}, {count(objects, 'object')}, {size(planned.size)}")
    print(
        f"kept {count(planned.kept, 'pack')}, {size(planned.kept_size)}, for "
        f"{count(planned.runs, 'run')}"
    )
    if planned.spared:
        young = f"younger than {duration(grace)} (`--prune now` takes them too)"
        print(f"spared {count(planned.spared, 'pack')} {young}")


def _seconds(age: str) -> float:
    if age == "now":
        return 0.0
    number, unit = age[:-1], age[-1:]
    if not number.isdecimal() or unit not in _UNITS:
        raise UsageError(f"{age!r} is no age", hint="say now, 30m, 12h, 2d or 1w")
    return int(number) * _UNITS[unit]
