from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mfv.capture.gitcommand import Answer, ask

FakeGit = Callable[[str], None]


@pytest.fixture
def fake_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGit:
    """Puts a shell script in the place of git."""

    def put(script: str) -> None:
        command = tmp_path / "bin" / "git"
        command.parent.mkdir()
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")

    return put


def test_several_commands_are_answered_in_their_order(repository: Path) -> None:
    answers = ask(
        str(repository), ("ls-files", "-z"), ("rev-parse", "--nonsense", "HEAD~9"), seconds=60
    )
    assert answers is not None
    assert answers[0] == Answer(True, b"train.py\0", False)
    assert not answers[1].ok


def test_without_a_git_binary_there_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask(str(tmp_path), ("status",), seconds=60) is None


def test_a_command_that_writes_without_end_is_cut(tmp_path: Path, fake_git: FakeGit) -> None:
    fake_git("while :; do printf 'a\\000'; done")
    answers = ask(str(tmp_path), ("ls-files",), seconds=600, most=10)
    assert answers is not None
    assert answers[0].ok
    assert answers[0].cut
    assert answers[0].data.startswith(b"a\0" * 11)


def test_a_command_that_takes_too_long_ends_with_its_children(
    tmp_path: Path, fake_git: FakeGit
) -> None:
    fake_git("printf 'half'; sleep 600 & wait")
    assert ask(str(tmp_path), ("status",), seconds=0.3) == [Answer(False, b"half", False)]


def test_git_is_asked_for_no_password_and_in_english(tmp_path: Path, fake_git: FakeGit) -> None:
    fake_git('printf "$GIT_OPTIONAL_LOCKS $GIT_TERMINAL_PROMPT $LC_ALL"')
    answers = ask(str(tmp_path), ("status",), seconds=60)
    assert answers == [Answer(True, b"0 0 C", False)]
