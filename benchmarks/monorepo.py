"""What does the code of a run cost in a large repository, of which one file changed?

    python benchmarks/monorepo.py              5,000 files in a git repository, 20 versions
    python benchmarks/monorepo.py --quick      300 files, 6 versions: does it work?

Each version changes one file of the one before, where it stands. Git commits it in the repository
that the files lie in, as people do; mfv records it as the code of a run.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from engines.base import run
from engines.commands import Git
from engines.libraries import Mfv
from goals import Goal, at_most
from harness import run_main
from outcome import Outcome, tell
from series import Record, Series, measure_series, middle, values
from snapshots import SCRIPT, update, write_tree
from suite import add_engine_options, choose, plain_parser

FILES, VERSIONS = 5000, 20
TITLE = "one file of many"


def main() -> None:
    parser = plain_parser(__doc__)
    parser.add_argument("--files", type=int, default=FILES, help="how many there are")
    parser.add_argument("--versions", type=int, default=VERSIONS, help="how many are made")
    add_engine_options(parser)
    options = parser.parse_args()
    count, files = (6, 300) if options.quick else (options.versions, options.files)
    with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
        folder = Path(name).resolve()
        versions = write_versions(folder / "versions", files, count, options.seed)
        work = folder / "work" / "tree"
        work.mkdir(parents=True)
        engines = choose([Mfv("tree"), GitInPlace(work)], options.engines)

        def arrange(number: int) -> Path:
            bring(work, versions[number])
            return work

        series = measure_series(
            TITLE, engines, versions, folder / "engines", patience=options.patience, arrange=arrange
        )
    about = (
        f"{count} versions of {files:,} files, one of them changed each time, seed {options.seed}."
    )
    full = not options.quick and files >= FILES
    tell(Outcome("monorepo", about, [series], goals=goals(series), full=full), options)


def goals(series: Series) -> list[Goal]:
    """What is asked: that a run in a large repository starts as fast as in a small one."""
    base = series.baseline
    first, further = middle(base, "first", "wall"), middle(base, "further", "wall")
    assert first is not None and further is not None
    return [
        at_most("the first snapshot takes under 2 s", first, 2.0, "s"),
        at_most("one with a changed file takes under 150 ms", further, 0.150, "s"),
        at_most("it is under 20 KB more on disk", growth(base), 20_000),
    ]


def growth(record: Record) -> float:
    """Bytes that a further version added, the mean of all."""
    stored = [*values(record, "first", "stored"), *values(record, "further", "stored")]
    return (stored[-1] - stored[0]) / (len(stored) - 1)


class GitInPlace(Git):
    """`git add -A` and `git commit` in the folder itself."""

    def __init__(self, work: Path) -> None:
        self._work = work

    def begin(self, place: Path) -> None:
        place.mkdir(parents=True)
        run(["git", "init", "--quiet", str(self._work)], place, self._variables(place, place))

    def kept(self, place: Path) -> Path:
        return self._work / ".git"

    def _variables(self, place: Path, tree: Path) -> Mapping[str, str]:
        found = dict(super()._variables(place, tree))
        if tree == place:
            del found["GIT_DIR"], found["GIT_WORK_TREE"]
            return found
        return {**found, "GIT_DIR": str(self._work / ".git")}


def write_versions(folder: Path, files: int, count: int, seed: int) -> list[Path]:
    """The versions as folders; what is the same in two of them is one file on the disk."""
    draw = random.Random(f"monorepo {seed}")
    tree = {_name(number): _module(number, draw) for number in range(files - 1)}
    paths = [folder / "v00"]
    write_tree(paths[0], {**tree, SCRIPT: b"import team_0\n"})
    for number in range(1, count):
        path = folder / f"v{number:02d}"
        shutil.copytree(paths[-1], path, copy_function=os.link)
        changed = draw.randrange(files - 1)
        (path / _name(changed)).unlink()
        write_tree(path, {_name(changed): _module(changed, draw)})
        paths.append(path)
    return paths


def bring(work: Path, version: Path) -> None:
    """Makes `work` hold what `version` holds, and leaves its `.git` alone."""
    git, aside = work / ".git", work.parent / "git"
    if git.exists():
        git.rename(aside)
    update(work, version)
    if aside.exists():
        aside.rename(git)


def _name(number: int) -> str:
    return f"team_{number % 7}/service_{number % 53}/module_{number:05d}.py"


def _module(number: int, draw: random.Random) -> bytes:
    """A module of some 3 KB."""
    names = [f"{draw.choice(_WORDS)}_{draw.choice(_WORDS)}" for _ in range(draw.randint(5, 40))]
    parts = [f'"""Module {number}."""\n\nimport math\n']
    parts += [
        f"\n\ndef {name}(value: float) -> float:\n    return math.fsum([value, {draw.random()}])\n"
        for name in names
    ]
    return "".join(parts).encode()


_WORDS = (
    *("load", "save", "merge", "split", "train", "score", "table", "model", "batch", "feature"),
    *("price", "order", "user", "event", "index", "cache", "queue", "report", "metric", "sample"),
)


if __name__ == "__main__":
    run_main(main)
