"""What a flow costs in mfv and in Metaflow, when its steps do next to nothing.

    python benchmarks/flows.py [--runs N] [--quick] [--json] [--metaflow-python PATH]
    python benchmarks/flows.py --skip-wide      without the foreaches of 1,000 in Metaflow, which
                                                take it a quarter of an hour

One source for both, but for its import line; a fresh empty folder for every run; mfv and Metaflow
in turn. Each with its own defaults, since that is what people get. The curve, what one task costs
in foreaches of growing width, is mfv's alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from goals import Goal, at_most
from harness import (
    BenchmarkError,
    Comparison,
    Contender,
    Sample,
    arguments,
    compare,
    run_main,
)
from mfv_command import mfv_environment, mfv_version
from outcome import Outcome, tell
from peers import installed_version, peer_environment
from report import format_value, markdown, plain, table

PEER = ("metaflow==2.19.39",)
WORKLOADS = Path(__file__).with_name("workloads")
WIDTHS = (100, 300, 1_000, 3_000, 10_000)
_IMPORT = "\nfrom mfv import "


def main() -> None:
    parser = arguments(__doc__, runs=5)
    parser.add_argument("--metaflow-python", type=Path, help="a Python that has Metaflow")
    parser.add_argument("--skip-wide", action="store_true", help="no wide foreach in Metaflow")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="update its README.md")
    options = parser.parse_args()
    peer = options.metaflow_python or peer_environment("metaflow", PEER)
    versions = {"mfv": mfv_version(), "Metaflow": installed_version(peer, "metaflow")}
    quick: bool = options.quick
    rounds, tasks, wide = (1, 10, 20) if quick else (options.runs, 100, 1_000)
    widths = (5, 10) if quick else WIDTHS
    comparisons = [
        beside_metaflow("hello: 3 steps in a line", "hello", 0, peer, rounds),
        beside_metaflow(f"foreach of {tasks} tasks and a join", "fanout", tasks, peer, rounds),
    ]
    if not options.skip_wide:
        title = f"foreach of {wide:,} tasks and a join"
        comparisons.append(beside_metaflow(title, "fanout", wide, peer, 1))
        comparisons.append(resumed(wide, peer))
    points = {width: alone(width, 1 if width > 1_000 else rounds) for width in widths}
    tables = [table(comparison) for comparison in comparisons] + [curve_table(points)]
    if options.report is not None:
        from plots import plot_curve

        options.report.mkdir(parents=True, exist_ok=True)
        each = {width: 1e3 * sample["wall"] / width for width, sample in points.items()}
        plot_curve(each, "tasks of the foreach", "ms a task", options.report / "flows.svg")
        tables.append("![What one task costs, by the width of its foreach](flows.svg)")
    outcome = Outcome(
        "flows",
        "Flows whose steps do next to nothing.",
        tables=tables,
        goals=goals(comparisons, points),
        full=not quick,
        samples={
            "comparisons": [plain(comparison) for comparison in comparisons],
            "curve": {str(width): dict(sample) for width, sample in points.items()},
        },
        versions=versions,
    )
    tell(outcome, options)


def metaflow_contender(workload: str, tasks: int, python: Path, verb: str = "run") -> Contender:
    """`python flow.py VERB` under Metaflow, which writes nothing outside of the run's folder."""
    command = [str(python.absolute()), "flow.py", verb, *_options(verb, tasks)]
    environment = {**mfv_environment(), "METAFLOW_USER": "benchmark", "USERNAME": "benchmark"}
    environment.pop("PYTHONPATH", None)  # what is on it is meant for the Python of mfv

    def prepare(folder: Path) -> Mapping[str, str]:
        source = source_of(workload)
        if source.count(_IMPORT) != 1:
            raise BenchmarkError(f"{workload}.py needs one line that starts with{_IMPORT!r}")
        source = source.replace(_IMPORT, "\nfrom metaflow import ")
        (folder / "flow.py").write_text(source, encoding="utf-8")
        variables = {
            "METAFLOW_HOME": str(folder / "settings"),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        }
        if verb == "resume":
            _fail_once(command, folder, {**environment, **variables}, tasks)
        return variables

    return Contender("Metaflow", command, environment, prepare, lambda f: _left(f / ".metaflow"))


def mfv_contender(workload: str, tasks: int, verb: str = "run") -> Contender:
    """`python flow.py VERB` under the mfv of this Python."""
    command = [sys.executable, "flow.py", verb, *_options(verb, tasks)]
    environment = mfv_environment()

    def prepare(folder: Path) -> Mapping[str, str]:
        (folder / "flow.py").write_text(source_of(workload), encoding="utf-8")
        if verb == "resume":
            _fail_once(command, folder, environment, tasks)
        return {}

    return Contender("mfv", command, environment, prepare, lambda f: _left(f / ".mfv"))


def beside_metaflow(title: str, workload: str, tasks: int, peer: Path, rounds: int) -> Comparison:
    """A workload by both; Metaflow is the baseline."""
    contenders = [metaflow_contender(workload, tasks, peer), mfv_contender(workload, tasks)]
    return compare(title, contenders, rounds=rounds, warm_up=rounds > 1)


def resumed(tasks: int, peer: Path) -> Comparison:
    """What it takes to go on from a foreach of which one task failed."""
    contenders = [
        metaflow_contender("resumed", tasks, peer, "resume"),
        mfv_contender("resumed", tasks, "resume"),
    ]
    title = f"resume of a foreach of {tasks:,} of which one task failed"
    return compare(title, contenders, rounds=1, warm_up=False)


def alone(tasks: int, rounds: int) -> Sample:
    """A foreach of so many tasks by mfv: the medians."""
    found = compare("", [mfv_contender("fanout", tasks)], rounds=rounds, warm_up=False)
    return {metric: found.median("mfv", metric) for metric in found.samples["mfv"][0]}


def curve_table(points: Mapping[int, Sample]) -> str:
    """What one task costs by the width of its foreach."""
    rows = [["mfv: a foreach of", "wall", "CPU", "wall a task", "CPU a task", "peak memory"]]
    for width, sample in points.items():
        wall, cpu = sample["wall"], sample["cpu"]
        values = (wall, cpu, wall / width, cpu / width)
        rows.append(
            [
                f"{width:,} tasks",
                *(format_value(value, "s") for value in values),
                format_value(sample["peak"], "bytes"),
            ]
        )
    return markdown(rows)


def goals(comparisons: Sequence[Comparison], points: Mapping[int, Sample]) -> list[Goal]:
    """What is asked of flows."""
    hello, *others = comparisons
    found = [
        at_most("hello: under 0.35 s", hello.median("mfv", "wall"), 0.35, "s"),
        at_most("hello: under 0.3 s of CPU", hello.median("mfv", "cpu"), 0.3, "s"),
    ]
    for one in others:
        if one.title.startswith("resume"):
            asked = "resume of a foreach of 1,000: under 1.5 s"
            found.append(at_most(asked, one.median("mfv", "wall"), 1.5, "s"))
    widest, narrowest = max(points), min(points)
    if 1_000 in points:
        found.append(at_most("foreach of 1,000: under 8 s", points[1_000]["wall"], 8, "s"))
    growth = points[widest]["wall"] / widest / (points[narrowest]["wall"] / narrowest)
    asked = f"one of {widest:,} tasks costs no more than one of {narrowest:,}"
    found.append(Goal(asked, f"{growth:.2f}×", growth <= 1.05))
    asked = f"memory at {widest:,} tasks: under 200 MB"
    found.append(at_most(asked, points[widest]["peak"], 200e6))
    return found


def source_of(workload: str) -> str:
    """The flow, as written for mfv."""
    return (WORKLOADS / f"{workload}.py").read_text("utf-8")


def _options(verb: str, tasks: int) -> list[str]:
    if not tasks:
        return []
    limits = ["--max-num-splits", str(tasks)]
    return limits if verb == "resume" else [*limits, "--tasks", str(tasks)]


def _fail_once(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], tasks: int
) -> None:
    """Runs the flow in `folder` so that its last task fails."""
    run = [*command[:2], "run", *_options("run", tasks)]
    broken = {**environment, "BROKEN": "1"}
    done = subprocess.run(run, cwd=folder, env=broken, capture_output=True, check=False)
    if done.returncode != 1:
        raise BenchmarkError(f"`{' '.join(run)}` was to fail, and ended with {done.returncode}")


def _left(folder: Path) -> Mapping[str, float]:
    """How many files are under `folder`, and their bytes (lengths, not disk blocks)."""
    sizes = [path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()]
    if not sizes:
        raise BenchmarkError(
            f"the run left nothing in {folder}",
            hint="a repository in a folder above takes the runs: set TMPDIR to a folder elsewhere",
        )
    return {"files": len(sizes), "stored": sum(sizes)}


if __name__ == "__main__":
    run_main(main)
