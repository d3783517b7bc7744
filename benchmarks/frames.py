"""From what size on should a buffer of a value be a frame of its own?

A dict of equally large arrays of float32 weights is stored, and again after a tenth of the arrays
changed: every buffer in the stream beside every buffer as a frame. In memory, so that no disk is
in it; CPU seconds of the whole `store` and flush, the best of all rounds, and bytes in packs.

    python benchmarks/frames.py              buffers of 1 to 256 KiB, 16 MiB of each, 5 rounds
    python benchmarks/frames.py --quick      1 MiB of each, 1 round
"""

from __future__ import annotations

import argparse
import json
import time
from typing import NamedTuple

import numpy as np
from machine import machine_line

from mfv.odb.database import Database
from mfv.odb.writer import Writer
from mfv.repo.artifacts import load, store
from mfv.serde import arrays, lending
from mfv.storage.memory import MemoryBackend

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # KiB
CHANGED = 10  # one array in so many is another in the second version


class Cost(NamedTuple):
    """What it took to store one version, and to load the second."""

    first: float  # CPU seconds
    again: float
    load: float
    first_bytes: int
    again_bytes: int


def measure(size: int, total: int, threshold: int, seed: int) -> Cost:
    """Stores two versions of `total` bytes of arrays of `size` bytes, lent out from `threshold`."""
    lending.OUT_OF_BAND_FROM = arrays.OUT_OF_BAND_FROM = threshold
    generator = np.random.default_rng(seed)
    count = total // size
    value = {f"layer {i}": generator.normal(0, 0.02, size // 4).astype("f4") for i in range(count)}
    changed = dict(value)
    for place in generator.permutation(count)[: max(1, count // CHANGED)]:
        changed[f"layer {place}"] = generator.normal(0, 0.02, size // 4).astype("f4")
    backend = MemoryBackend()
    seconds, sizes = [], []
    for version in (value, changed):
        begun = time.process_time()
        writer = Writer(Database(backend))
        artifact = store(writer, "value", version)
        receipts = writer.flush().receipts
        seconds.append(time.process_time() - begun)
        sizes.append(sum(receipt.size for receipt in receipts))
    begun = time.process_time()
    again = load(Database(backend), artifact)
    loading = time.process_time() - begun
    assert isinstance(again, dict)
    assert all(np.array_equal(again[name], array) for name, array in changed.items())
    return Cost(*seconds, loading, *sizes)


def best(costs: list[Cost]) -> Cost:
    return Cost(*(min(column) for column in zip(*costs, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds")
    parser.add_argument("--quick", action="store_true", help="1 MiB of each size, one round")
    parser.add_argument("--json", action="store_true", help="every figure")
    options = parser.parse_args()
    total, runs = (1 << 20, 1) if options.quick else (16 << 20, options.runs)
    rows = {}
    for kib in SIZES:
        rounds: dict[str, list[Cost]] = {"stream": [], "frames": []}
        for seed in range(runs):
            rounds["stream"].append(measure(kib << 10, total, 1 << 40, seed))
            rounds["frames"].append(measure(kib << 10, total, 0, seed))
        rows[kib] = {way: best(costs) for way, costs in rounds.items()}
    if options.json:
        print(json.dumps({k: {w: c._asdict() for w, c in r.items()} for k, r in rows.items()}))
        return
    print(f"{machine_line()}\n")
    print("| KiB a buffer | µs a buffer: first | changed | load | of raw: first | changed |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for kib, row in rows.items():
        count = total // (kib << 10)
        cells = [
            " / ".join(f"{getattr(row[way], field) / count * 1e6:.0f}" for way in rounds)
            for field in ("first", "again", "load")
        ]
        cells += [
            " / ".join(f"{getattr(row[way], field) / total:.3f}" for way in rounds)
            for field in ("first_bytes", "again_bytes")
        ]
        print(f"| {kib} | {' | '.join(cells)} |")
    print("\nEach cell: in the stream / as frames.")


if __name__ == "__main__":
    main()
