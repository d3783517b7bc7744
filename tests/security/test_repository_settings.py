"""Settings that come with a repository: they name no program, no key and nobody to trust."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_type_hints

import pytest
from commands import TRAIN, mfv_command, python
from processes import Place
from screens import Screen

from mfv.repo import config
from mfv.repo.config import Config, ConfigError

HOSTILE = [
    'pager = "touch canary"',
    'editor = "touch canary"',
    'core.pager = "touch canary"',
    '[core]\npager = "!touch canary"\nfsmonitor = "touch canary"',
    '[alias]\nlog = "!touch canary"',
    'log.pager = "touch canary"',
    'hooks.seal = "touch canary"',
    'durability = "$(touch canary)"',
    'process = "fork; touch canary"',
    'process = "fork\\n[alias]\\nlog = 1"',
    'compression = "`touch canary`"',
    'keep.where = "$(touch canary)"',
    "keep.where = \"__import__('os').system('touch canary') = 0\"",
    'trash = "$(touch canary)d"',
    'trust.folders = ["*"]',
    'trust.origins = ["*"]',
    'sign.key = "key"',
    "sign.allowed = {}",
    "include = '/etc/passwd'",
    'MFV_PAGER = "touch canary"',
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "train.py").write_text(TRAIN)
    assert python(folder, "train.py", "run").status == 0
    return folder


@pytest.mark.parametrize("text", HOSTILE)
def test_what_the_settings_of_a_repository_say_is_never_run(recorded: Path, text: str) -> None:
    (recorded / ".mfv" / "config.toml").write_text(text + "\n")
    mfv_command(recorded, "log")
    assert not (recorded / "canary").exists()


@pytest.mark.parametrize("line", ["show 1", "gc --dry-run", "run train.py", "tag x 1", "verify 1"])
def test_nor_by_any_other_command(recorded: Path, line: str) -> None:
    (recorded / ".mfv" / "config.toml").write_text('keep.where = "$(touch canary)"\n')
    mfv_command(recorded, *line.split())
    assert not (recorded / "canary").exists()


@pytest.mark.parametrize("text", ['pager = "touch canary"', '[core]\npager = "touch canary"'])
def test_the_pager_of_a_terminal_is_the_persons_own(recorded: Path, text: str) -> None:
    (recorded / ".mfv" / "config.toml").write_text(text + "\n")
    place = Place(recorded)
    place.variables = {"MFV_PAGER": "tee paged"}
    Screen(place, "-m", "mfv", "show", "1", height=3).finish()
    assert not (recorded / "canary").exists()
    (recorded / ".mfv" / "config.toml").write_text("")
    Screen(place, "-m", "mfv", "show", "1", height=3).finish()
    assert "TrainFlow/1" in (recorded / "paged").read_text()
    os.unlink(recorded / "paged")


def test_no_setting_of_a_repository_is_text_that_anybody_could_run() -> None:
    # Each is a number, a choice, a yes or no, ids, or a query, which has a parser of its own.
    texts = {name for name, kind in get_type_hints(Config).items() if str in (kind, *_args(kind))}
    assert texts == {"keep_where"}


def _args(kind: object) -> tuple[object, ...]:
    return getattr(kind, "__args__", ())


@pytest.mark.parametrize("text", ['trust.folders = ["/"]', 'sign.key = "x"', "trust.origins = 1"])
def test_what_only_a_person_may_say_is_refused_in_a_repository(text: str) -> None:
    with pytest.raises(ConfigError):
        config.parse(text.encode())
