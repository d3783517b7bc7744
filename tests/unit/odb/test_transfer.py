"""Ranges on their way into new packs: what a group builds on comes along, and never too deep."""

from __future__ import annotations

import os

import pytest

from mfv.errors import CorruptError
from mfv.ids import BlobId, ChunkId, PackId
from mfv.odb import delta
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import Location, key_of, read_index
from mfv.odb.transfer import Transfer
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend

BASE = os.urandom(3000)
FIRST, SECOND = BASE[:1000] + b"changed", BASE[1000:] + b"more"


def put(backend: Backend, *ranges: tuple[list[bytes], int, bytes, int]) -> PackId:
    """A pack of such ranges: the objects in each, codec, stored bytes, depth."""
    builder = PackBuilder()
    for members, codec, stored, depth in ranges:
        named = [Member(ChunkId.of(one), ChunkId.kind, len(one)) for one in members]
        builder.add(named, codec, stored, depth)
    parts, receipt = builder.finish()
    backend.put(key_of(receipt.pack), parts)
    return receipt.pack


def raw(data: bytes) -> tuple[list[bytes], int, bytes, int]:
    return [data], Codec.RAW, data, 0


def group(
    *members: bytes, before: bytes = BASE, depth: int = 1
) -> tuple[list[bytes], int, bytes, int]:
    stored = delta.encode(memoryview(b"".join(members)), [ChunkId.of(before)], before)
    return list(members), Codec.GROUP, stored, depth


def moving(backend: Backend, *sources: PackId) -> tuple[Database, Transfer]:
    database = Database(backend)
    database.index.load_all()
    return database, Transfer(database, set(sources), lambda copy: (copy.record.depth, copy.pack))


def location(backend: Backend, pack: PackId, data: bytes) -> Location:
    (record,) = (one for one in read_index(backend, pack) if one.id == ChunkId.of(data))
    return Location(pack, record)


def keep_all(transfer: Transfer, *wanted: bytes) -> bool:
    waiting = [(bytes(ChunkId.of(one)), ChunkId.kind) for one in wanted]
    whole = True
    while waiting:
        kept = [transfer.keep(*one) for one in waiting]
        whole = whole and all(kept)
        waiting = transfer.owed()
    return whole


def assert_readable_without(backend: Backend, sources: list[PackId], *wanted: bytes) -> None:
    for pack in sources:
        backend.delete(key_of(pack))
    database = Database(backend)
    for one in wanted:
        assert database.read_blob(BlobId.of(one)) == one


def test_what_a_group_builds_on_is_owed_and_kept() -> None:
    backend = MemoryBackend()
    sources = [put(backend, raw(BASE)), put(backend, group(FIRST, SECOND))]
    _, transfer = moving(backend, *sources)
    assert transfer.keep(ChunkId.of(FIRST), ChunkId.kind)
    assert transfer.owed() == [(ChunkId.of(BASE), ChunkId.kind)]
    assert keep_all(transfer, BASE)
    transfer.flush()
    assert_readable_without(backend, sources, FIRST, SECOND, BASE)


def test_what_a_group_outside_builds_on_is_owed_too() -> None:
    backend = MemoryBackend()
    source, outside = put(backend, raw(BASE)), put(backend, group(FIRST))
    _, transfer = moving(backend, source)
    assert keep_all(transfer, FIRST)
    assert transfer.relied == {outside}
    assert len(transfer.flush()) == 1
    assert_readable_without(backend, [source], FIRST)


def test_nothing_is_owed_of_what_lies_outside() -> None:
    backend = MemoryBackend()
    put(backend, raw(BASE))
    source = put(backend, group(FIRST))
    _, transfer = moving(backend, source)
    assert transfer.keep(ChunkId.of(FIRST), ChunkId.kind)
    assert transfer.owed() == []


def test_a_deep_copy_that_came_along_does_not_replace_the_one_that_others_build_on() -> None:
    """BASE lies in a group, beside what is wanted of it, and raw; a group builds on the raw one."""
    backend = MemoryBackend()
    other = os.urandom(2000)
    sources = [
        put(backend, raw(other)),
        put(backend, group(BASE, SECOND, before=other, depth=1)),
        put(backend, raw(BASE)),
        put(backend, group(FIRST, depth=1)),
    ]
    _, transfer = moving(backend, *sources)
    assert keep_all(transfer, SECOND, BASE, FIRST)
    transfer.flush()
    assert_readable_without(backend, sources, FIRST, SECOND, BASE)


def test_what_is_copied_once_is_not_copied_twice() -> None:
    backend = MemoryBackend()
    sources = [put(backend, raw(BASE)), put(backend, group(FIRST, SECOND))]
    _, transfer = moving(backend, *sources)
    assert keep_all(transfer, FIRST, SECOND, BASE, FIRST)
    transfer.copy(location(backend, sources[1], SECOND))
    (receipt,) = transfer.flush()
    records = read_index(backend, receipt.pack)
    assert sorted(one.id for one in records) == sorted(map(ChunkId.of, (BASE, FIRST, SECOND)))


@pytest.mark.parametrize("where", ["stored", "base"])
def test_a_range_that_does_not_verify_is_not_copied(where: str) -> None:
    backend = MemoryBackend()
    base, source = put(backend, raw(BASE)), put(backend, group(FIRST, SECOND))
    pack, data = (base, BASE) if where == "base" else (source, FIRST)
    whole = bytearray(backend.get(key_of(pack)))
    record = location(backend, pack, data).record
    whole[record.offset + record.stored - 3] ^= 1
    backend.put(key_of(pack), [whole])
    _, transfer = moving(backend, base, source)
    with pytest.raises(CorruptError):
        transfer.copy(location(backend, source, FIRST))
    assert not transfer.keep(ChunkId.of(FIRST), ChunkId.kind)
    assert transfer.flush() == []


def test_a_group_whose_members_leave_a_gap_is_refused() -> None:
    backend = MemoryBackend()
    put(backend, raw(BASE))
    builder = PackBuilder()
    members, codec, stored, depth = group(FIRST, SECOND)
    named = [Member(ChunkId.of(one), ChunkId.kind, len(one)) for one in members]
    builder.add(named, codec, stored, depth)
    builder.records[1] = builder.records[1]._replace(within=len(FIRST) + 1)
    parts, receipt = builder.finish()
    backend.put(key_of(receipt.pack), parts)
    _, transfer = moving(backend, receipt.pack)
    with pytest.raises(CorruptError, match="not as any writer makes one"):
        transfer.copy(location(backend, receipt.pack, FIRST))


def test_of_a_chunk_and_a_list_of_one_id_both_are_kept() -> None:
    """Whoever needs the chunk has no use for the list, and the list is the blob's way to others."""
    backend = MemoryBackend()
    whole = FIRST + SECOND
    builder = PackBuilder()
    builder.add(
        [Member(BlobId.of(whole), BlobId.kind, 64)],
        Codec.RAW,
        ChunkId.of(FIRST) + ChunkId.of(SECOND),
    )
    parts, receipt = builder.finish()
    backend.put(key_of(receipt.pack), parts)
    sources = [put(backend, raw(FIRST), raw(SECOND), raw(whole)), receipt.pack]
    _, transfer = moving(backend, *sources)
    assert keep_all(transfer, whole, FIRST, SECOND)
    assert transfer.keep(BlobId.of(whole), BlobId.kind)
    (made,) = transfer.flush()
    kinds = [one.kind for one in read_index(backend, made.pack) if one.id == BlobId.of(whole)]
    assert sorted(kinds) == [ChunkId.kind, BlobId.kind]


def test_abandoned_it_leaves_nothing() -> None:
    backend = MemoryBackend()
    source = put(backend, raw(BASE))
    _, transfer = moving(backend, source)
    assert keep_all(transfer, BASE)
    transfer.abandon()
    assert len(list(backend.list("packs/"))) == 1
