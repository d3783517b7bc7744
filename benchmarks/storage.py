"""What does it cost to store a large array, to store it again, and to load it?

Beside it in the same rounds: `pickle.dump` with fsync, `pickle.load`, and one BLAKE3 pass over the
same bytes on one thread and on two. In turn, round after round; medians, and ratios per round.

    python benchmarks/storage.py              512 MiB, 5 rounds
    python benchmarks/storage.py --quick      32 MiB, 1 round
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from blake3 import blake3
from machine import machine_line

from mfv.manifest.artifact import Artifact
from mfv.odb.writer import Writer
from mfv.repo.artifacts import load, store
from mfv.repo.repository import Repository

# Each figure of ours with the peer that it is held against.
RATIOS = {
    "mfv: store new": "pickle.dump + fsync",
    "mfv: store unchanged": "BLAKE3, one thread",
    "mfv: load, every byte verified": "BLAKE3, two threads",
}


def one_round(array: np.ndarray, folder: Path) -> dict[str, float]:
    """Seconds of every contender, each on what the one before left."""
    seconds: dict[str, float] = {}

    def timed(name: str, act: Callable[[], object]) -> object:
        begun = time.perf_counter()
        result = act()
        seconds[name] = time.perf_counter() - begun
        return result

    def dump() -> None:
        with open(folder / "array.pkl", "wb") as file:
            pickle.dump(array, file, 5)
            file.flush()
            os.fsync(file.fileno())

    def load_pickle() -> object:
        with open(folder / "array.pkl", "rb") as file:
            return pickle.load(file)

    def store_it() -> Artifact:
        repository = Repository.create(folder / ".mfv")
        writer = Writer(repository.database)
        artifact = store(writer, "array", array)
        writer.flush()
        return artifact

    raw = array.data.cast("B")
    timed("pickle.dump + fsync", dump)
    artifact = timed("mfv: store new", store_it)
    timed("BLAKE3, one thread", lambda: blake3(raw, max_threads=1).digest())
    timed("mfv: store unchanged", store_it)
    timed("BLAKE3, two threads", lambda: blake3(raw, max_threads=2).digest())
    assert isinstance(artifact, Artifact)
    again = timed(
        "mfv: load, every byte verified",
        lambda: load(Repository.open(folder / ".mfv").database, artifact),
    )
    # As whole numbers: among random doubles there are some that equal not even themselves.
    assert np.array_equal(np.asarray(again).view("u8"), array.view("u8"))
    timed("pickle.load", load_pickle)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds that count, after one more")
    parser.add_argument("--mib", type=int, default=512, help="size of the array")
    parser.add_argument("--quick", action="store_true", help="32 MiB, one round, no warm-up")
    parser.add_argument("--json", action="store_true", help="every sample")
    options = parser.parse_args()
    size, runs = (32, 1) if options.quick else (options.mib, options.runs)
    array = np.frombuffer(os.urandom(size << 20), "f8")
    rounds = []
    for number in range(runs + (not options.quick)):
        folder = Path(tempfile.mkdtemp(prefix="mfv-bench-"))
        try:
            seconds = one_round(array, folder)
        finally:
            shutil.rmtree(folder)
        if options.quick or number:
            rounds.append(seconds)
    if options.json:
        print(json.dumps({"mib": size, "rounds": rounds}, indent=2))
        return
    print(f"{machine_line()}\n")
    print(f"| {size} MiB of random doubles ({runs} rounds) | median | ratio to its peer |")
    print("| --- | ---: | ---: |")
    for name in rounds[0]:
        median = statistics.median(one[name] for one in rounds)
        peer = RATIOS.get(name)
        ratios = sorted(one[name] / one[peer] for one in rounds) if peer else []
        told = f"{statistics.median(ratios):.2f} × {peer}" if ratios else ""
        print(f"| {name} | {median * 1000:.0f} ms | {told} |")


if __name__ == "__main__":
    main()
