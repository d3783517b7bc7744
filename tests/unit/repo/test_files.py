"""File artifacts: stored from disk, found again where they were, or brought back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mfv.errors import CorruptError, StorageError
from mfv.ids import BlobId
from mfv.manifest.artifact import FILE, Artifact
from mfv.odb.writer import Writer
from mfv.repo.artifacts import load, store, store_all
from mfv.repo.files import copy_to
from mfv.repo.repository import Repository

CONTENT = b"the content of a file\n" * 1000


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / ".mfv")


def stored(repository: Repository, value: object) -> Artifact:
    writer = Writer(repository.database)
    artifact = store(writer, "data", value)
    writer.flush()
    return artifact


def written(path: Path, content: bytes = CONTENT) -> Path:
    path.write_bytes(content)
    return path


def test_a_path_is_recorded_as_the_content_of_its_file(
    repository: Repository, tmp_path: Path
) -> None:
    path = written(tmp_path / "data.csv")
    artifact = stored(repository, path)
    assert artifact.serializer == FILE
    assert [frame.id for frame in artifact.frames] == [BlobId.of(CONTENT)]
    assert (artifact.size, artifact.path) == (len(CONTENT), str(path))


def test_the_same_content_elsewhere_is_the_same_artifact(
    repository: Repository, tmp_path: Path
) -> None:
    one, other = (stored(repository, written(tmp_path / name)) for name in "ab")
    assert one.id == other.id


def test_an_unchanged_file_is_found_where_it_was(repository: Repository, tmp_path: Path) -> None:
    path = written(tmp_path / "data.csv")
    assert load(repository.database, stored(repository, path)) == path


@pytest.mark.parametrize("other", [None, b"other", CONTENT[:-1] + b"!"])
def test_a_file_that_is_gone_or_another_comes_back_from_the_repository(
    repository: Repository, tmp_path: Path, other: bytes | None
) -> None:
    path = written(tmp_path / "data.csv")
    artifact = stored(repository, path)
    path.unlink()
    if other is not None:
        written(path, other)
    for _ in range(2):
        found = load(repository.database, artifact)
        assert isinstance(found, Path) and found != path
        assert (found.name, found.read_bytes()) == ("data.csv", CONTENT)
        assert found.stat().st_mode & 0o777 == 0o400
    assert other is None or path.read_bytes() == other


def test_a_copy_that_somebody_changed_is_brought_back_anew(
    repository: Repository, tmp_path: Path
) -> None:
    path = written(tmp_path / "data.csv")
    artifact = stored(repository, path)
    path.unlink()
    found = load(repository.database, artifact)
    assert isinstance(found, Path)
    found.chmod(0o600)
    written(found, CONTENT[::-1])
    again = load(repository.database, artifact)
    assert isinstance(again, Path) and again.read_bytes() == CONTENT


def test_open_files_come_back_open(repository: Repository, tmp_path: Path) -> None:
    path = written(tmp_path / "data.txt", "grüße\n".encode())
    with open(path, "rb") as binary, open(path, encoding="utf-8") as words:
        artifacts = [stored(repository, file) for file in (binary, words)]
    path.unlink()
    with load(repository.database, artifacts[0]) as found:  # type: ignore[attr-defined]
        assert found.read() == "grüße\n".encode()
    with load(repository.database, artifacts[1]) as found:  # type: ignore[attr-defined]
        assert found.read() == "grüße\n"


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..", "a\nb", ".mfv", "x" * 300])
def test_a_hostile_name_leads_nowhere(repository: Repository, tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "data.csv")
    artifact = stored(repository, path)
    path.unlink()
    hostile = Artifact("data", artifact.type, FILE, "path", artifact.frames, path=name)
    found = load(repository.database, hostile)
    assert isinstance(found, Path)
    assert found.read_bytes() == CONTENT
    assert found.parent == tmp_path / ".mfv" / "cache" / "files" / str(BlobId.of(CONTENT))


def test_where_the_repository_cannot_be_written_a_copy_is_made_elsewhere(
    repository: Repository, tmp_path: Path
) -> None:
    path = written(tmp_path / "data.csv")
    artifact = stored(repository, path)
    path.unlink()
    cache = tmp_path / ".mfv" / "cache"
    if cache.exists():
        os.rename(cache, tmp_path / "aside")
    cache.write_text("in the way")
    found = load(repository.database, artifact)
    assert isinstance(found, Path)
    assert (found.name, found.read_bytes()) == ("data.csv", CONTENT)
    assert tmp_path not in found.parents


def test_it_is_written_out_whole_or_not_at_all(repository: Repository, tmp_path: Path) -> None:
    artifact = stored(repository, written(tmp_path / "data.csv"))
    target = written(tmp_path / "target", b"before")
    copy_to(repository.database, artifact, target)
    assert target.read_bytes() == CONTENT
    missing = Artifact("data", "x", FILE, "path", (artifact.frames[0].__class__(bytes(32), 5),))
    with pytest.raises(CorruptError):
        copy_to(repository.database, missing, target)
    with pytest.raises(StorageError, match="cannot write"):
        copy_to(repository.database, artifact, tmp_path / "no" / "folder")
    assert target.read_bytes() == CONTENT
    assert not list(tmp_path.glob(".*mfv-part"))


def test_a_file_that_cannot_be_read_costs_nothing_else(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "data.csv")

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    found = store_all(Writer(repository.database), {"bad": path, "good": [1, 2]})
    assert [artifact.name for artifact in found.artifacts] == ["good"]
    assert found.dropped[0][0] == "bad"
    assert "Input/output error" in found.dropped[0][1]


def test_a_file_that_looks_like_a_secret_is_not_read(
    repository: Repository, tmp_path: Path
) -> None:
    path = written(tmp_path / "id_rsa", b"PRIVATE KEY")
    artifact = stored(repository, path)
    assert artifact.serializer != FILE
    assert load(repository.database, artifact) == path
    with open(path, "rb") as file:
        found = store_all(Writer(repository.database), {"key": file})
    assert [name for name, _ in found.dropped] == ["key"]
