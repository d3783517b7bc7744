"""Room for a gc's entry: made only where the disk is full, and only of what needs no entry."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from keeping import add_pack, count_packs, payload, record

from mfv.errors import StorageError
from mfv.maintain import gc
from mfv.maintain.room import having_room, keep_reserve
from mfv.odb.packindex import key_of
from mfv.repo.repository import Repository
from mfv.storage.local import TMP
from mfv.storage.oserrors import storage_error


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / ".mfv")
    record(made, 1)
    return made


def failing(number: int, times: int = 1) -> tuple[Callable[[], int], list[int]]:
    """A function that fails so often with this errno, and the list of its calls."""
    calls: list[int] = []

    def act() -> int:
        calls.append(len(calls))
        if len(calls) <= times:
            raised = OSError(number, os.strerror(number))
            raise storage_error(raised, "write", "log/00000001") from raised
        return 7

    return act, calls


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_on_a_full_disk_the_cache_goes_but_for_copies_of_files(
    repository: Repository, number: int
) -> None:
    assert repository.folder is not None
    copies = Path(repository.folder, "cache", "files")
    copies.mkdir(parents=True)
    keep_reserve(repository)
    act, calls = failing(number)
    assert having_room(repository, act) == 7
    assert len(calls) == 2
    assert os.listdir(copies.parent) == ["files"]


def test_what_killed_processes_and_an_earlier_gc_left_goes_as_well(repository: Repository) -> None:
    assert repository.folder is not None
    pack = add_pack(repository.backend, payload(2))
    data = repository.backend.get(key_of(pack))
    gc.run(repository, gc.plan(repository, grace=0), grace=0)
    kept = count_packs(repository.backend)
    repository.backend.put(key_of(pack), [data])
    half = Path(repository.folder, TMP, "half")
    half.write_bytes(b"written")
    having_room(repository, failing(errno.ENOSPC)[0])
    assert count_packs(repository.backend) == kept
    assert not half.exists()


def test_another_error_drops_nothing_and_is_not_tried_again(repository: Repository) -> None:
    keep_reserve(repository)
    act, calls = failing(errno.EIO)
    with pytest.raises(StorageError):
        having_room(repository, act)
    assert len(calls) == 1
    assert repository.backend.stat("cache/reserve").size == 64 << 10


def test_where_no_room_can_be_made_the_error_stays(repository: Repository) -> None:
    act, calls = failing(errno.ENOSPC, times=9)
    with pytest.raises(StorageError, match="No space left"):
        having_room(repository, act)
    assert len(calls) == 2
    with pytest.raises(StorageError, match="No space left"):
        having_room(repository, act)
    assert len(calls) == 3, "there was nothing left to drop"


def test_a_reserve_that_is_there_is_left_as_it_is(repository: Repository) -> None:
    keep_reserve(repository)
    before = repository.backend.get("cache/reserve")
    keep_reserve(repository)
    assert repository.backend.get("cache/reserve") == before
