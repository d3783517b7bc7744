"""Measures commands in turn, A B A B, and compares them pair by pair.

What one measures on a busy machine drifts; what two commands cost one right after the other
drifts together. So every comparison is a ratio within a round, and what is told is the median of
those ratios, with the lowest and the highest beside it.

Knows nothing of mfv, so that a broken mfv is told as such and not as a failed import.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

_SUPERVISOR = Path(__file__).with_name("supervise.py")
_LINES_OF_OUTPUT = 20  # of a command that failed, shown with the error


class BenchmarkError(Exception):
    """A measurement could not be made; `hint` says what to do now."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\nhint: {hint}")
        self.message = message
        self.hint = hint


class Cost(NamedTuple):
    """What one command cost, its whole process tree together."""

    wall: float  # seconds until the command itself ended
    cpu: float  # seconds, user and system
    peak: int  # bytes, of the largest process


# The measured values of one run by metric name: "wall", "cpu", "peak" and what a probe adds.
Sample = Mapping[str, float]


class Contender(NamedTuple):
    """One side of a comparison: a command, and where it runs."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    # Makes the folder of one run ready, and says which more variables the command needs there ...
    prepare: Callable[[Path], Mapping[str, str]] | None = None
    # ... and reads more numbers off that folder when the run is over.
    probe: Callable[[Path], Sample] | None = None
    # Where every run takes place, in place of a fresh empty folder each.
    folder: Path | None = None


class Comparison(NamedTuple):
    """All samples of some contenders, round by round; the first one is the baseline."""

    title: str
    samples: Mapping[str, Sequence[Sample]]  # contender's name -> one sample a round

    @property
    def baseline(self) -> str:
        return next(iter(self.samples))

    def median(self, name: str, metric: str) -> float:
        """The median of one metric of the contender `name`, in the metric's own unit."""
        return median(sample[metric] for sample in self.samples[name])

    def ratios(self, name: str, metric: str) -> list[float]:
        """The contender's value over the baseline's, one a round; empty where that is zero.

        A contender that is slow may have fewer rounds than the baseline.
        """
        pairs = zip(self.samples[name], self.samples[self.baseline], strict=False)
        return [own[metric] / base[metric] for own, base in pairs if base[metric]]


def measure(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout: float = 900.0,  # seconds
) -> Cost:
    """Run `command` in `folder` and say what it and all its processes cost.

    BenchmarkError, with the end of its output, if it cannot start, fails or takes too long;
    then its process group is killed.
    """
    with tempfile.TemporaryDirectory(prefix="bench-report-") as scratch:
        report, output = Path(scratch, "report"), Path(scratch, "output")
        arguments = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(report), *command]
        with output.open("wb") as sink:
            process = subprocess.Popen(
                arguments,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            process.wait(timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                problem = f"took more than {timeout:g} s, or left processes behind for so long"
                raise _failure(command, problem, output) from None
            raise
        if process.returncode != 0 or not report.exists():
            raise _failure(command, "could not be started", output)
        status, wall, cpu, peak = report.read_text("ascii").split()
        if status != "0":
            raise _failure(command, f"failed with status {status}", output)
    return Cost(float(wall), float(cpu), int(peak))


def compare(
    title: str,
    contenders: Sequence[Contender],
    *,
    rounds: int,
    warm_up: bool = True,
    timeout: float = 900.0,  # seconds of one run
    failed: Callable[[str, BenchmarkError], None] | None = None,
) -> Comparison:
    """Run every contender once a round, in turn, `rounds` times; the first is the baseline.

    With `warm_up` one more round goes first and is not counted, so that byte code and the file
    cache are as they are on every run but the first. With `failed` a contender that fails is told
    to it by name and left out from then on, but for the baseline.
    """
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    left = list(contenders)
    for number in range(-1 if warm_up else 0, rounds):
        for contender in tuple(left):
            try:
                sample = _sample(contender, timeout)
            except BenchmarkError as error:
                if failed is None or contender is contenders[0]:
                    raise
                failed(contender.name, error)
                left.remove(contender)
                continue
            if number >= 0:
                samples[contender.name].append(sample)
    return Comparison(title, {name: some for name, some in samples.items() if some})


def clean_environment(*, without: Iterable[str]) -> dict[str, str]:
    """This process's environment less every variable that starts with one of `without`."""
    prefixes = tuple(without)
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def arguments(description: str | None, *, runs: int) -> argparse.ArgumentParser:
    """The options that every benchmark has: --runs, --quick, --json."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=at_least_one, default=runs, help="rounds that count")
    parser.add_argument("--quick", action="store_true", help="one small round: does it work?")
    parser.add_argument("--json", action="store_true", help="every sample, for programs")
    return parser


def run_main(main: Callable[[], None]) -> None:
    """Call `main`; a BenchmarkError is told on standard error and ends the program with 1."""
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"error: {error}")


def _sample(contender: Contender, timeout: float) -> Sample:
    with tempfile.TemporaryDirectory(prefix="bench-run-") as fresh:
        folder = contender.folder or Path(fresh)
        variables = contender.prepare(folder) if contender.prepare is not None else {}
        environment = {**contender.environment, **variables}
        command = contender.command
        cost = measure(command, folder=folder, environment=environment, timeout=timeout)
        more = contender.probe(folder) if contender.probe is not None else {}
        return {**cost._asdict(), **more}


def _failure(command: Sequence[str], problem: str, output: Path) -> BenchmarkError:
    lines = output.read_text("utf-8", errors="replace").splitlines()[-_LINES_OF_OUTPUT:]
    shown = "\n".join(f"  | {line}" for line in lines) or "  | (it printed nothing)"
    return BenchmarkError(f"`{' '.join(command)}` {problem}:\n{shown}")


def at_least_one(text: str) -> int:
    """The type of an option that is a number of things."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
