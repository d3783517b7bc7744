"""What does it cost to keep the code of every run: sixty versions of a source tree?

    python benchmarks/snapshots.py              60 versions of scikit-learn's Python files
    python benchmarks/snapshots.py --quick      6 versions of 60 of them: does it work?

The tree stands in one folder, and each version changes its files there, as people do, so that an
engine may know by a file's times that it is as it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from engines.commands import Borg, Git, Restic
from engines.libraries import Mfv
from goals import Goal, times
from harness import BenchmarkError, run_main
from outcome import Outcome, tell
from series import Series, measure_series
from suite import add_engine_options, choose, plain_parser
from workloads import sources
from workloads.sources import Tree

VERSIONS = 60
SCRIPT = "flow.py"  # beside the package: what the run is of
TITLE = "code of a run"


def main() -> None:
    parser = plain_parser(__doc__)
    parser.add_argument("--package", default="sklearn", help="whose installed files are the tree")
    parser.add_argument("--versions", type=int, default=VERSIONS, help="how many are made")
    add_engine_options(parser)
    options = parser.parse_args()
    count, most = (6, 60) if options.quick else (options.versions, None)
    engines = choose([Mfv("tree"), Git(), Restic(), Borg()], options.engines)
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        # Its real name: on some systems the temporary folder is a link.
        folder = Path(name).resolve()
        versions, bytes_of_one, files = write_versions(
            folder, options.package, most, options.seed, count
        )
        work = folder / "work" / "tree"
        work.mkdir(parents=True)

        def arrange(number: int) -> Path:
            update(work, versions[number])
            return work

        series = measure_series(
            TITLE, engines, versions, folder / "engines", patience=options.patience, arrange=arrange
        )
    about = (
        f"{count} versions of the {files:,} Python files of {options.package} "
        f"({bytes_of_one / 1e6:.1f} MB), seed {options.seed}."
    )
    full = not options.quick
    tell(Outcome("snapshots", about, [series], goals=goals(series), full=full), options)


def goals(series: Series) -> list[Goal]:
    """What is asked: code is kept at every run, so that it must not be felt."""
    asked = "restic needs more time than mfv for a further version"
    return [times(asked, series, "restic", "further", "wall", at_least=1.0)]


def write_versions(
    folder: Path, package: str, most: int | None, seed: int, count: int
) -> tuple[list[Path], int, int]:
    """The versions as folders, with the bytes and files of the first."""
    try:
        first = sources.tree_of(package, most)
    except ModuleNotFoundError as error:
        raise BenchmarkError(f"{error}", hint="name another one with --package") from None
    first[SCRIPT] = f"import {package}\n".encode()
    paths = []
    for number, tree in enumerate(sources.versions(first, seed, count)):
        # The script is what the run is of: whatever became of it, it is there.
        tree = {**tree, SCRIPT: first[SCRIPT]}
        path = folder / "versions" / f"v{number:02d}"
        write_tree(path, tree)
        paths.append(path)
    return paths, sum(map(len, first.values())), len(first)


def write_tree(folder: Path, tree: Tree) -> None:
    """Writes `tree` to an empty folder."""
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def update(work: Path, version: Path) -> None:
    """Makes `work` hold what `version` holds; files that are the same are not touched."""
    wanted, there = files_of(version), files_of(work)
    for name in there - wanted:
        (work / name).unlink()
    for name in wanted:
        content = (version / name).read_bytes()
        path = work / name
        if name not in there or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for where, _, _ in os.walk(work, topdown=False):
        if not os.listdir(where):
            shutil.rmtree(where)


def files_of(folder: Path) -> set[str]:
    """The paths of all files below `folder`, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    run_main(main)
