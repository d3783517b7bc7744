"""Names, texts and paths out of a repository are data: nothing of them reaches the terminal raw."""

from __future__ import annotations

import os
import pty
import unicodedata
from pathlib import Path

import pytest
from commands import Ended, mfv_command, start
from hostile import ARTIFACT, FLOW, STEP, TAG, hostile_repository


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    hostile_repository(folder / ".mfv")
    return folder


def dangerous(text: str) -> set[str]:
    """The characters of `text` that a terminal acts on or hides, line ends aside."""
    return {c for c in text if c != "\n" and c != " " and unicodedata.category(c)[0] in "CZ"}


LOOKS = [
    ["log"],
    ["log", "--oneline"],
    ["show", "@"],
    ["show", "@", "--code"],
    ["show", "@", "--env"],
    ["show", "@", "--info"],
    ["env", "@"],
    ["env", "@", "--format", "requirements"],
    ["env", "@", "--format", "pylock"],
    ["show", f"@/{STEP}"],
    ["show", f"@/{STEP}/1"],
    ["show", f"@/{STEP}/1/{ARTIFACT}"],
    ["show", f"@/{STEP}/1/{ARTIFACT}2"],
    ["diff", "@{-1}", "@"],
    ["diff", "@{-1}", "@", "--stat"],
    ["graph", "@"],
    ["log", "--lineage", "@", "--descendants"],
    ["tag"],
    ["fsck"],
    ["fsck", "--data"],
    ["gc", "--dry-run"],
]
WRONG = [
    ["log", FLOW.replace("Evil", "evil")],
    ["log", "--tag", f"{TAG}x"],
    ["show", f"@/{STEP}x"],
    ["show", f"@/{STEP}/9"],
    ["show", f"@/{STEP}/1/{ARTIFACT}x"],
    ["show", f"{TAG}x"],
    ["cat", f"@/{STEP}/1/{ARTIFACT}2"],
    ["cat", "@:nothing\x1b[31m"],
    ["clone", "@", "out\x1b[31m"],
    ["tag", TAG, "@"],
    ["logs", f"@/{STEP}/8"],
    ["run", "file\x1b[31m.py"],
    ["-C", "folder\x1b[31m", "log"],
    [f"log{STEP}"],
    ["log", "--opt\x1b[31m"],
    ["log", "-n", "\x1b[31m"],
]


@pytest.mark.parametrize("words", LOOKS, ids=[" ".join(w)[:30].encode().hex() for w in LOOKS])
def test_what_is_shown_is_escaped(hostile: Path, words: list[str]) -> None:
    ended = mfv_command(hostile, *words)
    assert ended.status == 0, ended
    assert dangerous(ended.out + ended.err) == set()


@pytest.mark.parametrize("format", ["dot", "svg"])
def test_pictures_are_escaped_too(hostile: Path, format: str) -> None:
    ended = mfv_command(hostile, "graph", "@", "--format", format)
    assert ended.status == 0
    assert dangerous(ended.out) == set()


@pytest.mark.parametrize("words", WRONG, ids=[" ".join(w)[:30].encode().hex() for w in WRONG])
def test_what_an_error_names_is_escaped(hostile: Path, words: list[str]) -> None:
    ended = mfv_command(hostile, *words)
    assert ended.status in (2, 3, 5), ended
    assert ended.out == ""
    assert dangerous(ended.err) == set()


def test_a_tag_is_listed_taken_off_and_found_by_its_raw_name(hostile: Path) -> None:
    assert mfv_command(hostile, "show", TAG, "--json").json["number"] == 2
    listed = mfv_command(hostile, "tag").out
    assert listed.startswith("tag\\x1b[31mred\\x1b]0;owned\\x07")
    assert mfv_command(hostile, "tag", "--json").json["tag"] == TAG


@pytest.mark.parametrize("words", [[*w, "--json"] for w in LOOKS if "--oneline" not in w])
def test_json_says_everything_as_it_is(hostile: Path, words: list[str]) -> None:
    if "--stat" in words:
        words.remove("--stat")
    ended = mfv_command(hostile, *words)
    assert ended.status == 0
    assert ended.lines if words[0] in ("log", "tag") else ended.json
    assert dangerous(ended.out) == set()


def on_terminal(folder: Path, *words: str) -> Ended:
    """`mfv WORDS` with both outputs on a terminal, whose text comes back as `out`."""
    mine, its = pty.openpty()
    process = start(
        folder, "-m", "mfv", *words, stdout=its, stderr=its, env={"TERM": "xterm", "NO_COLOR": "1"}
    )
    os.close(its)
    pieces = []
    while True:
        try:
            piece = os.read(mine, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(mine)
    status = process.wait()
    text = b"".join(pieces).replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
    return Ended(status, text, "")


@pytest.mark.parametrize(
    "words",
    [["logs"], ["logs", "-t"], ["cat", f"@/{STEP}/1/{ARTIFACT}"], ["cat", "@:flow.py"]],
)
def test_stored_text_is_escaped_on_a_terminal_only(hostile: Path, words: list[str]) -> None:
    shown = on_terminal(hostile, *words)
    assert shown.status == 0
    assert "\\x1b[31mred" in shown.out
    assert dangerous(shown.out) == set()
    assert "\x1b[31mred" in mfv_command(hostile, *words).out


def test_bytes_that_are_no_text_are_kept_from_a_terminal(hostile: Path) -> None:
    raw = ["cat", "--raw", f"@/{STEP}/1/{ARTIFACT}2"]
    shown = on_terminal(hostile, *raw)
    assert shown.status == 2
    assert "mfv cat ... > FILE" in shown.out
    assert dangerous(shown.out) == set()
    assert mfv_command(hostile, *raw).out != ""


def test_a_terminal_gets_colours_of_ours_and_none_of_theirs(hostile: Path) -> None:
    ended = mfv_command(hostile, "log", env={"FORCE_COLOR": "1"})
    assert "\x1b[" in ended.out
    assert "\x1b[31mred" not in ended.out
    assert "\x1b[" not in mfv_command(hostile, "log", env={"NO_COLOR": "1"}).out


def test_a_folder_s_own_name_is_escaped_too(tmp_path: Path) -> None:
    for words in (["init", "in\x1b[31m"], ["init", "in\x1b[31m"], ["init", "in\x1b[31m", "--json"]):
        ended = mfv_command(tmp_path, *words)
        assert ended.status == 0
        assert dangerous(ended.out + ended.err) == set()


def test_a_run_with_hostile_paths_is_cloned_nowhere(hostile: Path, tmp_path: Path) -> None:
    ended = mfv_command(hostile, "clone", "@", os.fspath(tmp_path / "out"))
    assert ended.status == 5
    assert list(tmp_path.iterdir()) == []
