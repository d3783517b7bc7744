"""What pip says of an index: here a folder of wheels, which needs no network."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mfv.capture.pipindex import Answer, Served, find_files
from mfv.errors import NotFoundError, StorageError


def wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel that pip takes for one."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    facts = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(f"{info}/METADATA", facts)
        out.writestr(f"{info}/WHEEL", tags)
        out.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip looks into, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return tmp_path


def test_the_file_of_each_version_is_told_and_what_is_gone(index: Path) -> None:
    one = wheel(index, "one_pkg", "1.0")
    wheel(index, "one_pkg", "2.0")
    wheel(index, "two", "1.0")
    digest = hashlib.sha256(one.read_bytes()).hexdigest()
    answer = find_files({"one-pkg": "1.0", "two": "9.9", "three": "1.0"})
    assert answer.files == {"one-pkg": Served(one.as_uri(), digest)}
    assert sorted(answer.gone) == ["three", "two"]
    assert find_files({}) == Answer({}, ())


def test_what_pip_cannot_do_is_told_in_its_words(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = index / "one-1.0-py3-none-any.whl"
    broken.write_text("no archive")
    with pytest.raises(StorageError, match="pip could not tell the files"):
        find_files({"one": "1.0"})
    python = index / "python"
    python.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(NotFoundError, match="no pip"):
        find_files({"one": "1.0"})


def test_a_source_archive_is_no_answer_and_none_of_its_code_runs(index: Path) -> None:
    ran = index / "ran"
    files = {"setup.py": f"open({str(ran)!r}, 'w')\n", "PKG-INFO": "Name: loud\n"}
    with tarfile.open(index / "loud-1.0.tar.gz", "w:gz") as out:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"loud-1.0/{name}")
            entry.size = len(text)
            out.addfile(entry, io.BytesIO(text.encode()))
    assert find_files({"loud": "1.0"}) == Answer({}, ("loud",))
    assert not ran.exists()
