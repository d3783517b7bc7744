"""A place to run in is gone afterwards, however it ended, and nobody else's is touched."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from making import memory_repository

from mfv.errors import StorageError
from mfv.repo.repository import Repository
from mfv.storage import held
from mfv.storage.local import LocalBackend
from mfv.verify.workplace import PREFIX, workplace


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / ".mfv", writer="ana@host")


def places(repository: Repository) -> list[str]:
    assert repository.folder is not None
    return sorted(n for n in os.listdir(f"{repository.folder}/tmp") if n.startswith(PREFIX))


def test_it_is_removed_with_all_that_is_in_it(repository: Repository) -> None:
    with workplace(repository) as work:
        closed = work.folder / "closed"
        (closed / "below").mkdir(parents=True)
        (closed / "below" / "file").touch()
        (work.folder / "link").symlink_to("/etc")
        for path in (closed / "below", closed):
            path.chmod(0)
        assert len(places(repository)) == 1
    assert places(repository) == []
    assert Path("/etc/passwd").exists()


def test_it_is_removed_when_something_is_raised(repository: Repository) -> None:
    with pytest.raises(KeyboardInterrupt), workplace(repository):
        raise KeyboardInterrupt
    assert places(repository) == []


def abandoned(repository: Repository) -> Path:
    """A place as one leaves it that is killed."""
    path, fd = held.make_held_folder(f"{repository.folder}/tmp", PREFIX)
    Path(path, "big").write_bytes(bytes(100))
    os.close(fd)
    return Path(path)


def test_one_that_is_abandoned_is_cleared_by_the_next(repository: Repository) -> None:
    left = abandoned(repository)
    with workplace(repository) as work:
        assert not left.exists()
        assert places(repository) == [work.folder.name]


def test_and_by_whatever_clears_the_repository(repository: Repository) -> None:
    left = abandoned(repository)
    assert isinstance(repository.backend, LocalBackend)
    with workplace(repository) as work:
        left = abandoned(repository)
        assert repository.backend.clear_abandoned() == (left.name,)
        assert work.folder.exists()


def test_it_is_held_as_long_as_anybody_who_was_started_lives(repository: Repository) -> None:
    path, fd = held.make_held_folder(f"{repository.folder}/tmp", PREFIX)
    child = os.dup(fd)  # as a process has it that was handed it
    os.close(fd)
    assert held.clear_held_folders(f"{repository.folder}/tmp", PREFIX) == ()
    os.close(child)
    cleared = held.clear_held_folders(f"{repository.folder}/tmp", PREFIX)
    assert cleared == (os.path.basename(path),)


def test_a_link_is_no_place(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    Path(f"{repository.folder}/tmp", f"{PREFIX}link").symlink_to(tmp_path / "mine")
    assert held.clear_held_folders(f"{repository.folder}/tmp", PREFIX) == ()
    assert (tmp_path / "mine" / "file").exists()


def test_where_the_repository_cannot_be_written_to_it_lies_elsewhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(elsewhere))
    made = held.make_held_folder

    def refuse(parent: str, prefix: str, *modes: object) -> tuple[str, int]:
        if parent.startswith(os.fspath(repository.folder)):
            raise StorageError("it is read-only")
        return made(parent, prefix)

    monkeypatch.setattr("mfv.verify.workplace.make_held_folder", refuse)
    with workplace(repository) as work:
        assert work.folder.parent == elsewhere
    with workplace(memory_repository()) as work:
        assert work.folder.parent == elsewhere
    assert list(elsewhere.iterdir()) == []
