"""What becomes of a store in which one bit is wrong, or two files have changed places?

    python benchmarks/bitflips.py              some minutes
    python benchmarks/bitflips.py --flips 400 --swaps 100    more of each; half an hour
    python benchmarks/bitflips.py --quick      three each: does it work?

Each store saves two versions of four small files. Then one bit at a time is turned over, or two
files at a time swapped, the store's own check is asked, and all is read back without any cache.
Half of the flips are drawn among the files, each alike, the other half among all bytes.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from engines.harmed import Borg, Git, Metaflow, Mfv, PackedGit, Parts, Restic, Store, files_of
from engines.kept_runs import REFUSED, WARNED
from goals import Goal
from harness import BenchmarkError, at_least_one, run_main
from outcome import Outcome, tell
from report import markdown
from series import reason
from suite import plain_parser

STORES: tuple[type[Store], ...] = (Mfv, Restic, Borg, Git, PackedGit, Metaflow)
FLIPS, SWAPS = 60, 20
VERSIONS = ("v00", "v01")

FLIP, SWAP = "one bit flipped", "two files swapped"
FOUND, REFUSES, HARMLESS, SILENT = "found", "refused", "harmless", "silently wrong"


class Harm(NamedTuple):
    """What is done to a store: the new bytes of some of its files."""

    kind: str
    what: str
    changes: Mapping[str, bytes]


class Fate(NamedTuple):
    """What came of one harm."""

    store: str
    kind: str
    what: str
    fate: str  # FOUND by the check; else REFUSES to read it back, HARMLESS, or SILENT
    wrong: tuple[str, ...]  # parts that were handed out wrong, or left out, with success


def main() -> None:
    parser = plain_parser(__doc__)
    parser.add_argument("--flips", type=at_least_one, default=FLIPS, help="bits for each store")
    parser.add_argument("--swaps", type=at_least_one, default=SWAPS, help="pairs for each store")
    parser.add_argument("--jobs", type=at_least_one, default=2, help="stores of a kind at once")
    parser.add_argument("--engines", help="some of the stores, by name")
    options = parser.parse_args()
    flips, swaps = (3, 3) if options.quick else (options.flips, options.swaps)
    wanted = options.engines.split(",") if options.engines else [one.name for one in STORES]
    fates: list[Fate] = []
    failed: dict[str, str] = {}
    versions: dict[str, str] = {}
    for kind in STORES:
        if kind.name not in wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
            try:
                versions[kind.name] = kind(Path(name)).version()
                jobs = options.jobs
                fates += harm_all(kind, Path(name).resolve(), flips, swaps, options.seed, jobs)
            except (BenchmarkError, OSError) as error:
                failed[kind.name] = reason(error)
    about = (
        f"Two versions of four small files in each store; {flips} bits and {swaps} pairs of files "
        f"each, seed {options.seed}."
    )
    samples = {"fates": [fate._asdict() for fate in fates], "failed": failed}
    tables = [table(one, fates, failed) for one in (FLIP, SWAP)]
    full = not options.quick and "mfv" in versions
    tell(
        Outcome("bitflips", about, (), tables, goals(fates), full, samples, versions),
        options,
    )


def harm_all(
    kind: type[Store], folder: Path, flips: int, swaps: int, seed: int, jobs: int
) -> list[Fate]:
    """Fills `jobs` stores of one kind, and shares the harms out among them."""

    def work(job: int) -> list[Fate]:
        place = folder / f"place{job}"
        place.mkdir()
        write_versions(place / "versions", seed)
        store = kind(place)
        for version in VERSIONS:
            store.save(version)
        patient = Patient(store, folder / f"whole{job}")
        draw = random.Random(f"{seed} {job}")
        harms = [*draw_flips(patient.files, flips // jobs + (job < flips % jobs), draw)]
        harms += draw_swaps(patient.files, swaps // jobs + (job < swaps % jobs), draw)
        return [patient.suffer(harm) for harm in harms]

    with ThreadPoolExecutor(jobs) as pool:
        found = [fate for some in pool.map(work, range(jobs)) for fate in some]
    print(f"{kind.name}: {len(found)} harms", file=sys.stderr, flush=True)
    return found


class Patient:
    """A store that is harmed again and again, and whole again each time."""

    def __init__(self, store: Store, whole: Path) -> None:
        self._store = store
        self._whole = whole
        shutil.copytree(store.place, whole, symlinks=True)
        self.files = files_of(store)
        self._parts = store.read(VERSIONS)
        if REFUSED in self._parts.values() or store.finds_harm():
            raise BenchmarkError(f"{store.name} is not whole before anything was done to it")
        self._heal()

    def suffer(self, harm: Harm) -> Fate:
        """Does it, and says what came of it."""
        store = self._store
        for key, data in harm.changes.items():
            path = store.kept / key
            path.chmod(0o600)
            path.write_bytes(data)
        found = store.finds_harm()
        parts = store.read(VERSIONS)
        self._heal()
        wrong = tuple(sorted(wrong_parts(self._parts, parts)))
        if found:
            fate = FOUND
        elif wrong:
            fate = SILENT
        else:
            fate = HARMLESS if parts == self._parts else REFUSES
        return Fate(store.name, harm.kind, harm.what, fate, wrong)

    def _heal(self) -> None:
        shutil.rmtree(self._store.place)
        shutil.copytree(self._whole, self._store.place, symlinks=True)


def wrong_parts(whole: Parts, parts: Parts) -> Iterator[str]:
    """The parts that are not what was saved, though nothing refuses them or what leads to them.

    Where it is told that the list of runs and what was said of them may be incomplete, they may.
    """
    for name, value in parts.items():
        said = WARNED in parts and "/" not in name
        if value not in (REFUSED, whole.get(name)) and not said:
            yield name
    if REFUSED not in parts.values():  # else they are missing with what was refused
        yield from whole.keys() - parts.keys()


def draw_flips(files: Mapping[str, bytes], count: int, draw: random.Random) -> Iterator[Harm]:
    """Bits of files that are not empty: one half of them file by file, the other by size."""
    names = [name for name, data in files.items() if data]
    sizes = [len(files[name]) for name in names]
    draw.shuffle(names)
    sizes = [len(files[name]) for name in names]
    for number in range(count):
        by_size = draw.choices(names, sizes)[0]
        name = names[number // 2 % len(names)] if number % 2 else by_size
        data = bytearray(files[name])
        bit = draw.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        yield Harm(FLIP, f"bit {bit % 8} of byte {bit // 8} of {name}", {name: bytes(data)})


def draw_swaps(files: Mapping[str, bytes], count: int, draw: random.Random) -> Iterator[Harm]:
    """Pairs of files of one folder, or of folders beside each other, that hold different bytes."""
    pairs = [
        (one, other)
        for one in files
        for other in files
        if one < other and kind_of(one) == kind_of(other) and files[one] != files[other]
    ]
    for one, other in draw.sample(pairs, min(count, len(pairs))):
        changes = {one: files[other], other: files[one]}
        yield Harm(SWAP, f"{one} and {other}", changes)


def kind_of(name: str) -> tuple[str, int]:
    """Files of one kind lie as deep, below one folder, under names that end alike."""
    path = Path(name)
    return (path.parts[0] if len(path.parts) > 1 else path.suffix, len(path.parts))


def write_versions(folder: Path, seed: int) -> None:
    """Four files, of which the second version changes two."""
    draw = random.Random(seed)
    words = [draw.choice(("loss", "step", "rate", "epoch")) for _ in range(700)]
    table = [[round(draw.random(), 4) for _ in range(6)] for _ in range(120)]
    noise = draw.randbytes(2000)
    for number, version in enumerate(VERSIONS):
        words[10 * number + 5] = f"changed{number}"
        table[number][0] = float(number)
        place = folder / version
        place.mkdir(parents=True)
        (place / "notes.txt").write_text(" ".join(words), encoding="ascii")
        rows = "\n".join(",".join(map(str, row)) for row in table)
        (place / "rows.csv").write_text(rows, encoding="ascii")
        (place / "noise.bin").write_bytes(noise)
        (place / "settings.json").write_text('{"rate": 0.1, "layers": [3, 4]}', encoding="ascii")


def table(kind: str, fates: list[Fate], failed: Mapping[str, str]) -> str:
    """One row a store: how many of each fate."""
    head = [kind, "tried", "found by its check", "refused when read", "harmless", "silently wrong"]
    rows = [head]
    checks = {one.name: one.checked_by or "no check" for one in STORES}
    for name in dict.fromkeys(fate.store for fate in fates):
        own = [fate for fate in fates if (fate.store, fate.kind) == (name, kind)]
        counts = [
            sum(fate.fate == one for fate in own) for one in (FOUND, REFUSES, HARMLESS, SILENT)
        ]
        rows.append([f"{name} ({checks[name]})", *map(str, (len(own), *counts))])
    rows += [[name, why, *[""] * 4] for name, why in failed.items()]
    return markdown(rows)


def goals(fates: list[Fate]) -> list[Goal]:
    """What is asked of mfv."""
    own = [fate for fate in fates if fate.store == "mfv"]
    missed = sum(fate.fate in (SILENT, REFUSES) for fate in own)
    wrong = sum(bool(fate.wrong) for fate in own)
    return [
        Goal("mfv: every harm is found or harmless", f"{missed} are not", missed == 0),
        Goal("mfv: nothing wrong is handed out without a word", f"{wrong} times", wrong == 0),
    ]


if __name__ == "__main__":
    run_main(main)
