"""The file `format`."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import memory_repository
from racing import race

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError
from mfv.ids import Seal
from mfv.repo import format as formats
from mfv.repo.repository import Repository, find
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import ReadOnlyBackend


def sealed(body: bytes) -> MemoryBackend:
    backend = MemoryBackend()
    backend.put(formats.KEY, [body, f"seal {Seal.of(body)}\n".encode()])
    return backend


def test_a_new_format_is_read_back_and_stays_the_same() -> None:
    backend = MemoryBackend()
    assert formats.create(backend)
    made = formats.read(backend)
    assert (made.version, len(made.repository)) == (1, 16)
    assert not formats.create(backend)
    assert formats.read(backend) == made


def test_two_repositories_have_different_ids() -> None:
    backends = [MemoryBackend() for _ in range(10)]
    assert all(map(formats.create, backends))
    assert len({formats.read(backend).repository for backend in backends}) == 10


def test_eight_processes_that_make_one_at_once_make_one(tmp_path: Path) -> None:
    made = race(8, lambda _: formats.create(LocalBackend(tmp_path / "repository")))
    assert sorted(made) == [False] * 7 + [True]


def test_where_there_is_none_the_hint_says_how_to_make_one() -> None:
    with pytest.raises(NotFoundError) as caught:
        formats.read(MemoryBackend())
    assert "mfv init" in (caught.value.hint or "")


def test_a_newer_format_is_refused_by_its_number_and_nothing_is_written() -> None:
    backend = sealed(b"mfv repository\nversion 999\nanything else\n")
    with pytest.raises(FormatTooNewError, match="999") as caught:
        Repository(ReadOnlyBackend(backend))
    assert "newer" in (caught.value.hint or "")


def test_a_flipped_bit_at_any_byte_is_noticed() -> None:
    backend = MemoryBackend()
    formats.create(backend)
    whole = backend.get(formats.KEY)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 7
        backend.put(formats.KEY, [damaged])
        with pytest.raises(CorruptError):
            formats.read(backend)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"version\n",
        b"mfv repository\nversion 1\n",
        b"mfv repository\nversion 1\nid xyz\n",
        b"mfv repository\nversion 1\nid " + b"0" * 30 + b"\n",
        b"mfv repository\nversion 0\nid " + b"0" * 32 + b"\n",
        b"mfv repository\nversion " + b"9" * 5000 + b"\n",
        b"mfv repository\nversion \xff\nid " + b"0" * 32 + b"\n",
    ],
)
def test_nonsense_under_a_right_seal_is_damage(body: bytes) -> None:
    with pytest.raises(CorruptError):
        formats.read(sealed(body))


def test_a_format_cut_short_or_with_more_behind_is_damage() -> None:
    backend = MemoryBackend()
    formats.create(backend)
    whole = backend.get(formats.KEY)
    for data in (b"", whole[:-1], whole[:40], whole + b"\n", whole + whole):
        backend.put(formats.KEY, [data])
        with pytest.raises(CorruptError):
            formats.read(backend)


def test_the_nearest_repository_upwards_is_found(tmp_path: Path) -> None:
    Repository.create(tmp_path / ".mfv")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find(deep) == str(tmp_path / ".mfv")
    Repository.create(deep / ".mfv")
    assert find(deep) == str(deep / ".mfv")
    assert find(tmp_path / "a") == str(tmp_path / ".mfv")


def test_opening_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Repository.open(tmp_path / ".mfv")
    (tmp_path / ".mfv").mkdir()
    with pytest.raises(NotFoundError):
        Repository.open(tmp_path / ".mfv")


def test_looking_at_a_repository_writes_nothing() -> None:
    repository = Repository(ReadOnlyBackend(memory_repository().backend))
    assert list(repository.state) == []
