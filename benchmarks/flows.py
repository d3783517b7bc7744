"""What a flow costs in mfv and in Metaflow, when its steps do next to nothing.

    python benchmarks/flows.py [--runs N] [--quick] [--json] [--metaflow-python PATH]

One source for both, but for its import line; a fresh empty folder for every run; mfv and Metaflow
in turn. Each with its own defaults, since that is what people get.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from harness import BenchmarkError, Comparison, Contender, arguments, compare, run_main
from mfv_command import mfv_environment, mfv_version
from peers import installed_version, peer_environment
from report import as_json, as_markdown

PEER = ("metaflow==2.19.39",)
WORKLOADS = Path(__file__).with_name("workloads")
_IMPORT = "\nfrom mfv import "


def main() -> None:
    parser = arguments(__doc__, runs=5)
    parser.add_argument("--metaflow-python", type=Path, help="a Python that has Metaflow")
    options = parser.parse_args()
    versions = {"mfv": mfv_version()}
    peer = options.metaflow_python or peer_environment("metaflow", PEER)
    versions["Metaflow"] = installed_version(peer, "metaflow")
    rounds, tasks = (1, 10) if options.quick else (options.runs, 100)
    comparisons = [
        _against_metaflow("hello: 3 steps in a line", "hello", [], peer, rounds),
        _against_metaflow(
            f"foreach of {tasks} tasks and a join", "fanout", ["--tasks", str(tasks)], peer, rounds
        ),
    ]
    print((as_json if options.json else as_markdown)(comparisons, versions))


def metaflow_contender(workload: str, options: list[str], python: Path) -> Contender:
    """`python flow.py run` under Metaflow, which writes nothing outside of the run's folder."""

    def prepare(folder: Path) -> Mapping[str, str]:
        source = _source(workload)
        if source.count(_IMPORT) != 1:
            raise BenchmarkError(f"{workload}.py needs one line that starts with{_IMPORT!r}")
        source = source.replace(_IMPORT, "\nfrom metaflow import ")
        (folder / "flow.py").write_text(source, encoding="utf-8")
        return {
            "METAFLOW_HOME": str(folder / "settings"),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        }

    environment = {**mfv_environment(), "METAFLOW_USER": "benchmark", "USERNAME": "benchmark"}
    environment.pop("PYTHONPATH", None)  # what is on it is meant for the Python of mfv
    command = [str(python.absolute()), "flow.py", "run", *options]
    return Contender("Metaflow", command, environment, prepare, lambda f: _left(f / ".metaflow"))


def mfv_contender(workload: str, options: list[str]) -> Contender:
    """`python flow.py run` under the mfv of this Python."""

    def prepare(folder: Path) -> Mapping[str, str]:
        (folder / "flow.py").write_text(_source(workload), encoding="utf-8")
        return {}

    command = [sys.executable, "flow.py", "run", *options]
    return Contender("mfv", command, mfv_environment(), prepare, lambda f: _left(f / ".mfv"))


def _against_metaflow(
    title: str, workload: str, options: list[str], peer: Path, rounds: int
) -> Comparison:
    contenders = [metaflow_contender(workload, options, peer), mfv_contender(workload, options)]
    return compare(title, contenders, rounds=rounds, warm_up=rounds > 1)


def _source(workload: str) -> str:
    return (WORKLOADS / f"{workload}.py").read_text("utf-8")


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
