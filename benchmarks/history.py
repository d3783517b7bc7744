"""What does a history of very many runs cost to ask, to catch up with, and to index anew?

    python benchmarks/history.py            1,000,000 runs; an hour, most of it to make them
    python benchmarks/history.py --quick    400 runs, without peers: does it work?
    python benchmarks/history.py --runs 20000 --engines mfv

Every run has ten parameters and left ten numbers. The newest 20, the best 20 of those that fit a
query, and one run, each asked by a process of its own: beside a Python that does nothing, and
beside MLflow, DVC and Metaflow at the sizes of which they can be filled in some minutes.
"""

from __future__ import annotations

import argparse
import heapq
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engines.histories import WHERE, DvcExperiments, History, MetaflowClient, Mfv, MlFlow
from engines.questions import BEST, LISTED, NEWEST, ONE, QUESTIONS, fits
from goals import Goal, at_most
from harness import BenchmarkError, Comparison, Contender, at_least_one, compare, run_main
from mfv_command import MFV, mfv_environment
from outcome import Outcome, tell
from report import cell, format_value, markdown, plain
from series import reason
from suite import plain_parser
from workloads.history import Maker, count_of, values_of

SIZES = (100, 1000, 10_000)  # and the one that is asked for
MILLION = 1_000_000
PEER_RUNS = 10_000
ADDED = 1000  # runs that the index has not seen
ROUNDS = 5
PATIENCE = 3600.0  # seconds that an index may take to be made
NOTHING = "`python -c pass`"
CAUGHT_UP, REBUILT = "caught up", "rebuilt"
_HEADINGS = {NEWEST: f"the newest {LISTED}", BEST: f"the best {LISTED} that fit", ONE: "one run"}


@dataclass
class Measured:
    """All that was measured at one size."""

    runs: int
    found: dict[str, Comparison] = field(default_factory=dict)  # by question; CAUGHT_UP, REBUILT
    failed: dict[str, str] = field(default_factory=dict)  # peers that are missing, and why

    def fail(self, name: str, error: Exception) -> None:
        self.failed[name] = reason(error)
        print(f"{name}: {self.failed[name]}", file=sys.stderr, flush=True)


def main() -> None:
    options = parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        measured, versions = measure_all(Path(name).resolve(), options)
    tables = [*map(as_table, measured), upkeep_table(measured, added_of(options))]
    largest = measured[-1]
    about = f"Runs of ten parameters and ten numbers, up to {largest.runs:,}, seed {options.seed}."
    samples = {
        "sizes": [
            {
                "runs": one.runs,
                "failed": one.failed,
                "comparisons": {name: plain(value) for name, value in one.found.items()},
            }
            for one in measured
        ]
    }
    full = largest.runs >= MILLION
    tell(
        Outcome("history", about, (), tables, goals(largest), full, samples, versions),
        options,
    )


def parser() -> argparse.ArgumentParser:
    made = plain_parser(__doc__ or "")
    number = at_least_one
    made.add_argument("--runs", type=number, default=MILLION, help="how many the largest has")
    made.add_argument("--rounds", type=number, default=ROUNDS, help="processes of each command")
    made.add_argument("--rebuilds", type=number, help="of `mfv reindex` at the largest size")
    made.add_argument(
        "--peer-runs", type=number, default=PEER_RUNS, help="the most that a peer is filled with"
    )
    made.add_argument(
        "--repository",
        type=Path,
        metavar="FOLDER",
        help="a `.mfv` made by workloads/history.py, of which a copy is the largest",
    )
    made.add_argument("--engines", help="some of MLflow,DVC,Metaflow; mfv is always among them")
    return made


def sizes_of(options: argparse.Namespace) -> list[int]:
    """How many runs each history has, the largest last."""
    if options.quick:
        return [20, 400]
    largest = options.runs
    if options.repository is not None:
        if not (options.repository / "format").exists():
            raise BenchmarkError(f"{options.repository} is no repository", hint="name the `.mfv`")
        largest = count_of(options.repository)
    return [*(size for size in SIZES if size < largest), largest]


def added_of(options: argparse.Namespace) -> int:
    return ADDED // 20 if options.quick else ADDED


def peers_of(options: argparse.Namespace) -> list[History]:
    known: list[History] = [MlFlow(), DvcExperiments(), MetaflowClient()]
    if options.quick:
        return []
    if options.engines is None:
        return known
    wanted = {name.strip() for name in options.engines.split(",")}
    return [one for one in known if one.name in wanted]


def measure_all(
    folder: Path, options: argparse.Namespace
) -> tuple[list[Measured], Mapping[str, str]]:
    """Every size in a folder that is gone before the next is made; and the versions."""
    peers, missing = [], {}
    versions = {"mfv": Mfv().version()}
    for peer in peers_of(options):
        try:
            versions[peer.name] = peer.version()
            peers.append(peer)
        except BenchmarkError as error:
            missing[peer.name] = reason(error)
    found = []
    for size in sizes_of(options):
        place = folder / str(size)
        most = options.peer_runs
        taking_part = [peer for peer in peers if size <= min(most, peer.limit or most)]
        told = missing if size == sizes_of(options)[0] else {}
        measured = Measured(size, failed=dict(told))
        found.append(measured)
        measure(measured, place, taking_part, options)
        shutil.rmtree(place)
    return found, versions


def measure(
    measured: Measured, folder: Path, peers: Sequence[History], options: argparse.Namespace
) -> None:
    """Fills all histories, and asks them in turn; then what mfv does about its index."""
    rounds, size = 1 if options.quick else options.rounds, measured.runs
    largest = size == sizes_of(options)[-1]
    mfv = Mfv()
    fill(mfv, folder, size, options.seed, options.repository if largest else None)
    taking_part: list[History] = [mfv]
    for peer in peers:
        try:
            fill(peer, folder, size, options.seed)
            taking_part.append(peer)
        except BenchmarkError as error:
            measured.fail(peer.name, error)
    for question in QUESTIONS:
        say(f"{size:,} runs, {_HEADINGS[question]}")
        going_on = [one for one in taking_part if one.name not in measured.failed]
        asking = [asker(history, folder, question, size) for history in going_on]
        measured.found[question] = compare(
            _HEADINGS[question],
            [asking[0], nothing(folder), *asking[1:]],
            rounds=rounds,
            warm_up=not options.quick,
            failed=measured.fail,
        )
    place = folder / mfv.name
    say(f"{size:,} runs, index made anew")
    rebuilds = options.rebuilds if largest and options.rebuilds is not None else rounds
    measured.found[REBUILT] = rebuilt(place, rebuilds)
    say(f"{size:,} runs, index caught up")
    measured.found[CAUGHT_UP] = caught_up(place, added_of(options), options.seed, rounds)


def fill(history: History, folder: Path, size: int, seed: int, given: Path | None = None) -> None:
    """Makes a history of so many runs, or copies the one that is given; then tries it."""
    place = folder / history.name
    place.mkdir(parents=True)
    if given is None:
        say(f"{history.name}: {size:,} runs are made")
        history.fill(place, size, seed)
    else:
        shutil.copytree(given, place / ".mfv", symlinks=True)
    for question in QUESTIONS:
        check(history, place, question, size, seed)


def check(history: History, place: Path, question: str, size: int, seed: int) -> None:
    """BenchmarkError unless that is the answer; what an index needs is made by it too."""
    answer = history.answer(place, question, one_of(size))
    if question == BEST:  # two may have the same accuracy
        got = [values_of(number, seed)[1]["accuracy"] for number in answer]
        wanted = [-value for value in heapq.nsmallest(LISTED, fitting(size, seed))]
        right = got == wanted
    elif question == NEWEST:
        right = answer == list(range(size - 1, max(-1, size - 1 - LISTED), -1))
    else:
        right = answer == [one_of(size)]
    if not right:
        raise BenchmarkError(f"{history.name} gives a wrong answer to: {_HEADINGS[question]}")


def one_of(size: int) -> int:
    """The run that is looked at alone."""
    return size // 2


def fitting(size: int, seed: int) -> Iterator[float]:
    """The accuracies of the runs that fit the query, less than zero."""
    for number in range(size):
        parameters, results = values_of(number, seed)
        if fits(parameters["lr"], results["accuracy"]):
            yield -float(str(results["accuracy"]))


def asker(history: History, folder: Path, question: str, size: int) -> Contender:
    place = folder / history.name
    command = history.command(place, question, one_of(size))
    environment = history.environment(place)
    return Contender(history.name, command, environment, folder=history.folder(place))


def nothing(folder: Path) -> Contender:
    command = [sys.executable, "-c", "pass"]
    return Contender(NOTHING, command, mfv_environment(), folder=folder)


def rebuilt(place: Path, rounds: int) -> Comparison:
    """`mfv reindex`; the command that asked before has read all that it reads."""
    command = [*MFV, "reindex"]
    contender = Contender(Mfv.name, command, mfv_environment(), folder=place)
    return compare(REBUILT, [contender], rounds=rounds, warm_up=False, timeout=PATIENCE)


def caught_up(place: Path, added: int, seed: int, rounds: int) -> Comparison:
    """The first query after new runs, every time in the repository as it was before that query."""
    cache, before = place / ".mfv" / "cache", place / "before"
    shutil.copytree(cache, before, symlinks=True)
    Maker(place / ".mfv", seed).add(added, archived=False)

    def forget(_: Path) -> Mapping[str, str]:
        shutil.rmtree(cache)
        shutil.copytree(before, cache, symlinks=True)
        os.sync()  # so that what is written here is not waited for there
        return {}

    command = Mfv().command(place, BEST, 0)
    contender = Contender(Mfv.name, command, mfv_environment(), prepare=forget, folder=place)
    return compare(CAUGHT_UP, [contender], rounds=rounds, warm_up=rounds > 1)


def as_table(measured: Measured) -> str:
    """One row a contender, those that are missing with the reason."""
    asked = {question: measured.found[question] for question in QUESTIONS}
    rounds = len(asked[NEWEST].samples[Mfv.name])
    head = f"{measured.runs:,} runs ({rounds} round{'s' if rounds > 1 else ''})"
    rows = [[head, *(_HEADINGS[question] for question in QUESTIONS), "peak memory"]]
    for name in dict.fromkeys(name for one in asked.values() for name in one.samples):
        cells = [answered(one, name) for one in asked.values()]
        peaks = [one.median(name, "peak") for one in asked.values() if name in one.samples]
        label = f"{name} (= 1)" if name == Mfv.name else name
        rows.append([label, *cells, format_value(max(peaks), "bytes")])
    rows += [[name, why, *[""] * len(QUESTIONS)] for name, why in measured.failed.items()]
    return markdown(rows)


def answered(comparison: Comparison, name: str) -> str:
    if name not in comparison.samples:
        return ""
    ratios = [] if name == comparison.baseline else comparison.ratios(name, "wall")
    return cell(comparison.median(name, "wall"), "s", ratios)


def upkeep_table(measured: Sequence[Measured], added: int) -> str:
    """What the index costs: to be caught up, and to be made anew."""
    head = ["mfv's index", f"query after {added:,} new runs", "made anew", "peak memory", "rounds"]
    rows = [head]
    for one in measured:
        late, anew = one.found[CAUGHT_UP], one.found[REBUILT]
        rows.append(
            [
                f"{one.runs:,} runs",
                format_value(late.median(Mfv.name, "wall"), "s"),
                format_value(anew.median(Mfv.name, "wall"), "s"),
                format_value(anew.median(Mfv.name, "peak"), "bytes"),
                f"{len(late.samples[Mfv.name])} and {len(anew.samples[Mfv.name])}",
            ]
        )
    return markdown(rows)


def goals(measured: Measured) -> list[Goal]:
    """What is asked of a million runs."""

    def held(asked: str, what: str, limit: float, metric: str = "wall", unit: str = "s") -> Goal:
        return at_most(asked, measured.found[what].median(Mfv.name, metric), limit, unit)

    return [
        held(f"`mfv log -n {LISTED}` within 120 ms", NEWEST, 0.120),
        held(f"`mfv log --where '{WHERE}' --sort -accuracy` within 300 ms", BEST, 0.300),
        held("`mfv show` of a run within 150 ms", ONE, 0.150),
        held(f"a query after {ADDED:,} new runs within 2 s", CAUGHT_UP, 2.0),
        held("`mfv reindex` within 300 s", REBUILT, 300.0),
        held("`mfv reindex` within 1 GB of memory", REBUILT, 1e9, "peak", "bytes"),
    ]


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_main(main)
