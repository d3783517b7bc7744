"""`mfv gc`"""

from typing import Annotated, NamedTuple

from mfv.cli.command import option
from mfv.cli.place import repository
from mfv.errors import EXIT_CORRUPT, EXIT_OK, UsageError
from mfv.maintain import logarchive, repack
from mfv.maintain.gc import GRACE, GcPlan, plan, run
from mfv.maintain.logarchive import ArchivePlan
from mfv.maintain.marks import Marks
from mfv.maintain.repack import Repacked, RepackPlan
from mfv.render.text import escape
from mfv.render.units import count, duration, size
from mfv.repo.repository import Repository

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def command(
    dry_run: Annotated[
        bool, option("-n", "--dry-run", help="Say what would be deleted; delete nothing.")
    ] = False,
    rewrite: Annotated[
        bool,
        option("--repack", help="Then make few large files of many: packs, and the log's entries."),
    ] = False,
    prune: Annotated[
        str | None,
        option("--prune", help="Spare what is younger: `now`, 30m, 2d, 1w.", metavar="AGE"),
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Delete what no run needs: what crashed runs and stopped commands left behind.

    No run is deleted. Safe beside anything else that works on the repository, `--prune now` and
    `--repack` too, and may be stopped at any time; what is younger than an hour is spared, so that
    writers need not store twice. `--repack` exits with 5 if something that runs need is damaged.

    Examples: mfv gc --dry-run · mfv gc · mfv gc --prune now · mfv gc --repack
    """
    grace = GRACE if prune is None else _seconds(prune)
    repo = repository()
    marks = Marks(repo)
    planned = plan(repo, grace=grace, marks=marks)
    if not dry_run:
        planned = run(repo, planned, grace=grace, marks=marks)
    rewritten = _repack(repo, marks, grace, dry_run=dry_run) if rewrite else None
    if json:
        from mfv.render.json import document

        print(document({**_facts(planned, dry_run), "repack": rewritten and rewritten.facts()}))
    else:
        _print(planned, dry_run, grace)
        if rewritten is not None:
            rewritten.print(dry_run)
    return EXIT_CORRUPT if rewritten is not None and rewritten.troubles() else EXIT_OK


class _Rewritten(NamedTuple):
    """What was planned, and what was done: None where it was a plan alone."""

    planned: RepackPlan
    done: Repacked | None
    log: ArchivePlan

    def facts(self) -> dict[str, object]:
        written = self.done.written if self.done else ()
        return {
            "packs": [
                {"pack": one.pack.hex(), "size": one.size, "kept": one.kept}
                for one in self.planned.sources
            ],
            "bytes": self.planned.size,
            "kept_bytes": self.planned.kept,
            "written": [{"pack": one.pack.hex(), "size": one.size} for one in written],
            "deleted": [pack.hex() for pack in self.done.condemned] if self.done else [],
            "staying": self.planned.staying,
            "entries": self.log.entries,
            "archives": self.log.archives,
            "archived_to": self.log.end,
            "damaged": self.troubles(),
        }

    def print(self, dry_run: bool) -> None:
        if dry_run:
            packs = count(len(self.planned.sources), "pack")
            print(
                f"would rewrite {packs}, {size(self.planned.size)}, of which "
                f"{size(self.planned.kept)} are needed"
            )
            print(f"would archive {count(self.log.entries, 'file')} of the log")
            return
        written = self.done.written if self.done else ()
        gone = len(self.done.condemned) if self.done else 0
        print(
            f"rewrote {count(gone, 'pack')} as {len(written)}, {size(self.planned.size)} as "
            f"{size(sum(one.size for one in written))}"
        )
        print(f"archived {count(self.log.entries, 'file')} of the log")
        for trouble in self.troubles():
            print(f"damaged: {escape(trouble)}")

    def troubles(self) -> list[str]:
        """What is damaged, in words."""
        damaged = self.done.damaged if self.done else ()
        found = [
            f"{one.object.hex()[:12]} has no whole copy; {count(len(one.packs), 'pack')} kept as is"
            for one in damaged
        ]
        return [*found, self.log.stopped] if self.log.stopped else found


def _repack(repo: Repository, marks: Marks, grace: float, *, dry_run: bool) -> _Rewritten:
    planned = repack.plan(repo, grace=grace, marks=marks)
    if dry_run:
        return _Rewritten(planned, None, logarchive.plan(repo))
    done = repack.run(repo, planned, grace=grace, marks=marks)
    return _Rewritten(done.planned, done, logarchive.run(repo))


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
