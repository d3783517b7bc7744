"""What does it cost to say what changed between two versions of a large model?

    python benchmarks/diff.py            200 tensors of 5 MB, two of which changed
    python benchmarks/diff.py --quick    20 small ones: does it work?

`mfv diff` names the tensors and says how far they moved, from two recorded runs. Beside it: a
script that has both versions as pickles, loads them and compares all tensors, as people do by hand.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from pathlib import Path

import numpy
from goals import Goal, at_most
from harness import Comparison, Contender, compare, measure, run_main
from mfv_command import MFV, mfv_environment, mfv_version
from outcome import Outcome, tell
from report import plain, table
from suite import plain_parser

TENSORS, NUMBERS = 200, 1_310_720
ROUNDS = 5
TITLE = "two versions of a model"
BY_HAND_NAME = "numpy over both pickles"

FLOW = """\
import pickle

from mfv import FlowSpec, Parameter, step


class ModelFlow(FlowSpec):
    version = Parameter("version", default="before")

    @step
    def start(self):
        with open(f"{self.version}.pickle", "rb") as file:
            self.model = pickle.load(file)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ModelFlow()
"""

BY_HAND = """\
import pickle

import numpy

with open("before.pickle", "rb") as file:
    before = pickle.load(file)
with open("after.pickle", "rb") as file:
    after = pickle.load(file)
for name in before:
    distance = numpy.abs(before[name] - after[name])
    if distance.max():
        print(name, distance.max(), distance.mean())
"""


def main() -> None:
    parser = plain_parser(__doc__)
    options = parser.parse_args()
    tensors, numbers = (20, 20_000) if options.quick else (TENSORS, NUMBERS)
    rounds = 1 if options.quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        folder = Path(name)
        write_versions(folder, tensors, numbers, options.seed)
        (folder / "flow.py").write_text(FLOW, encoding="utf-8")
        (folder / "by_hand.py").write_text(BY_HAND, encoding="utf-8")
        for version in ("before", "after"):
            command = [sys.executable, "flow.py", "run", "--version", version]
            measure(command, folder=folder, environment=mfv_environment())
        comparison = compare_both(folder, rounds)
    size = tensors * numbers * 4
    about = f"{tensors} tensors of float32, {size / 1e9:.2f} GB, two of them changed, "
    tell(
        Outcome(
            "diff",
            f"{about}seed {options.seed}.",
            tables=[table(comparison)],
            goals=goals(comparison),
            full=not options.quick,
            samples={"diff": plain(comparison)},
            versions={"mfv": mfv_version(), "numpy": numpy.__version__},
        ),
        options,
    )


def write_versions(folder: Path, tensors: int, numbers: int, seed: int) -> None:
    """Both versions as pickles: one tensor was moved, and one was scaled."""
    draw = numpy.random.default_rng(seed)
    model = {
        f"block{place}.weight": draw.standard_normal(numbers, dtype="f4")
        for place in range(tensors)
    }
    _write(folder / "before.pickle", model)
    model["block7.weight"] = model["block7.weight"] + numpy.float32(0.01)
    last = f"block{tensors - 3}.weight"
    model[last] = model[last] * numpy.float32(1.1)
    _write(folder / "after.pickle", model)


def _write(path: Path, model: dict[str, object]) -> None:
    with path.open("wb") as file:
        pickle.dump(model, file, protocol=5)


def compare_both(folder: Path, rounds: int) -> Comparison:
    """Both ways in turn; mfv is the baseline."""
    environment = mfv_environment()
    contenders = [
        Contender("`mfv diff 1 2`", [*MFV, "diff", "1", "2"], environment, folder=folder),
        Contender(BY_HAND_NAME, [sys.executable, "by_hand.py"], environment, folder=folder),
    ]
    return compare(TITLE, contenders, rounds=rounds, warm_up=rounds > 1)


def goals(comparison: Comparison) -> list[Goal]:
    """What is asked: an answer before one wonders, in little memory."""
    name = comparison.baseline
    return [
        at_most("it is said in under 1.5 s", comparison.median(name, "wall"), 1.5, "s"),
        at_most("in under 300 MB", comparison.median(name, "peak"), 300e6),
    ]


if __name__ == "__main__":
    run_main(main)
