"""Modes: private whatever the umask, shared where somebody said so, and who may not come in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import TRAIN, mfv_command, python
from users import Machine, User, machine, only_root

from mfv import modes
from mfv.errors import NotFoundError
from mfv.repo import access
from mfv.repo.repository import Repository
from mfv.storage.held import hold
from mfv.storage.local import LocalBackend


def paths_in(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def computer() -> Iterator[Machine]:
    with machine() as found:
        yield found


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_whatever_the_umask_everything_in_a_repository_is_its_owners_alone(
    tmp_path: Path, umask: int
) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    assert python(tmp_path, "train.py", "run", umask=umask).status == 0
    for line in ("reindex", "whence train.py", "tag best 1", "gc --repack", "fsck", "log"):
        assert mfv_command(tmp_path, *line.split(), umask=umask).status == 0
    found = paths_in(tmp_path / ".mfv")
    assert {"index", "current", "surroundings", "packages", "verified"} <= {
        one.name for one in found
    }
    assert [one for one in found if mode_of(one) & 0o077] == []
    for one in found:
        assert mode_of(one) in ((0o700,) if one.is_dir() else (0o600, 0o400)), one


def test_a_umask_that_takes_everything_takes_nothing_here(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        backend = LocalBackend(tmp_path / "a" / "b")
        backend.put("packs/a", [b"x"])
        backend.append("cache/notes", b"x", largest=10)
        os.close(hold(os.path.join(backend.root, "tmp", "lease")))
    finally:
        os.umask(before)
    for one in paths_in(tmp_path / "a"):
        assert mode_of(one) == (0o700 if one.is_dir() else 0o600), one


def test_sharing_a_repository_changes_what_is_there_and_what_comes(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    assert python(tmp_path, "train.py", "run").status == 0
    assert mfv_command(tmp_path, "reindex").status == 0
    done = mfv_command(tmp_path, "init", "--shared")
    group = access.group_of(os.getegid())
    assert done.out.splitlines()[1] == f"it is shared with the group {group}"
    assert python(tmp_path, "train.py", "run", umask=0o077).status == 0
    assert mfv_command(tmp_path, "reindex", umask=0o077).status == 0
    for one in paths_in(tmp_path / ".mfv"):
        assert mode_of(one) in ((0o2770,) if one.is_dir() else (0o660, 0o440)), one
    assert Repository.open(tmp_path / ".mfv").config.shared


def test_sharing_keeps_what_the_settings_say_and_may_be_said_twice(tmp_path: Path) -> None:
    Repository.create(tmp_path / ".mfv")
    config = tmp_path / ".mfv" / "config.toml"
    config.write_text('shared = false\ndurability = "fast"\n[keep]\nlast = 3\n')
    for _ in range(2):
        access.share(str(tmp_path / ".mfv"))
    assert config.read_text() == 'shared = true\n\ndurability = "fast"\n[keep]\nlast = 3\n'


def test_settings_alone_share_nothing(tmp_path: Path) -> None:
    # They come with a repository from elsewhere.
    store = tmp_path / ".mfv"
    Repository.create(store)
    (store / "config.toml").write_text("shared = true\n")
    assert Repository.open(store).modes == modes.PRIVATE
    store.chmod(0o2770)
    assert Repository.open(store).modes == modes.SHARED


def test_sharing_with_a_group_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    done = mfv_command(tmp_path, "init", "--group", "no-such-group")
    assert (done.status, "there is no group 'no-such-group'" in done.err) == (3, True)
    assert not (tmp_path / ".mfv").exists()
    with pytest.raises(NotFoundError):
        access.group_id("no-such-group")


def test_a_folder_for_a_process_alone_stays_so_when_a_repository_is_shared(tmp_path: Path) -> None:
    from mfv.storage.held import make_held_folder

    Repository.create(tmp_path / ".mfv")
    place, fd = make_held_folder(str(tmp_path / ".mfv" / "tmp"), "verify-")
    (Path(place) / "inside").mkdir()
    access.share(str(tmp_path / ".mfv"))
    os.close(fd)
    assert mode_of(Path(place) / "inside") & 0o070 != 0o070


def all_of(store: Path, group: int) -> None:
    """Nothing in the repository that not every member of the group can use."""
    for one in paths_in(store):
        found = one.lstat()
        wanted = (0o2770,) if one.is_dir() else (0o660, 0o440)
        assert (mode_of(one) in wanted, found.st_gid) == (True, group), (one, oct(found.st_mode))


@only_root
def test_two_users_of_a_group_save_tag_and_gc_in_one_repository(computer: Machine) -> None:
    ana = computer.user("ana", 1, member=True, umask=0o077)
    ben = computer.user("ben", 2, member=True, umask=0o000)
    folder = computer.folder_of(ana)
    (folder / "train.py").write_text(TRAIN)
    store = folder / ".mfv"
    assert ana.mfv(folder, "init", "--group", computer.group.gr_name).status == 0
    for turn in range(2):
        for user, other in ((ana, ben), (ben, ana)):
            done = user.python(folder, "train.py", "run", "--lr", f"0.{turn + 1}")
            assert done.status == 0, done.err
            all_of(store, computer.group.gr_gid)
            for line in (
                "log --where lr>0",
                f"tag {user.name}{turn} @latest",
                "note @latest -m seen",
                "rm @latest",
                "undo",
                "gc --prune now",
                "gc --repack --prune now",
                "fsck --data",
                "reindex",
                "whence train.py",
            ):
                done = user.mfv(folder, *line.split())
                assert done.status == 0, (user.name, line, done)
            all_of(store, computer.group.gr_gid)
            listed = other.mfv(folder, "log", "--oneline")
            assert f"{user.name}{turn}" in listed.out
    assert {one.lstat().st_uid for one in store.rglob("*")} == {ana.uid, ben.uid}


@only_root
def test_who_is_not_in_the_group_gets_one_clear_error(computer: Machine) -> None:
    ana, eva = computer.user("ana", 1, member=True), computer.user("eva", 3, member=False)
    folder = computer.folder_of(ana)
    ana.mfv(folder, "init", "--group", computer.group.gr_name)
    (folder / "train.py").write_text(TRAIN)
    for words in (("-m", "mfv", "log"), ("-m", "mfv", "tag", "x", "1"), ("train.py", "run")):
        done = eva.python(folder, *words)
        assert done.status == 1, done
        assert done.err.startswith("error: the repository "), done.err
        assert computer.group.gr_name in done.err.splitlines()[0]
        assert len(done.err.splitlines()) == 2, done.err


@only_root
def test_a_private_repository_is_closed_to_everybody_else(computer: Machine) -> None:
    ana, eva = computer.user("ana", 1, member=True), computer.user("eva", 3, member=True)
    folder = computer.folder_of(ana)
    assert ana.mfv(folder, "init").status == 0
    done = eva.mfv(folder, "log")
    assert done.status == 1
    assert "alone" in done.err
    assert "--shared --group" in done.err


@only_root
def test_who_may_only_read_looks_and_leaves_nothing(computer: Machine) -> None:
    ana, eva = computer.user("ana", 1, member=False), computer.user("eva", 3, member=False)
    folder = computer.folder_of(ana)
    (folder / "train.py").write_text(TRAIN)
    assert ana.python(folder, "train.py", "run").status == 0
    store = folder / ".mfv"
    for one in paths_in(store):
        one.chmod(0o755 if one.is_dir() else 0o644)
    before = {one: one.lstat() for one in paths_in(store)}
    home = str(eva.home / "out")
    for line in (
        "log",
        "log --where lr>0",
        "show 1",
        "diff 1 1",
        "ls 1",
        "cat 1/label",
        "fsck --data",
        "du",
        f"clone 1 {home}",
    ):
        done = eva.mfv(folder, *line.split())
        assert done.status == 0, (line, done)
    after = {one: one.lstat() for one in paths_in(store)}
    assert {one: found.st_mtime_ns for one, found in after.items()} == {
        one: found.st_mtime_ns for one, found in before.items()
    }
    done = eva.mfv(folder, "tag", "x", "1")
    assert (done.status, "Permission denied" in done.err or "trust" in done.err) == (1, True)


@only_root
def test_what_root_writes_for_a_user_by_sudo_is_that_users(
    computer: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana: User = computer.user("ana", 1, member=False)
    folder = computer.folder_of(ana)
    assert ana.mfv(folder, "init").status == 0
    monkeypatch.setenv("SUDO_UID", str(ana.uid))
    backend = Repository.open(folder / ".mfv").backend
    backend.put("packs/new", [b"x"])
    backend.put("deep/er/new", [b"x"])
    for one in paths_in(folder / ".mfv"):
        assert (one.lstat().st_uid, one.lstat().st_gid) == (ana.uid, ana.uid), one
