"""Which values stand for a file's content, and what is read of them."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path, PurePosixPath

import pytest

from mfv.errors import UnpicklableError
from mfv.serde.openfile import BINARY, PATH, open_file, revive


def content(value: object) -> bytes | None:
    file = open_file(value, "self.x")
    if file is None:
        return None
    try:
        view = memoryview(bytearray(file.size + 10))
        return bytes(view[: file.read_at(view, 0)])
    finally:
        file.close()


def test_a_path_to_a_file_stands_for_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert content(tmp_path / "a") == b"content"
    (tmp_path / "link").symlink_to("a")
    assert content(tmp_path / "link") == b"content"


def test_other_paths_are_values_like_any_other(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for value in (tmp_path, tmp_path / "none", tmp_path / "pipe", Path("/dev/null")):
        assert content(value) is None
    assert content(PurePosixPath("/etc/passwd")) is None
    assert content(str(Path(__file__))) is None


def test_an_open_file_is_read_from_its_start_and_stays_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with open(tmp_path / "a", "rb") as file:
        file.read(4)
        assert content(file) == b"0123456789"
        assert file.tell() == 4


def test_what_was_written_and_not_flushed_is_there(tmp_path: Path) -> None:
    with open(tmp_path / "a", "w", encoding="utf-8") as file:
        file.write("words")
        assert content(file) == b"words"


def test_an_unnamed_file_is_read_too() -> None:
    with tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile() as named:
        for one in (file, named):
            one.write(b"scratch")
            assert content(one) == b"scratch"


def test_what_was_open_for_writing_and_has_lost_its_name_is_no_file(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").write_bytes(b"another")
        assert content(file) is None


def test_files_of_the_process_and_no_real_files_are_left_alone(tmp_path: Path) -> None:
    closed = open(tmp_path / "a", "wb")  # noqa: SIM115
    closed.close()
    for value in (closed, sys.__stdout__, io.BytesIO(b"x"), io.StringIO("x"), 5, "text"):
        assert content(value) is None


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"x")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnpicklableError, match=r"self\.x cannot be stored: Permission denied"):
        open_file(tmp_path / "a", "self.x")


def test_a_value_comes_back_as_what_it_was(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    Path(path).write_bytes("ä\n".encode("latin-1"))
    assert revive(path, PATH) == Path(path)
    with revive(path, BINARY) as binary, revive(path, "latin-1") as words:  # type: ignore[attr-defined]
        assert binary.read() == b"\xe4\n"
        assert words.read() == "ä\n"
