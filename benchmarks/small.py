"""What do 2,000 runs of ten small artifacts cost, half of which are those of an earlier run?

    python benchmarks/small.py              2,000 runs; some minutes
    python benchmarks/small.py --quick      40 runs: does it work? Its figures mean little

Beside it: Metaflow's datastore, a synced file for each pickle, git's loose objects, and restic and
borg on the folder of all pickles in one go, since a call for every run would take half an hour.
"""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from engines.base import Inside, run, size_of
from engines.commands import Borg, Restic
from engines.libraries import Metaflow, here
from goals import Goal, at_most
from harness import BenchmarkError, Sample, run_main
from mfv_command import MFV, mfv_environment, mfv_version
from outcome import Outcome, tell
from report import format_value, markdown
from series import reason
from suite import plain_parser
from workloads import records

# Heading, metric, unit.
_COLUMNS = (
    ("wall", "wall", "s"),
    ("CPU", "cpu", "s"),
    ("peak memory", "peak", "bytes"),
    ("stored", "stored", "bytes"),
    ("blocks on the disk", "disk", "bytes"),
    ("files a run", "files a run", ""),
    ("one read back", "read", "s"),
)
Row = dict[str, float]


class Library(Inside):
    """A library that writes all runs in one process."""

    def __init__(self, name: str, word: str, peer: Inside | None = None) -> None:
        super().__init__(name, "small_runs.py", [word])
        self._peer = peer
        self._mfv = word.startswith("mfv")

    def python(self) -> Path:
        return Path(sys.executable) if self._peer is None else self._peer.python()

    def kept(self, place: Path) -> Path:
        return place / (".mfv" if self._mfv else "store")


def main() -> None:
    parser = plain_parser(__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 2,000 runs")
    options = parser.parse_args()
    count = max(1, round(records.RUNS * (0.02 if options.quick else options.scale)))
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        rows, failed = measure_all(Path(name), count, options.seed)
    table = as_table(rows, failed, count)
    versions = {"mfv": mfv_version(), "numpy": here("numpy")}
    about = f"{count:,} runs of {records.ARTIFACTS} small artifacts, seed {options.seed}."
    full = count >= records.RUNS
    samples = {"small": rows, "failed": failed}
    tell(
        Outcome("small", about, (), [table], goals(rows, failed), full, samples, versions), options
    )


def measure_all(folder: Path, count: int, seed: int) -> tuple[dict[str, Row], dict[str, str]]:
    """What each contender cost, and why others are missing."""
    pickles, runs = folder / "pickles", folder / "runs"
    total = write_pickles(pickles, runs, count, seed)
    rows: dict[str, Row] = {}
    failed: dict[str, str] = {}

    def attempt(name: str, act: Callable[[], Sample]) -> bool:
        try:
            row = dict(act())
        except (BenchmarkError, OSError) as error:
            failed[name] = reason(error)
            return False
        row["files a run"] = row["files"] / count
        row["of raw"] = row["stored"] / total
        rows[name] = row
        print(f"{name}: {row['wall']:.2f} s", file=sys.stderr, flush=True)
        return True

    libraries = {"mfv": Library("mfv", "mfv"), "mfv, fast": Library("mfv, fast", "mfv-fast")}
    places = {name: folder / name.replace(", ", "-") for name in libraries}
    for name, mfv in libraries.items():
        attempt(name, lambda m=mfv, p=places[name]: written(m, p, runs, count))
    peer = Metaflow()
    metaflow = Library("Metaflow", "metaflow", peer)
    attempt("Metaflow", lambda: written(metaflow, folder / "metaflow", runs, count))
    files = Library("pickle", "pickle")
    attempt("pickle files, synced", lambda: written(files, folder / "files", runs, count))
    attempt("git, loose objects", lambda: git_objects(folder / "git", pickles))
    for program in (Restic(), Borg()):
        place = folder / program.name
        attempt(f"{program.name}, in one go", lambda e=program, p=place: at_once(e, p, pickles))
    # Last: for minutes ext4 passes over every inode that was freed whenever a file is made, and a
    # repack frees thousands.
    for name in [name for name in libraries if name in rows]:
        after = f"{name}, repacked"
        attempt(after, lambda m=libraries[name], p=places[name]: maintained(m, p, runs, count))
    return rows, failed


def write_pickles(pickles: Path, runs: Path, count: int, seed: int) -> int:
    """Every artifact as a file in `pickles`, every run as one in `runs`; returns the bytes."""
    total = 0
    runs.mkdir(parents=True)
    for number, values in enumerate(records.runs(count, seed), 1):
        folder = pickles / f"{number:04d}"
        folder.mkdir(parents=True)
        for name, value in values.items():
            total += (folder / f"{name}.pkl").write_bytes(pickle.dumps(value, 5))
        (runs / f"{number:04d}").write_bytes(pickle.dumps(values, 5))
    return total


def written(library: Library, place: Path, runs: Path, count: int) -> Row:
    """All runs written by a library, and single artifacts read back."""
    if library.name == "mfv, fast" and importlib.util.find_spec("mfv.repo.config") is None:
        raise BenchmarkError("this mfv has no setting `durability`")
    library.begin(place)
    cost = library.store(place, runs, count)
    kept = size_of(library.kept(place))
    return {**cost, **kept, "read": library.restore(place, runs, count)["read"]}


def maintained(library: Library, place: Path, runs: Path, count: int) -> Row:
    """The same repository after `mfv gc --repack`; wall and CPU are those of the command."""
    helped = subprocess.run(
        [*MFV, "gc", "--help"], env=mfv_environment(), capture_output=True, text=True, check=False
    )
    if "--repack" not in helped.stdout:
        raise BenchmarkError("this mfv has no `gc --repack`")
    cost = run([*MFV, "gc", "--repack", "--prune", "now"], place)
    kept = size_of(library.kept(place))
    return {**cost, **kept, "read": library.restore(place, runs, count)["read"]}


def git_objects(place: Path, pickles: Path) -> Row:
    """Every pickle a loose object, all by one `git hash-object`."""
    place.mkdir()
    paths = sorted(str(path) for path in pickles.rglob("*.pkl"))
    (place / "paths").write_text("\n".join(paths), encoding="utf-8")
    run(["git", "init", "--quiet", "--bare", "store"], place)
    script = "git --git-dir store hash-object -w --no-filters --stdin-paths < paths > names"
    cost = run(["sh", "-c", script], place)
    names = (place / "names").read_text("ascii").split()
    first = subprocess.run(
        ["git", "--git-dir", str(place / "store"), "cat-file", "blob", names[0]],
        capture_output=True,
        check=True,
    )
    if len(names) != len(paths) or first.stdout != Path(paths[0]).read_bytes():
        raise BenchmarkError("what came back is not what was stored")
    return {**cost, **size_of(place / "store" / "objects")}


def at_once(engine: Restic | Borg, place: Path, pickles: Path) -> Row:
    """All pickles by one command, and back by one."""
    engine.version()
    engine.begin(place)
    cost = engine.store(place, pickles, 0)
    kept = size_of(engine.kept(place))
    engine.restore(place, pickles, 0)
    return {**cost, **kept}


def as_table(rows: dict[str, Row], failed: dict[str, str], count: int) -> str:
    """One row a contender, those that are missing with the reason."""
    shown = [[f"{count:,} runs (1 round)", *(one[0] for one in _COLUMNS)]]
    for name, row in rows.items():
        cells = [format_value(row[m], unit) if m in row else "" for _, m, unit in _COLUMNS]
        shown.append([name, *cells])
    shown += [[name, why, *[""] * (len(_COLUMNS) - 1)] for name, why in failed.items()]
    return markdown(shown)


def goals(rows: dict[str, Row], failed: dict[str, str]) -> list[Goal]:
    """What is asked of 2,000 runs."""
    asked = [
        ("all runs written, every one durable: under 60 s", "mfv", "wall", 60.0, "s"),
        ('with `durability = "fast"`: under 6 s', "mfv, fast", "wall", 6.0, "s"),
        ("at most 5 files a run before maintenance", "mfv", "files a run", 5.0, ""),
        ("at most 0.05 files a run after it", "mfv, repacked", "files a run", 0.05, ""),
        ("one artifact read back in less than 1 ms", "mfv", "read", 0.001, "s"),
        ("the same after maintenance", "mfv, repacked", "read", 0.001, "s"),
    ]
    found = []
    for text, name, metric, limit, unit in asked:
        if name in rows:
            found.append(at_most(text, rows[name][metric], limit, unit))
        else:
            found.append(Goal(text, failed[name], None))
    git = rows.get("git, loose objects")
    name = "mfv, repacked"
    if git is not None and name in rows:
        # A loose object takes whole blocks; ours hold the records of the runs as well.
        for what, metric in (("bytes on the disk", "disk"), ("lengths", "stored")):
            text = f"{name}: at most 0.6 of the {what} of git's loose objects"
            found.append(at_most(text, rows[name][metric] / git[metric], 0.6, ""))
    return found


if __name__ == "__main__":
    run_main(main)
