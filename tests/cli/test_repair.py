"""`mfv fsck --repair`: what a person sees of it, from a hurt repository to a whole one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import TRAIN, mfv_command, python

OK, USAGE, CORRUPT = 0, 2, 5


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "train.py").write_text(TRAIN)
    for _ in range(2):
        assert python(folder, "train.py", "run").status == OK
    return folder


@pytest.fixture
def project(recorded: Path, tmp_path: Path) -> Path:
    shutil.copytree(recorded, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


def largest_pack(project: Path) -> Path:
    return max((project / ".mfv" / "packs").iterdir(), key=lambda path: path.stat().st_size)


def test_a_torn_pack_is_told_set_aside_and_fetched_from_a_copy(project: Path) -> None:
    shutil.copytree(project / ".mfv", project.parent / "backup" / ".mfv")
    pack = largest_pack(project)
    torn = pack.read_bytes()[:100]
    pack.chmod(0o600)
    pack.write_bytes(torn)
    assert mfv_command(project, "fsck").status == CORRUPT
    done = mfv_command(project, "fsck", "--repair")
    assert done.status == OK, done
    assert "of its objects are lost" in done.out
    assert (project / ".mfv" / "lost-found" / pack.name).read_bytes() == torn
    name = next(line.split()[1] for line in done.out.splitlines() if line.startswith("lost: "))
    assert f"warning: {name}" in mfv_command(project, "fsck").out
    assert mfv_command(project, "gc", "--prune", "now").status == OK
    again = mfv_command(project, "fsck", "--repair", "--from", project.parent / "backup")
    assert again.status == OK, again
    assert "objects came from copies" in again.out
    assert f"found: {name} is whole again" in again.out
    assert "all is well" in mfv_command(project, "fsck", "--data").out
    assert "warning" not in mfv_command(project, "fsck").out


def test_a_lost_format_file_is_made_anew(project: Path) -> None:
    before = (project / ".mfv" / "format").read_bytes()
    (project / ".mfv" / "format").unlink()
    done = mfv_command(project, "fsck", "--repair")
    assert done.status == OK, done
    assert done.out.startswith("format: ")
    assert (project / ".mfv" / "format").read_bytes() == before


def test_a_lost_entry_of_the_log_is_stood_for_and_runs_go_on(project: Path) -> None:
    (project / ".mfv" / "log" / "00000002").unlink()
    assert mfv_command(project, "tag", "best").status == CORRUPT
    done = mfv_command(project, "fsck", "--repair")
    assert done.status == OK, done
    assert "log entry 2 is lost; another stands in its place" in done.out
    assert mfv_command(project, "tag", "best").status == OK
    assert python(project, "train.py", "run").status == OK
    assert mfv_command(project, "show", "1").status == OK


def test_it_says_where_there_is_nothing_to_do_and_what_makes_no_sense(project: Path) -> None:
    assert "nothing had to be repaired" in mfv_command(project, "fsck", "--repair").out
    assert mfv_command(project, "fsck", "--from", "x").status == USAGE
    gone = mfv_command(project, "fsck", "--repair", "--from", "nowhere")
    assert gone.status == 3
    assert "there is no repository at nowhere" in gone.err
