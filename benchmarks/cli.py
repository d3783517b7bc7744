"""How long the commands that people type all day take, beside a Python that does nothing.

    python benchmarks/cli.py [--runs N] [--quick] [--json]

`mfv log` lists a repository of 1,000 runs, each with ten parameters and ten numbers.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness import Comparison, Contender, arguments, compare, run_main
from mfv_command import MFV, mfv_environment, mfv_version
from report import as_json, as_markdown
from workloads.history import Maker


def main() -> None:
    options = arguments(__doc__, runs=20).parse_args()
    versions = {"mfv": mfv_version()}
    recorded, rounds = (10, 1) if options.quick else (1000, options.runs)
    with tempfile.TemporaryDirectory(prefix="bench-cli-") as name:
        folder = Path(name)
        Maker(folder / ".mfv").add(recorded, archived=False)
        comparison = commands(folder, recorded, rounds)
    print((as_json if options.json else as_markdown)([comparison], versions))


def commands(folder: Path, recorded: int, rounds: int) -> Comparison:
    """The commands in turn, all in the repository in `folder`; Python itself is the baseline."""
    lines = {
        "`python -c pass`": [sys.executable, "-c", "pass"],
        "`mfv --version`": [*MFV, "--version"],
        "`mfv --help`": [*MFV, "--help"],
        f"`mfv log` of {recorded} runs": [*MFV, "log"],
    }
    contenders = [
        Contender(name, command, mfv_environment(), folder=folder)
        for name, command in lines.items()
    ]
    return compare("command", contenders, rounds=rounds, warm_up=rounds > 1)


if __name__ == "__main__":
    run_main(main)
