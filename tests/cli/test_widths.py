"""What is printed fits the terminal it is printed for, unless it is code, an id or a traceback."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from commands import mfv_command
from hostile import ARTIFACT, STEP, hostile_repository

WIDTHS = [60, 80, 160, 200]
LOOKS = [
    "log",
    "log --oneline",
    "log --stat",
    "log --graph",
    "log --graph --oneline",
    "log --spark accuracy",
    "log --columns name,lr,note,accuracy,started,duration,user,tag",
    "log --group-by lr,note",
    "log --compare",
    "diff TrainFlow/1 TrainFlow/2 BreakFlow/1",
    "diff TrainFlow/1/train TrainFlow/2/train",
    "du",
    "du --artifacts",
    "blame TrainFlow",
    "blame TrainFlow file train.py",
    "whence TrainFlow/2/pick/model",
    "show TrainFlow/2",
    "show TrainFlow/2 --code",
    "show TrainFlow/2 --env",
    "show TrainFlow/2/train",
    "show TrainFlow/2/train/3",
    "show TrainFlow/2/pick/model",
    "show BreakFlow/1/middle",
    "diff TrainFlow/1 TrainFlow/2",
    "graph TrainFlow/2",
    "graph BreakFlow/1",
    "log --lineage TrainFlow/2 --descendants",
    "diff TrainFlow/1 BreakFlow/1 --stat",
    "tag",
]
# A name is never cut where it stands to be copied, nor the reason why something was not stored.
WHOLE = (
    *("run ", "step ", "task ", "artifact ", "artifacts of ", "code of ", "environment of "),
    *("Evil", "`mfv cat ", "  why"),
)
ID = re.compile(r"[0-9a-f]{64}")


def columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)


def too_long(text: str, width: int) -> list[str]:
    """The lines that do not fit, code, ids and tracebacks aside."""
    lines = text.split("\n")
    for mark in ("failed in ", "code"):
        if mark in lines:  # what follows, up to the next block, is code or a traceback
            at = lines.index(mark)
            end = lines.index("", at) if "" in lines[at:] else len(lines)
            del lines[at:end]
    return [line for line in lines if columns(line) > width and not ID.search(line)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("line", LOOKS)
def test_no_line_is_wider_than_the_terminal(project: Path, line: str, width: int) -> None:
    ended = mfv_command(project, *line.split(), env={"COLUMNS": str(width)})
    assert ended.status == 0
    assert too_long(ended.out, width) == []


@pytest.mark.parametrize("width", [60, 200])
@pytest.mark.parametrize(
    "words",
    [
        ["log"],
        ["log", "--oneline"],
        ["show", "@"],
        ["show", "@", "--code"],
        ["show", "@", "--env"],
        ["show", f"@/{STEP}"],
        ["show", f"@/{STEP}/1"],
        ["show", f"@/{STEP}/1/{ARTIFACT}2"],
        ["diff", "@{-1}", "@", "--stat"],
        ["tag"],
    ],
)
def test_endless_names_are_cut(hostile: Path, words: list[str], width: int) -> None:
    ended = mfv_command(hostile, *words, env={"COLUMNS": str(width)})
    assert ended.status == 0
    body = ended.out.split("\nfailed in ")[0]
    assert [one for one in too_long(body, width) if not one.startswith(WHOLE)] == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wide")
    hostile_repository(folder / ".mfv")
    return folder


def test_a_wider_terminal_shows_a_run_on_one_line(project: Path) -> None:
    narrow = mfv_command(project, "log", env={"COLUMNS": "60"}).out.splitlines()
    wide = mfv_command(project, "log", env={"COLUMNS": "200"}).out.splitlines()
    assert (len(narrow), len(wide)) == (6, 3)
    assert "accuracy" in wide[1]


def test_a_pipe_gets_eighty_columns(project: Path) -> None:
    ended = mfv_command(project, "show", "TrainFlow/1", "--env", env={"COLUMNS": ""})
    same = mfv_command(project, "show", "TrainFlow/1", "--env", env={"COLUMNS": "80"})
    assert ended.out == same.out
