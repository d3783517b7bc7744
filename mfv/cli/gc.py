"""`mfv gc`"""

import math
import time
from collections.abc import Callable
from typing import Annotated, NamedTuple

from mfv.cli.command import option
from mfv.cli.howfar import how_far, no_further
from mfv.cli.place import repository
from mfv.errors import EXIT_CORRUPT, EXIT_OK, NotFoundError, UsageError, did_you_mean
from mfv.maintain import logarchive, repack, sweep
from mfv.maintain.gc import GRACE, GcPlan, plan, run
from mfv.maintain.logarchive import ArchivePlan
from mfv.maintain.marks import Marks
from mfv.maintain.retention import Policy
from mfv.maintain.rewriting import Repacked, RepackPlan
from mfv.maintain.room import having_room, keep_reserve
from mfv.maintain.sweep import RunsPlan
from mfv.render.terminal import width
from mfv.render.text import escape, table
from mfv.render.units import count, duration, size
from mfv.repo.config import period
from mfv.repo.names import RunState
from mfv.repo.repository import Repository

_NAMED = 20  # runs that are named; of more the number is told


def command(
    flow: Annotated[
        list[str],
        option("--flow", help="The rules are for the runs of this flow alone.", metavar="FLOW"),
    ] = (),  # type: ignore[assignment]
    keep_last: Annotated[
        int | None, option("--keep-last", help="Keep the newest so many.", metavar="N")
    ] = None,
    keep_within: Annotated[
        str | None,
        option(
            "--keep-within",
            help="Keep those begun so long before the newest: 30d, 12w.",
            metavar="AGE",
        ),
    ] = None,
    keep_tagged: Annotated[bool, option("--keep-tagged", help="Keep those with a tag.")] = False,
    keep_successful: Annotated[
        bool, option("--keep-successful", help="Keep those that succeeded.")
    ] = False,
    keep_where: Annotated[
        str | None,
        option("--keep-where", help="Keep those for which this is true.", metavar="QUERY"),
    ] = None,
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
    max_time: Annotated[
        str | None,
        option(
            "--max-time",
            help="Begin no further part of a repack after so long: 90s, 30m.",
            metavar="AGE",
        ),
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Delete what no run needs: what crashed runs and stopped commands left behind.

    With rules (`--keep-…`, or `keep` in config.toml) runs that none of them keeps go into the
    trash, flow by flow, from where `mfv restore` brings them back. Runs that have been there for
    30 days (`trash` in config.toml) lose their bytes; record and code stay. Without a rule no run
    is removed.

    Safe beside anything else that works on the repository, `--prune now` and `--repack` too, and
    may be stopped at any time; what is younger than an hour is spared, so that writers need not
    store twice. `--prune AGE` says so for the trash as well.

    What is needed no more, but lies in a pack beside what is, is freed by `--repack`; that exits
    with 5 if something that runs need is damaged. With `--max-time` it does what it can begin until
    then, about 256 MB at a time, and the next one goes on.

    Examples: mfv gc --dry-run · mfv gc · mfv gc --keep-last 50 --keep-tagged --dry-run ·
    mfv gc --prune now · mfv gc --repack ·
    mfv gc --repack --max-time 10m
    """
    deadline = math.inf if max_time is None else time.monotonic() + _seconds("--max-time", max_time)
    repo = repository()
    grace = GRACE if prune is None else _seconds("--prune", prune)
    trash = repo.config.trash if prune is None else grace
    policy = _policy(repo, keep_last, keep_within, keep_tagged, keep_successful, keep_where)
    if flow and not policy:
        raise UsageError("--flow is for rules: say what to keep", hint="--keep-last N, …")
    runs = sweep.plan(
        repo, policy, grace=trash, asked=_asked(repo, policy), flows=_known(repo, flow)
    )
    swept = [one.name for one in runs.due]
    if not dry_run:
        swept = having_room(repo, lambda: sweep.run(repo, runs, policy, grace=trash))
    # What is removed just now is swept in time; what would be swept is taken for swept.
    going = list(runs.due) if dry_run else []
    if dry_run and trash == 0:
        found = [repo.log.state.find(one.run.flow, one.run.number) for one in runs.leaving]
        going += [one for one in found if one is not None]
        swept = [one.name for one in going]
    marks = Marks(repo, [(one.flow, one.number) for one in going])
    planned = plan(repo, grace=grace, marks=marks)
    if not dry_run:
        first = planned
        planned = having_room(repo, lambda: run(repo, first, grace=grace, marks=marks))
    rewritten = None
    if rewrite:
        rewritten = _repack(repo, marks, grace, deadline, dry_run=dry_run, quiet=json)
    if not dry_run:
        keep_reserve(repo)
    if json:
        from mfv.render.json import document

        facts = {**_facts(planned, dry_run), **_runs_facts(runs, swept)}
        print(document({**facts, "repack": rewritten and rewritten.facts()}))
    else:
        _print_runs(runs, swept, dry_run)
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


def _repack(
    repo: Repository, marks: Marks, grace: float, deadline: float, *, dry_run: bool, quiet: bool
) -> _Rewritten:
    planned = repack.plan(repo, grace=grace, marks=marks)
    if dry_run:
        return _Rewritten(planned, None, logarchive.plan(repo))
    from mfv.maintain import arenas  # brings ctypes, of which no other part has need

    arenas.share()
    tell = how_far("rewrote", planned.size, quiet=quiet)
    done = repack.run_until(repo, planned, deadline, grace=grace, marks=marks, progress=tell)
    no_further(quiet=quiet)
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
    if planned.dead_inside > planned.kept_size // 10 and planned.dead_inside > 1 << 20:
        print(
            f"{size(planned.dead_inside)} of that are needed no more: `mfv gc --repack` frees them"
        )
    if planned.spared:
        young = f"younger than {duration(grace)} (`--prune now` takes them too)"
        print(f"spared {count(planned.spared, 'pack')} {young}")


def _policy(
    repo: Repository,
    last: int | None,
    within: str | None,
    tagged: bool,
    successful: bool,
    where: str | None,
) -> Policy:
    """The rules of the command line, or those of the config where it has none."""
    if last is not None and last < 0:
        raise UsageError("--keep-last wants 0 or more")
    seconds = None if within is None else _seconds("--keep-within", within)
    given = Policy(last, seconds, tagged, successful, where)
    if given:
        return given
    config = repo.config
    return Policy(
        config.keep_last,
        config.keep_within,
        config.keep_tagged,
        config.keep_successful,
        config.keep_where,
    )


def _asked(repo: Repository, policy: Policy) -> Callable[[RunState], bool] | None:
    """Whether the policy's query is true of a run."""
    if policy.where is None:
        return None
    from mfv.history import asking
    from mfv.history.history import History

    history = History(repo)
    chosen = history.select(asking.expression(history, where=policy.where))
    names = {run.name for run in chosen.runs}
    return lambda run: run.name in names


def _known(repo: Repository, flows: list[str]) -> list[str]:
    known = repo.state.runs
    for flow in flows:
        if flow not in known:
            raise NotFoundError(f"there is no flow {flow!r}", hint=did_you_mean(flow, known))
    return flows


def _runs_facts(runs: RunsPlan, swept: list[str]) -> dict[str, object]:
    return {
        "removed": [one.run.name for one in runs.leaving],
        "kept_runs": [
            {"run": one.run.name, "reasons": list(one.reasons)}
            for one in runs.decisions
            if one.is_kept
        ],
        "swept": swept,
    }


def _print_runs(runs: RunsPlan, swept: list[str], dry_run: bool) -> None:
    if runs.decisions:
        rows = [
            (
                escape(one.run.name),
                "keep" if one.is_kept else "remove",
                escape(", ".join(one.reasons)),
            )
            for one in runs.decisions
        ]
        if dry_run:
            print("\n".join(table(rows, width=width(), shrink=2)))
        gone, kept = len(runs.leaving), len(runs.decisions) - len(runs.leaving)
        verb = "would put" if dry_run else "put"
        print(f"{verb} {count(gone, 'run')} into the trash; the rules keep {count(kept, 'run')}")
    if swept:
        verb = "would sweep" if dry_run else "swept"
        what = ", ".join(map(escape, swept)) if len(swept) <= _NAMED else count(len(swept), "run")
        print(f"{verb} {what}: records and code stay")


def _seconds(name: str, age: str) -> float:
    found = period(age)
    if found is None:
        raise UsageError(f"{name}: {age!r} is no age", hint="say now, 30m, 12h, 2d or 1w")
    return found
