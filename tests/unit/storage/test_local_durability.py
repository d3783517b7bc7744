"""In what order the local backend asks the kernel for what, and what it leaves behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mfv.errors import ConflictError, StorageError
from mfv.storage.local import LocalBackend

TRACED = ("mkdir", "open", "writev", "fsync", "rename", "link", "unlink", "close")


class Trace:
    """The calls of `os` that change something, in order, with the paths behind descriptors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.calls: list[tuple[str, str]] = []
        self._names: dict[int, str] = {}
        self._root = str(root)
        for name in TRACED:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Any) -> Any:
        def call(first: Any, *rest: Any, **options: Any) -> Any:
            result = real(first, *rest, **options)
            if name == "open":
                self._names[result] = str(first)
            elif name == "close":
                self._names.pop(first, None)
            else:
                path = self._names.get(first, "?") if isinstance(first, int) else str(first)
                target = str(rest[0]) if name in ("rename", "link") else path
                self.calls.append((name, self._short(target)))
            return result

        return call

    def _short(self, path: str) -> str:
        if not path.startswith(self._root):
            return path
        relative = path.removeprefix(self._root).lstrip("/") or "."
        return "tmp/*" if relative.startswith("tmp/") else relative


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    made = LocalBackend(tmp_path / "root")
    made.put("log/warm", [b""])
    return made


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch, backend: LocalBackend) -> Trace:
    return Trace(monkeypatch, Path(backend.root))


def test_put_syncs_the_file_then_renames_it_then_syncs_the_folder(
    backend: LocalBackend, trace: Trace
) -> None:
    backend.put("log/a", [b"one", b"two"])
    assert trace.calls[:4] == [
        ("writev", "tmp/*"),
        ("fsync", "tmp/*"),
        ("rename", "log/a"),
        ("fsync", "log"),
    ]


def test_create_syncs_the_file_then_links_it_then_syncs_the_folder(
    backend: LocalBackend, trace: Trace
) -> None:
    backend.create("log/a", [b"one"])
    assert trace.calls == [
        ("writev", "tmp/*"),
        ("fsync", "tmp/*"),
        ("link", "log/a"),
        ("fsync", "log"),
        ("unlink", "tmp/*"),
    ]


def test_a_small_value_is_overwritten_in_place_and_no_file_is_made_for_it(
    backend: LocalBackend, trace: Trace
) -> None:
    backend.overwrite("tip", b"first")
    trace.calls.clear()
    inode = os.stat(os.path.join(backend.root, "tip")).st_ino
    backend.overwrite("tip", b"again")
    assert backend.get("tip") == b"again"
    assert trace.calls == []
    assert os.stat(os.path.join(backend.root, "tip")).st_ino == inode


def test_a_value_of_another_size_or_with_another_name_is_replaced(backend: LocalBackend) -> None:
    path, other = Path(backend.root, "tip"), Path(backend.root, "other")
    backend.overwrite("tip", b"first")
    os.link(path, other)
    backend.overwrite("tip", b"again")
    assert (path.read_bytes(), other.read_bytes()) == (b"again", b"first")
    backend.overwrite("tip", b"longer than before")
    assert path.read_bytes() == b"longer than before"
    path.unlink()
    path.symlink_to(other)
    backend.overwrite("tip", b"not through")
    assert (path.read_bytes(), other.read_bytes()) == (b"not through", b"first")


def test_put_without_sync_syncs_nothing(backend: LocalBackend, trace: Trace) -> None:
    backend.put("log/a", [b"one"], sync=False)
    assert [name for name, _ in trace.calls if name == "fsync"] == []


def test_a_new_folder_is_made_durable_in_the_folder_above_it(
    backend: LocalBackend, trace: Trace
) -> None:
    backend.create("packs/a", [b"one"])
    made = trace.calls.index(("mkdir", "packs"))
    assert trace.calls[made + 1] == ("fsync", ".")
    assert trace.calls.index(("link", "packs/a")) > made


def test_nothing_is_left_in_tmp_after_success_or_refusal(backend: LocalBackend) -> None:
    backend.create("log/a", [b""])
    with pytest.raises(ConflictError):
        backend.create("log/a", [b""])
    backend.put("log/a", [b""])

    def broken() -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        backend.put("log/b", broken())
    assert os.listdir(os.path.join(backend.root, "tmp")) == []


def test_no_descriptor_is_left_open(backend: LocalBackend) -> None:
    def descriptors() -> int:
        return len(os.listdir("/dev/fd"))

    before = descriptors()
    for i in range(5):
        backend.put(f"log/{i}", [b"x" * 100_000])
        backend.get(f"log/{i}")
        with pytest.raises(ConflictError):
            backend.create(f"log/{i}", [b""])
        backend.view(f"log/{i}", 0, 100_000).release()
    assert descriptors() <= before


def test_a_short_write_goes_on_where_it_stopped(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.writev

    def stingy(fd: int, buffers: list[memoryview]) -> int:
        first = next(buffer for buffer in buffers if len(buffer))
        return real(fd, [first[:3]])

    monkeypatch.setattr(os, "writev", stingy)
    backend.put("log/a", [b"0123456", b"", b"789", b"abcdef"])
    assert backend.get("log/a") == b"0123456789abcdef"


def test_a_short_read_goes_on_where_it_stopped(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.put("log/a", [b"0123456789"])
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, start: real(fd, min(size, 3), start))
    assert backend.get("log/a", 1) == b"123456789"


def test_under_umask_000_everything_is_still_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        backend = LocalBackend(tmp_path / "deep" / "root")
        backend.put("packs/a", [b"x"])
        backend.create("log/a", [b"x"])
    finally:
        os.umask(before)
    root = Path(backend.root)
    for path in (root, *root.rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


@pytest.mark.parametrize("linked", ["root", "tmp", "log", "log/deep"])
@pytest.mark.parametrize("verb", ["put", "create"])
def test_a_symbolic_link_on_the_way_is_not_written_through(
    tmp_path: Path, linked: str, verb: str
) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = root if linked == "root" else root / linked
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere)
    with pytest.raises(StorageError, match="symbolic link") as caught:
        getattr(LocalBackend(root), verb)("log/deep/a", [b"x"])
    assert caught.value.hint
    assert list(elsewhere.iterdir()) == []


def test_a_key_that_is_a_symbolic_link_is_not_read_through(
    backend: LocalBackend, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    Path(backend.root, "log", "a").symlink_to(tmp_path / "secret")
    for read in (backend.get, lambda key: backend.view(key, 0, 3)):
        with pytest.raises(StorageError):
            read("log/a")
    assert "log/a" not in list(backend.list(""))


def test_put_replaces_a_symbolic_link_and_not_what_it_points_to(
    backend: LocalBackend, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    Path(backend.root, "log", "a").symlink_to(victim)
    backend.put("log/a", [b"new"])
    assert victim.read_bytes() == b"precious"
    assert backend.get("log/a") == b"new"


def test_put_leaves_a_hard_link_of_the_old_value_as_it_was(
    backend: LocalBackend, tmp_path: Path
) -> None:
    backend.put("log/a", [b"old"])
    os.link(Path(backend.root, "log", "a"), tmp_path / "copy")
    backend.put("log/a", [b"new"])
    assert (tmp_path / "copy").read_bytes() == b"old"


def test_a_pipe_planted_as_a_key_does_not_hang_its_reader(backend: LocalBackend) -> None:
    os.mkfifo(Path(backend.root, "log", "pipe"))
    with pytest.raises(StorageError):
        backend.get("log/pipe", 0, 10)
    assert backend.get("log/warm") == b""


def test_files_of_others_that_no_key_can_name_are_not_listed(backend: LocalBackend) -> None:
    for name in (".DS_Store", "a copy (1)", "é", "x~"):
        Path(backend.root, "log", name).touch()
    assert list(backend.list("log/")) == ["log/warm"]


def test_what_is_half_written_is_not_listed(backend: LocalBackend) -> None:
    Path(backend.root, "tmp", "abc").touch()
    assert list(backend.list("")) == ["log/warm"]


def test_settling_syncs_the_folder_and_of_the_root_that_which_holds_it(
    backend: LocalBackend, trace: Trace, tmp_path: Path
) -> None:
    backend.settle("log/")
    assert trace.calls == [("fsync", "log")]
    trace.calls.clear()
    backend.settle("")
    assert trace.calls == [("fsync", "."), ("fsync", str(tmp_path))]


def test_settling_what_is_not_there_or_a_fast_repository_does_nothing(
    backend: LocalBackend, trace: Trace
) -> None:
    backend.settle("packs/")
    backend.durable = False
    backend.settle("log/")
    assert trace.calls == []
