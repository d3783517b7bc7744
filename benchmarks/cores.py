"""What does a second core bring where something is to be compressed?

    python benchmarks/cores.py              the first version of each workload, 5 rounds
    python benchmarks/cores.py --quick      of 2 MB, 1 round: does it work?

The process that stores is kept to one core or to two, in turn; each time to an empty repository.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from engines.libraries import Mfv
from goals import Goal, of_pairs
from harness import BenchmarkError, Comparison, Sample, run_main
from mfv_command import mfv_version
from outcome import Outcome, tell
from report import plain, table
from suite import plain_parser
from versions import SMALL, given, make

# Title, workload, form of its files, what mfv is given.
CASES = (
    ("a checkpoint", "checkpoints", "pkl", "object"),
    ("a table", "table", "pkl", "object"),
    ("a table as a pickle file", "table", "pkl", "file"),
    ("a table as CSV", "table", "csv", "file"),
)
TWO, ONE = "two cores", "one core"


def main() -> None:
    parser = plain_parser(__doc__)
    parser.add_argument("--runs", type=int, default=5, help="rounds that count, after one more")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the full scale")
    parser.add_argument("--checkpoints-from", type=Path, metavar="FOLDER", help="take v00 of these")
    parser.add_argument("--table-from", type=Path, metavar="FOLDER", help="take v00 of these")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        raise BenchmarkError("there is only one core to run on")
    scale, rounds = (SMALL, 1) if options.quick else (options.scale, options.runs)
    elsewhere = {"checkpoints": options.checkpoints_from, "table": options.table_from}
    forms = {"checkpoints": ["pkl"], "table": ["pkl", "csv"]}
    versions = {
        name: given(elsewhere[name], wanted)
        if elsewhere[name] is not None
        else make(name, wanted, scale=scale, seed=options.seed, count=1)
        for name, wanted in forms.items()
    }
    comparisons = []
    for title, workload, form, kind in CASES:
        if form in versions[workload].forms:
            source = versions[workload].forms[form][0]
            samples = measure_case(kind, source, rounds, warm_up=not options.quick)
            comparisons.append(Comparison(title, samples))
            print(f"{title}: done", file=sys.stderr, flush=True)
    outcome = Outcome(
        "cores",
        f"First versions, scale {scale:g}, seed {options.seed}.",
        tables=[table(comparison) for comparison in comparisons],
        goals=[goal(comparison) for comparison in comparisons],
        full=scale >= 1,
        samples={"comparisons": [plain(comparison) for comparison in comparisons]},
        versions={"mfv": mfv_version()},
    )
    tell(outcome, options)


def measure_case(kind: str, source: Path, rounds: int, *, warm_up: bool) -> dict[str, list[Sample]]:
    """Samples with two cores and with one, in turn."""
    engines = {TWO: Mfv(kind, cores=2), ONE: Mfv(kind, cores=1)}
    samples: dict[str, list[Sample]] = {name: [] for name in engines}
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as folder:
        for number in range(-1 if warm_up else 0, rounds):
            for name, engine in engines.items():
                place = Path(folder, "place")
                engine.begin(place)
                os.sync()
                sample = engine.store(place, source, 0)
                shutil.rmtree(place)
                if number >= 0:
                    samples[name].append(sample)
    return samples


def goal(comparison: Comparison) -> Goal:
    """What a second core must bring."""
    found = comparison.ratios(ONE, "wall")
    asked = f"{comparison.title}: one core needs at least 1.5 times as long as two"
    told = f"{median(found):.2f}× of {len(found)} pairs" if found else ""
    return of_pairs(asked, found, at_least=1.5, otherwise=told)


if __name__ == "__main__":
    run_main(main)
