"""What the local backend says when the machine refuses, on machines that really refuse."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from racing import race

from mfv.errors import StorageError
from mfv.storage.local import LocalBackend


def _mounted(folder: Path) -> bool:
    """Whether a file system of 256 KiB could be mounted at `folder`."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes 256 KiB and no more."""
    folder = tmp_path / "small"
    folder.mkdir()
    if _mounted(folder):
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("verb", ["put", "create"])
def test_a_full_disk_is_a_storage_error_and_leaves_no_half_file(full_disk: Path, verb: str) -> None:
    backend = LocalBackend(full_disk / "root")
    backend.put("log/a", [b"kept"])
    with pytest.raises(StorageError) as caught:
        getattr(backend, verb)("packs/big", [bytes(1 << 20)])
    assert "packs/big" in caught.value.message
    assert list(backend.list("")) == ["log/a"]
    assert backend.clear_abandoned() == ()
    backend.put("log/b", [b"after"])
    assert (backend.get("log/a"), backend.get("log/b")) == (b"kept", b"after")


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "owns"),
        (errno.EMFILE, "ulimit"),
        (errno.EIO, "disk"),
        (errno.ENOTSUP, "hard links"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "writev"])
def test_each_refusal_of_the_kernel_says_what_to_do_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, word: str, call: str
) -> None:
    backend = LocalBackend(tmp_path / "root")
    backend.put("log/a", [b"old"])

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageError) as caught:
        backend.put("log/a", [b"new"])
    monkeypatch.undo()
    assert caught.value.hint is not None
    assert word in caught.value.hint
    assert os.strerror(number) in caught.value.message
    assert backend.get("log/a") == b"old"


def test_a_folder_of_somebody_else_is_a_storage_error() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        LocalBackend(root).put("log/a", [b"old"])
        for path in (Path(folder), root, root / "log", root / "tmp"):
            path.chmod(0o555)

        def write(_: int) -> str | None:
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            with pytest.raises(StorageError) as caught:
                LocalBackend(root).put("log/b", [b"x"])
            return caught.value.hint

        (hint,) = race(1, write)
        for path in (Path(folder), root, root / "log", root / "tmp"):
            path.chmod(0o700)
    assert hint is not None
    assert "MFV_DIR" in hint


def test_a_repository_that_vanished_is_a_storage_error(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "root")
    backend.put("log/a", [b"x"])
    os.rename(tmp_path / "root", tmp_path / "moved")
    with pytest.raises(StorageError):
        backend.put("log/b", [b"x"])


def test_a_folder_that_is_named_from_where_one_stands_is_made_with_all_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    backend = LocalBackend("above/repository")
    backend.create("key", [b"data"])
    monkeypatch.chdir("/")
    assert backend.get("key") == b"data"
