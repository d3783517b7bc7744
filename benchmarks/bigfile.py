"""How fast does a file of 4 GiB go into the store and out of it, and in how much memory?

    python benchmarks/bigfile.py              4 GiB, 5 rounds; some minutes and 13 GB of disk
    python benchmarks/bigfile.py --quick      64 MiB, 1 round: does it work?

Beside it in the same rounds: `cp`, a BLAKE3 pass over the source by `b3sum`, and an fsync, which
is what every byte costs that is copied, hashed and durable.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from engines.base import check_files, fresh, run
from engines.libraries import Mfv
from goals import Goal, at_most, of_pairs
from harness import Comparison, Sample, run_main
from mfv_command import mfv_version
from outcome import Outcome, tell
from report import plain, table
from suite import plain_parser

INTO, OUT = "into the store", "out of it"
MEMORY = 128 << 20  # bytes
_BLOCK = 16 << 20  # bytes
# One thread, as nothing else of this baseline uses more, over a mapping of the file.
_HASH = (
    "import sys; from blake3 import blake3; "
    "print(blake3(max_threads=1).update_mmap(sys.argv[1]).hexdigest())"
)


def main() -> None:
    parser = plain_parser(__doc__)
    parser.add_argument("--runs", type=int, default=5, help="rounds that count")
    parser.add_argument("--mib", type=int, default=4096, help="size of the file")
    options = parser.parse_args()
    mib, rounds = (64, 1) if options.quick else (options.mib, options.runs)
    hasher, baseline = choose_hasher()
    samples: dict[str, dict[str, list[Sample]]] = {
        action: {baseline: [], "mfv": []} for action in (INTO, OUT)
    }
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        folder = Path(name)
        source = folder / "file"
        write_file(source, mib, options.seed)
        for number in range(rounds):
            for action, sample in copied(folder / "copies", source, hasher).items():
                samples[action][baseline].append(sample)
            for action, sample in stored(folder / "place", source).items():
                samples[action]["mfv"].append(sample)
            print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
    comparisons = [Comparison(f"{mib} MiB {action}", samples[action]) for action in samples]
    outcome = Outcome(
        "bigfile",
        f"A file of {mib} MiB of random bytes, seed {options.seed}.",
        tables=[table(comparison) for comparison in comparisons],
        goals=goals(samples, baseline),
        full=mib >= 4096,
        samples={"comparisons": [plain(comparison) for comparison in comparisons]},
        versions={"mfv": mfv_version()},
    )
    tell(outcome, options)


def choose_hasher() -> tuple[list[str], str]:
    """The command that hashes a file, and what the baseline is called with it."""
    if shutil.which("b3sum"):
        return ["b3sum", "--no-names"], "cp + b3sum + fsync"
    return [sys.executable, "-c", _HASH], "cp + blake3 in Python on one thread + fsync"


def write_file(path: Path, mib: int, seed: int) -> None:
    """So many MiB that nothing compresses."""
    import numpy as np

    draw = np.random.default_rng([seed, 105])
    left = mib << 20
    with path.open("wb") as file:
        while left:
            size = min(left, _BLOCK)
            file.write(draw.bytes(size))
            left -= size


def copied(folder: Path, source: Path, hasher: list[str]) -> dict[str, Sample]:
    """The baseline: in and out are the same work, each with a file of its own."""
    fresh(folder)
    script = 'cp "$1" "$2" && sync "$2" && shift 2 && "$@" > name'
    found: dict[str, Sample] = {}
    before = source
    for action in (INTO, OUT):
        after = folder / action.replace(" ", "-")
        os.sync()
        command = ["sh", "-c", script, "sh", str(before), str(after), *hasher, str(before)]
        found[action] = run(command, folder)
        check_files(after, source)
        before = after
    shutil.rmtree(folder)
    return found


def stored(place: Path, source: Path) -> dict[str, Sample]:
    """mfv: into a repository of its own, and out of it to a new file that is compared."""
    engine = Mfv("file")
    engine.begin(place)
    os.sync()
    into = engine.store(place, source, 0)
    os.sync()
    out = engine.restore(place, source, 0)
    shutil.rmtree(place)
    return {INTO: into, OUT: out}


def goals(samples: dict[str, dict[str, list[Sample]]], baseline: str) -> list[Goal]:
    """What is asked of 4 GiB."""
    found = []
    for action, by_name in samples.items():
        pairs = zip(by_name[baseline], by_name["mfv"], strict=True)
        speeds = [one["wall"] / own["wall"] for one, own in pairs]
        asked = f"{action}: at least 0.8 of the speed of {baseline}"
        found.append(of_pairs(asked, speeds, at_least=0.8))
        peak = max(sample["peak"] for sample in by_name["mfv"])
        found.append(at_most(f"{action}: within 128 MiB of memory", peak, MEMORY))
    return found


if __name__ == "__main__":
    run_main(main)
