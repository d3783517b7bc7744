"""Metaflow's tutorials run untouched, and say the same as with Metaflow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
from drive import Player
from tutorials import cells, copy_to

import mfv
from mfv.compat import PATH

SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(mfv.__file__)))
Done = subprocess.CompletedProcess[str]

# The tutorials draw movies by chance: both Pythons then draw the same ones.
SEEDED = """
import random

random.choice = lambda items: sorted(items)[len(items) // 2]
random.shuffle = lambda items: items.sort()
random.randint = lambda low, high: (low + high) // 2
"""


class Both(NamedTuple):
    """A folder with the tutorials for each."""

    ours: Player
    theirs: Player

    def flow(self, script: str, *options: str) -> tuple[Done, Done]:
        """The flow run by each: by `mfv run --compat`, and by Metaflow."""
        return (
            self.ours.call("-m", "mfv", "run", "--compat", script, *options),
            self.theirs.call(script, "run", *options),
        )

    def script(self, code: str) -> tuple[Done, Done]:
        """Code run by each, where metaflow is mfv for ours."""
        ours = self.ours.call("-c", code, PYTHONPATH=f"{PATH}{os.pathsep}{self.ours.path}")
        return ours, self.theirs.call("-c", code)


@pytest.fixture(scope="module")
def both(metaflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("tutorials")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SEEDED)
    site = str(folder / "site")
    ours = Player(sys.executable, folder / "ours", f"{site}{os.pathsep}{SOURCES}")
    theirs = Player(metaflow_python, folder / "theirs", site)
    for player in (ours, theirs):
        copy_to(player.folder, metaflow_python)
    return Both(ours, theirs)


PREFIX = re.compile(r"^\S+ \S+ \[\d+/(\w+)/\d+ \(pid \d+\)\] ?(.*)$")
# What the runtime itself says of a task.
OWN = re.compile(
    r"Task is starting\.|Task finished successfully\.|Foreach yields .*"
    r"|started|done in \d.*|failed .*"
)


def printed(done: Done) -> dict[str, list[str]]:
    """What each step's tasks printed, sorted: tasks of a foreach end in any order."""
    found: dict[str, list[str]] = {}
    for line in (done.stdout + done.stderr).splitlines():
        match = PREFIX.match(line)
        if match and not OWN.fullmatch(match[2]):
            found.setdefault(match[1], []).append(match[2])
    return {step: sorted(lines) for step, lines in found.items()}


def unnamed(text: str) -> str:
    """Without what no two runs share: numbers, times, the place where runs are kept."""
    text = re.sub(r"provider: \S+", "provider: PLACE", text)
    text = re.sub(r"Flow/\d+", "Flow/N", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "TIME", text)


def same(pair: tuple[Done, Done], seen: Callable[[Done], object], code: int = 0) -> object:
    """Both ended with `code` and `seen` gives the same of both, which is returned."""
    ours, theirs = pair
    assert theirs.returncode == code, theirs.stdout + theirs.stderr
    assert ours.returncode == code, ours.stdout + ours.stderr
    assert "Traceback" not in ours.stderr
    assert seen(ours) == seen(theirs)
    return seen(ours)


def test_00_hello_world(both: Both) -> None:
    said = same(both.flow("00-helloworld/helloworld.py"), printed)
    assert said == {
        "start": ["HelloFlow is starting."],
        "hello": ["Metaflow says: Hi!"],
        "end": ["HelloFlow is all done."],
    }


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--genre", "Comedy", "--recommendations", "3"),
        ("--genre=Western",),
        ("--movie_data", "02-statistics/movies.csv"),
    ],
)
def test_01_playlist_with_its_options(both: Both, options: tuple[str, ...]) -> None:
    said = same(both.flow("01-playlist/playlist.py", *options), printed)
    assert isinstance(said, dict)
    assert any(line.startswith("Pick 1: ") for line in said["end"])


@pytest.mark.parametrize(
    "options",
    [
        ("--recommendations", "many"),
        ("--nosuch", "1"),
        ("--movie_data", "nowhere.csv"),
        ("--genre",),
    ],
)
def test_01_playlist_refuses_bad_options(both: Both, options: tuple[str, ...]) -> None:
    ours, theirs = both.flow("01-playlist/playlist.py", *options)
    assert theirs.returncode != 0
    assert ours.returncode != 0
    assert ours.stderr.count("error: ") == 1
    assert "Traceback" not in ours.stderr
    assert options[0].removeprefix("--") in ours.stderr


def test_the_notebook_of_01_reads_the_runs(both: Both) -> None:
    said = same(
        both.script(cells(both.ours.folder / "01-playlist" / "playlist.ipynb")),
        lambda done: unnamed(done.stdout).splitlines(),
    )
    assert isinstance(said, list)
    assert "Using run: Run('PlayListFlow/N')" in said


def test_02_statistics_and_its_notebook(both: Both) -> None:
    said = same(both.flow("02-statistics/stats.py"), printed)
    assert isinstance(said, dict)
    assert "Computing statistics for Comedy" in said["compute_statistics"]
    # The notebook draws with matplotlib, which the other Python need not have.
    code = cells(both.ours.folder / "02-statistics" / "stats.ipynb")
    code = re.sub(r"^(import matplotlib.*|plt\..*)$", "", code, flags=re.MULTILINE)
    code += "\nprint(sorted(data), run.data.genre_stats['comedy']['quartiles'])"
    same(both.script(code), lambda done: unnamed(done.stdout))


def without_luck(said: str) -> str:
    """The picks of a playlist but for the one that is drawn at random."""
    return re.sub(r"Bonus Pick: [^\]]*?'[^']*'\"", "", said)


def test_03_playlist_redux_reads_the_run_of_02(both: Both) -> None:
    same(both.flow("02-statistics/stats.py"), printed)
    for options in ((), ("--genre", "Drama", "--recommendations", "2"), ("--genre", "none")):
        pair = both.flow("03-playlist-redux/playlist.py", *options)
        said = same(pair, lambda done: without_luck(unnamed(str(printed(done)))))
        assert "Using analysis from" in str(said)


def test_04_playlist_plus_runs_without_its_conda_environment(both: Both) -> None:
    # Metaflow needs conda here, and no network is there in a test: mfv runs it with a module that
    # stands for the package.
    site = both.ours.folder / "editdistance.py"
    site.write_text("def eval(a, b):\n    return abs(len(a) - len(b))\n")
    assert both.ours.call("-m", "mfv", "run", "--compat", "02-statistics/stats.py").returncode == 0
    path = f"{both.ours.folder}{os.pathsep}{both.ours.path}"
    done = both.ours.call(
        *("-m", "mfv", "run", "--compat", "04-playlist-plus/playlist.py", "--hint", "Alien"),
        PYTHONPATH=path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Bonus Pick: " in done.stdout + done.stderr
