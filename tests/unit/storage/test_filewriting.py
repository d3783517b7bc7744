"""A file is its parts, joined, whichever way its bytes take."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.storage import filewriting
from mfv.storage.filewriting import write_all

MIB = 1 << 20


def write(path: Path, parts: list[bytes], direct_from: int) -> bytes:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, parts, direct_from=direct_from)
    finally:
        os.close(fd)
    return path.read_bytes()


def noise(*sizes: int) -> list[bytes]:
    return [os.urandom(size) for size in sizes]


@given(
    sizes=st.lists(
        st.one_of(st.integers(0, 5000), st.integers(0, 9 * MIB), st.just(4096)), max_size=8
    ),
    direct_from=st.sampled_from([0, 1, 4096, 5 * MIB]),
)
def test_any_parts_are_joined(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], direct_from: int
) -> None:
    parts = noise(*sizes)
    path = tmp_path_factory.getbasetemp() / "joined"
    assert write(path, parts, direct_from) == b"".join(parts)


def test_what_is_beyond_the_limit_goes_past_the_page_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct: list[int] = []
    plain = os.write

    def write_noted(fd: int, data: memoryview) -> int:
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT:
            direct.append(len(data))
        return plain(fd, data)

    monkeypatch.setattr(os, "write", write_noted)
    parts = noise(5 * MIB + 1, 20 * MIB)
    assert write(tmp_path / "file", parts, 4 * MIB) == b"".join(parts)
    if not direct:
        pytest.skip("this file system has no direct writes")
    assert set(direct) == {8 * MIB}


def test_a_small_file_goes_through_the_page_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filewriting, "_set_direct", lambda *_: pytest.fail("asked for"))
    assert len(write(tmp_path / "file", noise(5 * MIB, 5 * MIB), 1 << 30)) == 10 * MIB


def test_a_file_system_that_has_no_direct_writes_takes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fcntl.fcntl

    def refuse(fd: int, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return plain(fd, command, flags)

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    parts = noise(5 * MIB, 17 * MIB + 5)
    assert write(tmp_path / "file", parts, 0) == b"".join(parts)


@pytest.mark.parametrize("done", [0, 512, 8192])
def test_a_disk_that_wants_larger_blocks_gets_the_rest_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    plain, calls = os.write, []

    def write_some(fd: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) > 1 or not done:
            raise OSError(errno.EINVAL, "Invalid argument")
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_DIRECT)
        return plain(fd, data[:done])

    monkeypatch.setattr(os, "write", write_some)
    parts = noise(4 * MIB, 17 * MIB + 5)
    assert write(tmp_path / "file", parts, 0) == b"".join(parts)
    assert calls


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", noise(4 * MIB, 17 * MIB), 0)
