"""Locks that the kernel frees when their process dies, and the files that are cleared by them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from racing import Holder, race

from mfv.errors import StorageError
from mfv.storage.held import hold, is_abandoned
from mfv.storage.local import LocalBackend


def test_a_held_file_is_not_abandoned_until_its_holder_closes_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lease"
    fd = hold(path)
    assert not is_abandoned(path)
    os.close(fd)
    assert is_abandoned(path)


def test_a_file_that_is_not_there_is_abandoned(tmp_path: Path) -> None:
    assert is_abandoned(tmp_path / "nothing")


def test_the_file_of_another_process_is_abandoned_once_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    holder = Holder(lambda: hold(path))
    alive = is_abandoned(path)
    holder.kill()
    assert (alive, is_abandoned(path)) == (False, True)


def test_many_that_ask_at_once_do_not_take_each_other_for_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    os.close(hold(path))
    answers = race(4, lambda _: all(is_abandoned(path) for _ in range(300)))
    assert answers == [True] * 4


def test_asking_does_not_keep_a_writer_from_its_lock(tmp_path: Path) -> None:
    def act(place: int) -> bool:
        for i in range(100):
            path = tmp_path / f"lease{i}"
            if place == 0:
                os.close(hold(path))
            else:
                is_abandoned(path)
        return True

    assert race(3, act) == [True] * 3


def test_a_lease_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        hold(tmp_path / "file" / "lease")


def test_clearing_removes_the_files_of_the_dead_and_keeps_those_of_the_living(
    tmp_path: Path,
) -> None:
    backend = LocalBackend(tmp_path)
    living, dead = (
        Holder(lambda: hold(tmp_path / "tmp/a")),
        Holder(lambda: hold(tmp_path / "tmp/b")),
    )
    (tmp_path / "tmp" / "c").write_bytes(b"half a pack")
    dead.kill()
    try:
        assert backend.clear_abandoned() == ("b", "c")
        assert os.listdir(tmp_path / "tmp") == ["a"]
        assert not is_abandoned(tmp_path / "tmp" / "a")
    finally:
        living.kill()
    assert backend.clear_abandoned() == ("a",)


def test_clearing_a_repository_without_tmp_removes_nothing(tmp_path: Path) -> None:
    assert LocalBackend(tmp_path / "none").clear_abandoned() == ()


def test_a_writer_killed_half_way_leaves_a_file_that_is_cleared_and_no_key(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "root")

    def parts() -> Iterator[bytes]:
        yield b"x" * (1 << 20)
        write_end.send(b".")
        signal.pause()

    read_end, write_end = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        backend.put("packs/a", parts())
        os._exit(0)
    read_end.recv(1)
    kept = backend.clear_abandoned()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert kept == ()
    assert len(backend.clear_abandoned()) == 1
    assert list(backend.list("")) == []


def test_writers_get_through_while_others_clear_all_the_time(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "root")
    backend.put("log/first", [b""])

    def act(place: int) -> int:
        if place < 2:
            for i in range(60):
                backend.create(f"log/{place}-{i}", [b"x"])
            return 0
        return sum(len(backend.clear_abandoned()) for _ in range(300))

    race(4, act)
    assert len(list(backend.list("log/"))) == 121
