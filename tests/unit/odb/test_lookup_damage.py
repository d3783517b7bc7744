"""Whatever becomes of the lookup cache, everything is found, and nothing wrong is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lookups import (
    add_pack,
    answers,
    caches,
    filled,
    learn,
    packs_of,
    payload,
    truth,
)

from mfv.errors import CorruptError
from mfv.ids import BlobId, ChunkId, PackId
from mfv.odb import layercache, whereabouts
from mfv.odb.database import Database
from mfv.odb.layer import Layer, assemble
from mfv.odb.layercache import FOLDER
from mfv.odb.packindex import key_of, read_index
from mfv.odb.whereabouts import PackIndex
from mfv.odb.writer import Writer
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "MANY_PACKS", 4)


def damages(data: bytes, at: int, flip: int) -> dict[str, bytes]:
    at %= len(data)
    return {
        "flipped": data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :],
        "cut": data[:at],
        "empty": b"",
        "longer": data + data[:at],
        "newer": data[:7] + b"\x02" + data[8:],
        "noise": os.urandom(len(data)),
    }


KINDS = ["flipped", "flipped", "cut", "empty", "longer", "newer", "noise", "foreign", "gone"]


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(KINDS),
    at=st.integers(0, 1 << 16),
    flip=st.integers(1, 255),
    late=st.integers(0, 6),
    large=st.booleans(),
)
def test_no_damage_to_the_cache_changes_what_is_read(
    kind: str, at: int, flip: int, late: int, large: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if large:  # then of the body nothing is known until it is asked
            patch.setattr(layercache, "CHECKED_WHOLE", 0)
        check_damage(kind, at, flip, late)


def check_damage(kind: str, at: int, flip: int, late: int) -> None:
    backend, other = MemoryBackend(), MemoryBackend()
    for one in (backend, other):
        filled(one)
        learn(one)
    (key,), (foreign,) = caches(backend), caches(other)
    if kind == "gone":
        backend.delete(key)
    elif kind == "foreign":
        backend.put(key, [other.get(foreign)])
    else:
        backend.put(key, [damages(backend.get(key), at, flip)[kind]])
    for number in range(late):  # with enough of them, what is damaged is to be merged
        add_pack(backend, [b"late %d" % number])
    right = truth(backend)

    # A writer may take known bytes for unknown ones, never the reverse.
    found = answers(PackIndex(backend), [*right, os.urandom(32)])
    assert all(packs <= right.get(one, set()) for one, packs in found.items())
    # A reader finds all.
    database = Database(backend)
    for number in range(40):
        assert database.read_blob(BlobId.of(payload(number))) == payload(number)
    with pytest.raises(CorruptError, match="missing"):
        database.read_blob(BlobId.of(b"nobody stored this"))
    # Who must be sure is.
    index = PackIndex(backend)
    index.load_all()
    assert answers(index, right) == right


def test_a_small_file_with_any_damage_is_known_for_it_at_once() -> None:
    backend = MemoryBackend()
    filled(backend)
    learn(backend)
    (key,) = caches(backend)
    data = backend.get(key)
    right = truth(backend)
    for at in range(len(data) - 200, len(data), 7):
        for one in caches(backend):
            backend.delete(one)
        backend.put(key, [damages(data, at, 1)["flipped"]])
        assert answers(PackIndex(backend), right) == right


def hiding(packs: Iterable[PackId]) -> Layer:
    """A sound layer that covers packs and denies all that is in them."""
    return assemble([(pack, 0) for pack in packs], 8, bytes(4 * 257), b"", b"")


def test_a_cache_that_denies_what_is_there_is_found_out_by_the_first_reader() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    backend.put(f"{FOLDER}0123456789abcdef", [hiding(packs).data])
    index = PackIndex(backend)
    assert index.find(ChunkId.of(payload(3))) == []
    assert index.find_sealed(ChunkId.of(payload(3)))
    assert caches(backend) == []
    assert learn(backend).find(ChunkId.of(payload(3)))


def test_a_forged_layer_that_cannot_be_merged_is_dropped() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    numbers = (1 << 31).to_bytes(4, "little") * 2
    wild = assemble([(pack, 1) for pack in packs], 8, b"\xff" * 4 * 257, bytes(8), numbers)
    backend.put(f"{FOLDER}0123456789abcdef", [wild.data])
    for number in range(4):
        add_pack(backend, [b"late %d" % number])
    right = truth(backend)
    assert answers(learn(backend), right) == right
    assert f"{FOLDER}0123456789abcdef" not in caches(backend)


def test_a_writer_that_is_misled_stores_twice_and_both_copies_count() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    backend.put(f"{FOLDER}0123456789abcdef", [hiding(packs).data])
    writer = Writer(Database(backend))
    writer.add_blob(payload(3))
    (receipt,) = writer.flush().receipts
    index = PackIndex(backend)
    index.load_all()
    assert packs_of(index, ChunkId.of(payload(3))) == {packs[0], receipt.pack}


def test_of_two_copies_the_whole_one_is_read_though_the_cache_knows_the_other_alone() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    learn(backend)
    data = bytearray(backend.get(key_of(packs[0])))
    (record,) = (one for one in read_index(backend, packs[0]) if one.id == ChunkId.of(payload(0)))
    data[record.offset] ^= 1
    backend.put(key_of(packs[0]), [data])
    add_pack(backend, [payload(0)])
    assert Database(backend).read_blob(BlobId.of(payload(0))) == payload(0)


def test_of_two_copies_the_whole_one_is_read_though_the_cache_denies_it() -> None:
    backend = MemoryBackend()
    first, second = sorted(add_pack(backend, [payload(0)]) for _ in range(2))
    (record,) = read_index(backend, first)
    data = bytearray(backend.get(key_of(first)))
    data[record.offset] ^= 1
    backend.put(key_of(first), [data])
    backend.put(f"{FOLDER}0123456789abcdef", [hiding([second]).data])
    assert packs_of(learn(backend), ChunkId.of(payload(0))) == {first}
    assert Database(backend).read_blob(BlobId.of(payload(0))) == payload(0)


def test_a_pack_whose_index_was_damaged_since_is_set_aside() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    learn(backend)
    data = bytearray(backend.get(key_of(packs[3])))
    data[-80] ^= 1
    backend.put(key_of(packs[3]), [data])
    index = PackIndex(backend)
    assert index.find(ChunkId.of(payload(17))) == []
    assert set(index.damaged) == {packs[3]}
    with pytest.raises(CorruptError, match="missing"):
        Database(backend).read_blob(BlobId.of(payload(17)))


@pytest.mark.parametrize("kind", ["cut", "empty", "newer", "noise"])
def test_the_next_who_writes_removes_a_damaged_file_and_leaves_a_newer_one(kind: str) -> None:
    backend = MemoryBackend()
    filled(backend)
    learn(backend)
    (key,) = caches(backend)
    backend.put(key, [damages(backend.get(key), 99, 1)[kind]])
    learn(backend)
    assert (key in caches(backend)) == (kind == "newer")
    assert len(caches(backend)) == 1 + (kind == "newer")


def test_files_with_other_names_are_left_alone() -> None:
    backend = MemoryBackend()
    filled(backend)
    for name in ("README", "0123456789abcdef.tmp", "f" * 15, "F" * 16, "deeper/0123456789abcdef"):
        backend.put(f"{FOLDER}{name}", [b"somebody's"])
    learn(backend)
    assert len(caches(backend)) == 6


@pytest.mark.parametrize("linked", ["cache", "cache/packindex"])
def test_a_folder_that_is_a_link_is_neither_written_nor_cleared(
    tmp_path: Path, linked: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "packindex").mkdir(parents=True)
    precious = ["0123456789abcdef", "packindex/0123456789abcdef"]
    for name in precious:
        (elsewhere / name).write_text("precious")
    place = tmp_path / "repository" / linked
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    backend = LocalBackend(tmp_path / "repository")
    filled(backend)
    right = truth(backend)
    assert answers(learn(backend), right) == right
    found = sorted(str(p.relative_to(elsewhere)) for p in elsewhere.rglob("*") if p.is_file())
    assert found == precious
