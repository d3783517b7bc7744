"""What does it cost to let go of most of a long history?

    python benchmarks/letgo.py            10,000 runs of ten small artifacts, of which 9,000 go
    python benchmarks/letgo.py --quick    400 runs, of which 360 go: does it work?

`mfv gc --keep-last N --prune now`, with and without `--repack`, each on a fresh copy of one
repository. Beside it: `cp -r` of that repository, which reads and writes every byte once.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from engines.base import PROGRAMS
from goals import Goal, at_most
from harness import Comparison, Contender, Sample, compare, run_main
from mfv_command import MFV, mfv_environment, mfv_version
from outcome import Outcome, tell
from report import plain, table
from suite import plain_parser
from workloads import records

sys.path.insert(0, str(PROGRAMS))  # as those have it who are run by others

from small_runs import set_fast, write_mfv

RUNS, GOING = 10_000, 9_000
ROUNDS = 5
BATCH = 500  # runs held in memory at a time
COPY, SWEPT, DENSE = "`cp -r`", "`mfv gc`", "`mfv gc --repack`"


def main() -> None:
    options = plain_parser(__doc__).parse_args()
    count, going = (400, 360) if options.quick else (RUNS, GOING)
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        made = Path(name) / "made"
        fill(made, count, options.seed)
        before = size_of(made)
        comparison = compare_all(made, count - going, 1 if options.quick else ROUNDS)
    stored = {name: comparison.median(name, "stored") for name in (SWEPT, DENSE)}
    about = (
        f"{count:,} runs of {records.ARTIFACTS} small artifacts, {before / 1e6:.1f} MB, of which "
        f"{going:,} go, seed {options.seed}. Left after a gc {stored[SWEPT] / 1e6:.1f} MB, after "
        f"one with `--repack` {stored[DENSE] / 1e6:.1f} MB."
    )
    tell(
        Outcome(
            "letgo",
            about,
            tables=[table(comparison)],
            goals=goals(comparison),
            full=not options.quick,
            samples={"letgo": plain(comparison)},
            versions={"mfv": mfv_version()},
        ),
        options,
    )


def fill(place: Path, count: int, seed: int) -> None:
    """A repository of so many runs, in `.mfv` of `place`."""
    place.mkdir()
    set_fast(place)
    batch: list[dict[str, object]] = []
    for values in records.runs(count, seed):
        batch.append(values)
        if len(batch) == BATCH:
            write_mfv(place, batch)
            batch.clear()
    write_mfv(place, batch)


def size_of(place: Path) -> int:
    """Bytes of all files of the repository in `place`, its caches left out."""
    files = (
        os.path.join(folder, name)
        for folder, _, names in os.walk(place / ".mfv")
        if "/.mfv/cache" not in folder
        for name in names
    )
    return sum(map(os.path.getsize, files))


def compare_all(made: Path, keep: int, rounds: int) -> Comparison:
    """All ways in turn, each on a copy of its own; copying is the baseline."""
    environment = mfv_environment()

    def copied(folder: Path) -> Mapping[str, str]:
        shutil.copytree(made / ".mfv", folder / ".mfv")
        return {"MFV_DIR": str(folder / ".mfv")}

    def left(folder: Path) -> Sample:
        return {"stored": float(size_of(folder))}

    words = [*MFV, "gc", "--keep-last", str(keep), "--prune", "now"]
    contender = functools.partial(Contender, environment=environment, probe=left)
    contenders = [
        contender(COPY, ["cp", "-r", str(made / ".mfv"), ".mfv"]),
        contender(SWEPT, words, prepare=copied),
        contender(DENSE, [*words, "--repack"], prepare=copied),
    ]
    return compare("a long history, cut", contenders, rounds=rounds, warm_up=rounds > 1)


def goals(comparison: Comparison) -> list[Goal]:
    """What is asked of letting 9,000 of 10,000 runs go."""
    return [
        at_most("gc, repacking, in under 60 s", comparison.median(DENSE, "wall"), 60, "s"),
        at_most("in under 300 MB", comparison.median(DENSE, "peak"), 300e6),
    ]


if __name__ == "__main__":
    run_main(main)
