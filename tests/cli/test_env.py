"""`mfv env`: the environment of a run for people, installers and programs."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from commands import Ended, mfv_command
from packaging.pylock import Pylock
from packaging.requirements import Requirement
from reference import documented

from mfv.capture.environment import read_environment
from mfv.errors import EXIT_NOT_FOUND, EXIT_USAGE


def fine(folder: Path, *words: str) -> Ended:
    done = mfv_command(folder, *words)
    assert done.status == 0, done
    return done


def installed() -> dict[str, str]:
    return {one.name: one.version for one in read_environment().packages}


def test_a_lock_names_every_package_with_its_version_or_its_folder(project: Path) -> None:
    done = fine(project, "env", "TrainFlow/1", "--format", "pylock")
    lock = Pylock.from_dict(tomllib.loads(done.out))
    known = installed()
    assert {package.name for package in lock.packages} <= set(known)
    out = [one["name"] for one in tomllib.loads(done.out)["tool"]["mfv"].get("left-out", [])]
    assert len(lock.packages) + len(out) == len(known)
    for package in lock.packages:
        assert package.directory is not None or str(package.version) == known[package.name]
    assert str(lock.requires_python) == f"=={sys.version_info[0]}.{sys.version_info[1]}.*"


def test_a_requirements_file_has_one_line_a_package(project: Path) -> None:
    done = fine(project, "env", "TrainFlow/1", "--format", "requirements")
    lines = [line for line in done.out.splitlines() if not line.startswith("#")]
    assert len(lines) <= len(installed())
    asked = [Requirement(line) for line in lines if not line.startswith("-e ")]
    pinned = {one.name: str(one.specifier) for one in asked if one.url is None}
    assert pinned["msgspec"] == f"=={installed()['msgspec']}"


def test_json_is_what_show_prints_and_text_is_for_people(project: Path) -> None:
    shown = fine(project, "show", "TrainFlow/1", "--env", "--json").json
    assert fine(project, "env", "TrainFlow/1", "--json").json == shown
    assert fine(project, "env", "TrainFlow/1", "--format", "json").json == shown
    text = fine(project, "env", "TrainFlow/1").out
    assert text == fine(project, "show", "TrainFlow/1", "--env").out
    assert "hash seed" in text and "msgspec" in text


def test_a_format_or_run_that_is_not_there_is_an_error_with_a_hint(project: Path) -> None:
    done = mfv_command(project, "env", "TrainFlow/1", "--format", "pylok")
    assert (done.status, done.out) == (EXIT_USAGE, "")
    assert "hint: did you mean 'pylock'?" in done.err
    assert mfv_command(project, "env", "TrainFlow/99").status == EXIT_NOT_FOUND


def test_info_has_the_keys_that_the_reference_lists(project: Path) -> None:
    *_, keys, _ = documented("show")
    assert set(fine(project, "show", "TrainFlow/1", "--info").json) == keys


def test_only_a_lock_can_be_resolved(project: Path) -> None:
    done = mfv_command(project, "env", "--resolve")
    assert (done.status, done.out) == (EXIT_USAGE, "")
    assert "--format pylock" in done.err


def test_what_a_lock_cannot_do_is_told_beside_it(project: Path) -> None:
    done = fine(project, "env", "TrainFlow/1", "--format", "pylock")
    assert "blake3-of-record" in done.err
    assert "hint: --resolve asks for them" in done.err
