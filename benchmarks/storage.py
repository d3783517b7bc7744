"""What does it cost to store a large array, to store it again, and to load it?

    python benchmarks/storage.py              512 MiB, 5 rounds; some minutes
    python benchmarks/storage.py --quick      16 MiB, 1 round: does it work?

Random doubles, which nothing compresses. Beside mfv in every round: `pickle`, joblib, one BLAKE3
pass over the same bytes, hf_xet, restic, borg and Metaflow's datastore. Before the array is stored
again its file gets a new time, as when it is written anew: engines that believe a file's times read
it as well.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from engines.base import Engine, Inside
from engines.commands import Borg, Restic
from engines.libraries import HfXet, Metaflow, Mfv, Plain, here
from goals import Goal, at_most, of_pairs
from harness import BenchmarkError, Comparison, Sample, run_main
from outcome import Outcome, tell
from report import markdown, plain, table
from series import reason
from suite import add_engine_options, choose, plain_parser

NEW, UNCHANGED, LOAD = "store new", "store unchanged", "load"
METRICS = ("wall", "cpu", "peak")
ROOM = 96_000_000  # bytes beyond the object
# Slow, and of no goal: a round or two tell what they cost.
_FEW = {"joblib (compress=3)"}


class Pass(Inside):
    """One BLAKE3 pass; it stores nothing, and takes part where `action` is compared."""

    def __init__(self, threads: int, action: str) -> None:
        word = "one thread" if threads == 1 else f"{threads} threads"
        super().__init__(f"BLAKE3, {word}", "passes.py", [str(threads)])
        self.action = action

    def version(self) -> str:
        return here("blake3")


# What every byte costs that is hashed: always among them.
PASSES = (Pass(1, UNCHANGED), Pass(2, LOAD))

Rounds = dict[str, dict[str, list[Sample]]]  # action -> contender -> a sample a round


def main() -> None:
    parser = plain_parser(__doc__)
    parser.add_argument("--runs", type=int, default=5, help="rounds that count, after one more")
    parser.add_argument("--mib", type=int, default=512, help="size of the array")
    add_engine_options(parser)
    options = parser.parse_args()
    size, rounds = (16, 1) if options.quick else (options.mib, options.runs)
    engines = [*choose(all_engines(), options.engines), *PASSES]
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        folder = Path(name)
        source = write_array(folder, size, options.seed)
        found, versions, failed = measure_rounds(
            engines, folder, source, rounds, options.patience, warm_up=not options.quick
        )
    titles = {
        action: f"{action}: {size} MiB of random doubles" for action in (NEW, UNCHANGED, LOAD)
    }
    comparisons = [Comparison(titles[action], found[action]) for action in titles]
    tables = [table(comparison) for comparison in comparisons]
    if failed:
        tables.append(markdown([["left out", "why"], *map(list, failed.items())]))
    outcome = Outcome(
        "storage",
        f"{size} MiB of random doubles, seed {options.seed}.",
        tables=tables,
        goals=goals(found, size << 20, failed),
        full=size >= 512,
        samples={"comparisons": [plain(comparison) for comparison in comparisons]},
        versions=versions,
    )
    tell(outcome, options)


def all_engines() -> list[Engine]:
    """mfv and its peers."""
    peers = [Plain("pickle"), Plain("joblib-0"), Plain("joblib-3"), HfXet(), Restic(), Borg()]
    return [Mfv(), *peers, Metaflow()]


def write_array(folder: Path, mib: int, seed: int) -> Path:
    """The pickle of so many MiB of random bits as doubles."""
    import numpy as np

    array = np.random.default_rng([seed, 104]).integers(0, 1 << 64, mib << 17, dtype="u8")
    path = folder / "array.pkl"
    with path.open("wb") as file:
        pickle.dump(array.view("f8"), file, 5)
    return path


def measure_rounds(
    engines: Sequence[Engine],
    folder: Path,
    source: Path,
    rounds: int,
    patience: float,
    *,
    warm_up: bool,
) -> tuple[Rounds, dict[str, str], dict[str, str]]:
    """All contenders in turn, round by round; versions; and which are left out, with the reason.

    With `warm_up` one more round of the quick ones goes first and is not counted. One of no goal
    stops when it has taken more than `patience` seconds.
    """
    found: Rounds = {NEW: {}, UNCHANGED: {}, LOAD: {}}
    versions: dict[str, str] = {}
    failed: dict[str, str] = {}
    spent = dict.fromkeys((engine.name for engine in engines), 0.0)
    for number in range(-1 if warm_up else 0, rounds):
        for engine in engines:
            slow = spent[engine.name] > patience and engine.name in _FEW
            if engine.name in failed or slow or (number < 0 and isinstance(engine, Metaflow)):
                continue
            begun = time.monotonic()
            try:
                versions[engine.name] = engine.version()
                samples = one_round(engine, folder / "place", source)
            except (BenchmarkError, OSError) as error:
                failed[engine.name] = reason(error)
                versions.pop(engine.name, None)
                continue
            finally:
                shutil.rmtree(folder / "place", ignore_errors=True)
            spent[engine.name] += time.monotonic() - begun
            if number >= 0:
                for action, sample in samples.items():
                    found[action].setdefault(engine.name, []).append(sample)
            told = ", ".join(f"{action} {one['wall']:.2f}" for action, one in samples.items())
            print(f"round {number + 1}: {engine.name}: {told}", file=sys.stderr, flush=True)
    if engines[0].name in failed:
        raise BenchmarkError(f"{engines[0].name}, the baseline, failed: {failed[engines[0].name]}")
    return found, versions, failed


def one_round(engine: Engine, place: Path, source: Path) -> dict[str, Sample]:
    """One contender's samples by action, on a store of its own."""
    engine.begin(place)
    if isinstance(engine, Pass):
        return {engine.action: _chosen(engine.store(place, source, 0))}
    os.sync()  # what the one before left to be written is not to be written in this one's time
    new = engine.store(place, source, 0)
    os.utime(source)
    os.sync()
    again = engine.store(place, source, 1)
    loaded = engine.restore(place, source, 0)
    return {NEW: _chosen(new), UNCHANGED: _chosen(again), LOAD: _chosen(loaded)}


def _chosen(sample: Sample) -> Sample:
    return {metric: sample[metric] for metric in METRICS}


def goals(found: Rounds, size: int, failed: dict[str, str]) -> list[Goal]:
    """What is asked of 512 MiB."""

    def pairs(action: str, own: str, other: str) -> list[float]:
        samples = found[action]
        if own not in samples or other not in samples:
            return []
        both = zip(samples[own], samples[other], strict=False)
        return [one["wall"] / two["wall"] for one, two in both]

    def most(asked: str, action: str, peer: str, limit: float) -> Goal:
        told = failed.get(peer, "")
        return of_pairs(asked, pairs(action, "mfv", peer), at_most=limit, otherwise=told)

    def least(asked: str, action: str, peer: str, limit: float) -> Goal:
        told = failed.get(peer, "")
        return of_pairs(asked, pairs(action, peer, "mfv"), at_least=limit, otherwise=told)

    dump = "pickle.dump + fsync"
    made = [
        most("store new: at most 1.5 times `pickle.dump` + fsync", NEW, dump, 1.5),
        least("store new: Metaflow needs at least 15 times as long", NEW, "Metaflow", 15),
        least("store new: restic needs longer", NEW, "restic", 1),
        least("store new: borg needs longer", NEW, "borg (zstd 3)", 1),
        least("store new: hf_xet needs longer", NEW, "hf_xet", 1),
        most("store unchanged: at most 1.5 BLAKE3 passes", UNCHANGED, "BLAKE3, one thread", 1.5),
        most("load: at most 1.2 times `pickle.load` of a warm file", LOAD, dump, 1.2),
        most("load: at most 1.5 BLAKE3 passes on two threads", LOAD, "BLAKE3, 2 threads", 1.5),
        least("load: Metaflow needs at least 15 times as long", LOAD, "Metaflow", 15),
    ]
    for action in (NEW, UNCHANGED, LOAD):
        peak = max(sample["peak"] for sample in found[action]["mfv"])
        asked = f"{action}: at most the object and 96 MB of memory"
        made.append(at_most(asked, peak, size + ROOM))
    return made


if __name__ == "__main__":
    run_main(main)
