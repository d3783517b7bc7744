"""A large file goes to the disk while it is written, and stays at hand."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mfv.storage import filebytes
from mfv.storage.local import LocalBackend

STEP = 1 << 20  # bytes
Told = list[tuple[int, int]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Offset and length of every stretch that the disk was told of."""
    found: Told = []
    tell = os.posix_fadvise

    def note(fd: int, start: int, length: int, advice: int) -> None:
        assert os.fstat(fd).st_size >= start + length
        found.append((start, length))
        tell(fd, start, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", note)
    monkeypatch.setattr(filebytes, "_WRITE_OUT", 4 * STEP)
    monkeypatch.setattr(filebytes, "_BATCH", STEP)
    return found


def parts(count: int) -> list[bytes]:
    return [bytes([number]) * STEP for number in range(count)]


def test_the_disk_is_told_of_every_stretch_once_and_in_order(tmp_path: Path, told: Told) -> None:
    backend = LocalBackend(tmp_path)
    backend.put("packs/x", parts(11))
    assert told == [(0, 4 * STEP), (4 * STEP, 4 * STEP)]
    assert backend.get("packs/x") == b"".join(parts(11))


def test_of_a_small_file_it_is_not(tmp_path: Path, told: Told) -> None:
    LocalBackend(tmp_path).put("packs/x", parts(3))
    assert told == []


@pytest.mark.parametrize("sync", [True, False])
def test_nor_of_one_that_is_not_synced(tmp_path: Path, told: Told, *, sync: bool) -> None:
    backend = LocalBackend(tmp_path)
    backend.durable = not sync
    backend.put("packs/x", parts(11), sync=sync)
    assert told == []


def test_where_nothing_like_it_can_be_told_the_sync_does_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fadvise")
    monkeypatch.setattr(filebytes, "_WRITE_OUT", STEP)
    backend = LocalBackend(tmp_path)
    backend.put("packs/x", parts(11))
    assert backend.get("packs/x") == b"".join(parts(11))


def test_where_it_is_refused_the_file_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    monkeypatch.setattr(filebytes, "_WRITE_OUT", STEP)
    backend = LocalBackend(tmp_path)
    backend.put("packs/x", parts(11))
    assert backend.get("packs/x") == b"".join(parts(11))
