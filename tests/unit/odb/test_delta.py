"""Versions after versions: what changed is stored, what is read is checked, and reading ends."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError
from mfv.ids import BlobId, ChunkId, PackId
from mfv.odb import delta
from mfv.odb.aligner import Aligner, New, Old, Older
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.item import Item
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.odb.writer import Outcome, Writer
from mfv.repo.lineage import BASES, ancestors
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend

ROWS = 40_000


def rows(seed: int) -> list[bytes]:
    """Lines of text as a table has them: they compress, but no two are alike."""
    source = random.Random(seed)
    return [
        b"%d,%d,paid,%.6f\n" % (n, source.randrange(10**6), source.random()) for n in range(ROWS)
    ]


def edited(lines: list[bytes], seed: int) -> list[bytes]:
    """Rows changed here and there, some put in at one place, some at the end."""
    source = random.Random(seed)
    lines = list(lines)
    for place in source.sample(range(len(lines)), len(lines) // 100):
        lines[place] = b"%d,changed,%d\n" % (place, source.randrange(10**9))
    middle = source.randrange(len(lines))
    lines[middle:middle] = [b"new,%d\n" % source.randrange(10**9) for _ in range(200)]
    return lines + [b"last,%d\n" % source.randrange(10**9) for _ in range(200)]


def put(
    backend: Backend,
    data: bytes,
    *older: bytes,
    base: int = 0,
    item: Item | None = None,
    avoid: set[PackId] | None = None,
) -> Outcome:
    """Stores `data` after `older`, newest first, through a database that knows only `backend`."""
    writer = Writer(Database(backend), avoid)
    path = tuple(map(BlobId.of, older))
    writer.add_blob(data, item, (lambda: Older(path, base)) if path else None)
    return writer.flush()


def read(backend: Backend, data: bytes) -> bytes:
    return bytes(Database(backend).read_blob(BlobId.of(data)))


def size(backend: Backend) -> int:
    return sum(backend.stat(key_of(pack)).size for pack in list_packs(backend))


def depths(backend: Backend, outcome: Outcome) -> set[int]:
    return {r.depth for receipt in outcome.receipts for r in read_index(backend, receipt.pack)}


def damage(backend: Backend, pack: PackId) -> None:
    """Changes every stored object of `pack` and leaves its index as it is."""
    data = bytearray(backend.get(key_of(pack)))
    for record in read_index(backend, pack):
        data[record.offset + record.stored // 2] ^= 0xFF
    backend.put(key_of(pack), [data])


OLD = b"".join(rows(1))
NEW = b"".join(edited(rows(1), 2))


def test_a_later_version_takes_little_more_than_what_changed() -> None:
    beside, alone = MemoryBackend(), MemoryBackend()
    for backend in (beside, alone):
        put(backend, OLD)
    first = size(alone)
    put(alone, NEW)
    put(beside, NEW, OLD)
    assert size(beside) - first < (size(alone) - first) / 4
    assert read(beside, NEW) == NEW
    assert read(beside, OLD) == OLD


def test_numbers_of_which_some_changed_everywhere_are_stored_after_the_old_ones() -> None:
    source = numpy.random.default_rng(3)
    old = source.standard_normal(500_000).astype("f4")
    new = numpy.insert(old, 250_000, source.standard_normal(5_000).astype("f4"))
    new[source.choice(len(new), 500, replace=False)] = 0
    backend = MemoryBackend()
    put(backend, old.tobytes(), item=("f", 4))
    first = size(backend)
    put(backend, new.tobytes(), old.tobytes(), item=("f", 4))
    assert size(backend) - first < first / 10
    assert read(backend, new.tobytes()) == new.tobytes()


def test_every_version_of_many_can_be_read_and_none_is_deep() -> None:
    backend, lines, versions = MemoryBackend(), rows(5)[:8000], []
    for number in range(1, 2 * len(BASES)):
        numbers, base = ancestors(number)
        outcome = put(backend, b"".join(lines), *(versions[one - 1] for one in numbers), base=base)
        assert max(depths(backend, outcome)) <= delta.MAX_DEPTH
        versions.append(b"".join(lines))
        lines = edited(lines, number)
    assert all(read(backend, data) == data for data in versions)


def test_places_are_followed_through_the_versions_in_between() -> None:
    """Of two versions far apart, no chunk is the same: only those in between tell what is where."""
    size, count, rounds = 64 << 10, 600, 6
    versions: list[list[tuple[str, int]]] = [[(f"row {n}", 0) for n in range(count)]]
    for number in range(1, rounds + 1):
        newest = [
            (name, number if place % rounds == number - 1 else changed)
            for place, (name, changed) in enumerate(versions[-1])
        ]
        front, back = (
            [(f"put in {where}, {number}, {n}", number) for n in range(rounds * 10)]
            for where in ("front", "back")
        )
        versions.append(front + newest + back)

    def chunk(row: tuple[str, int]) -> ChunkId:
        return ChunkId.of(repr(row).encode())

    older = [[Old(chunk(row), size, 0) for row in version] for version in versions[-2::-1]]
    known = {old.id for version in older for old in version}
    new = [New(chunk(row), size, chunk(row) in known) for row in versions[-1]]

    def came_from_the_same_row(followed: Sequence[Sequence[Old]]) -> int:
        """Of how many new chunks the one that stood in their place is in the base found."""
        aligner = Aligner(followed, len(followed) - 1, len(new) * size)
        rows = {name: chunk((name, 0)) for name, _ in versions[0]}
        return sum(
            rows.get(versions[-1][place][0]) in {old.id for old in span.base}
            for span in aligner.spans(new)
            for place in range(span.first, span.end)
        )

    changed = sum(name.startswith("row") and n == rounds for name, n in versions[-1])
    assert came_from_the_same_row(older) == changed
    assert came_from_the_same_row(older[-1:]) < changed


def test_another_thing_under_the_same_name_costs_nothing_more() -> None:
    source = random.Random(4)
    old, new = source.randbytes(3_000_000), source.randbytes(3_000_000)
    backend = MemoryBackend()
    put(backend, old)
    outcome = put(backend, new, old)
    assert depths(backend, outcome) == {0}
    assert read(backend, new) == new


def test_an_older_version_that_is_gone_is_passed_over() -> None:
    backend = MemoryBackend()
    outcome = put(backend, OLD)
    first = size(backend)
    never = b"never stored" * 10_000
    put(backend, NEW, never, OLD, base=1)
    assert size(backend) - first < first / 4
    for receipt in outcome.receipts:
        backend.delete(key_of(receipt.pack))
    newer = b"".join(edited(rows(1), 9))
    put(backend, newer, OLD)
    assert read(backend, newer) == newer


def test_nothing_is_built_on_what_is_damaged() -> None:
    backend = MemoryBackend()
    for receipt in put(backend, OLD).receipts:
        damage(backend, receipt.pack)
    outcome = put(backend, NEW, OLD)
    assert max(depths(backend, outcome)) == 0
    assert read(backend, NEW) == NEW


def test_nothing_is_built_on_what_is_condemned() -> None:
    backend = MemoryBackend()
    packs = {receipt.pack for receipt in put(backend, OLD).receipts}
    outcome = put(backend, NEW, OLD, avoid=packs)
    assert not outcome.relied & packs
    for pack in packs:
        backend.delete(key_of(pack))
    assert read(backend, NEW) == NEW


def test_a_commit_learns_on_which_packs_it_builds() -> None:
    backend = MemoryBackend()
    first = {receipt.pack for receipt in put(backend, OLD).receipts}
    second = put(backend, NEW, OLD)
    assert second.relied >= first
    newest = b"".join(edited(edited(rows(1), 2), 3))
    assert put(backend, newest, NEW).relied >= first | {one.pack for one in second.receipts}
    # Stored once more, it is known, and relies on all that it leads through.
    assert put(backend, newest).relied >= first | {one.pack for one in second.receipts}


def test_a_damaged_base_is_read_from_another_copy() -> None:
    backend = MemoryBackend()
    first = put(backend, OLD)
    put(backend, NEW, OLD)
    for receipt in first.receipts:
        damage(backend, receipt.pack)
    with pytest.raises(CorruptError):
        read(backend, NEW)
    put(backend, OLD)  # known, but damaged: written anew
    assert read(backend, NEW) == NEW


def test_a_damaged_group_is_damage_and_never_other_bytes() -> None:
    backend = MemoryBackend()
    put(backend, OLD)
    for receipt in put(backend, NEW, OLD).receipts:
        damage(backend, receipt.pack)
    with pytest.raises(CorruptError):
        read(backend, NEW)
    assert read(backend, OLD) == OLD


def test_what_a_blob_needs_includes_what_it_builds_on() -> None:
    backend = MemoryBackend()
    put(backend, OLD)
    put(backend, NEW, OLD)
    database = Database(backend)
    needed = set(database.needed_chunks(BlobId.of(NEW), set()))
    assert needed >= set(database.chunk_ids(BlobId.of(NEW)))
    kept = {
        record.id
        for pack in list_packs(backend)
        for record in read_index(backend, pack)
        if record.id in needed
    }
    assert kept == set(map(bytes, needed))
    based = [r for pack in list_packs(backend) for r in read_index(backend, pack) if r.depth]
    assert based
    for record in based:
        pack = next(p for p in list_packs(backend) if record in read_index(backend, p))
        stored = backend.get(key_of(pack), record.offset, record.stored)
        assert needed >= set(delta.parse(stored).base)


def test_groups_are_handed_from_one_writer_to_another() -> None:
    backend = MemoryBackend()
    old = b"".join(rows(1)[:4000])
    new = b"".join(edited(rows(1)[:4000], 2))
    put(backend, old)
    giver = Writer(Database(backend))
    giver.add_blob(new, None, lambda: Older((BlobId.of(old),)))
    handed = giver.parcel()
    assert handed is not None
    receiver = Writer(Database(backend))
    receiver.add_parcel(handed[0])
    outcome = receiver.flush()
    assert max(depths(backend, outcome)) == 1
    assert handed[1] >= set(list_packs(backend)) - {outcome.receipts[0].pack}
    assert read(backend, new) == new


edits = st.lists(
    st.tuples(
        st.integers(0, 400_000), st.integers(0, 60_000), st.integers(0, 60_000), st.integers(0, 9)
    ),
    max_size=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(versions=st.lists(edits, min_size=1, max_size=4), base=st.integers(0, 3))
def test_whatever_was_cut_out_and_put_in_every_version_reads_back(
    versions: list[list[tuple[int, int, int, int]]], base: int
) -> None:
    backend, data = MemoryBackend(), random.Random(0).randbytes(400_000)
    stored = [data]
    put(backend, data)
    for changes in versions:
        for at, cut, insert, seed in changes:
            data = data[:at] + random.Random(seed).randbytes(insert) + data[at + cut :]
        put(backend, data, *stored[::-1], base=min(base, len(stored) - 1))
        stored.append(data)
    assert all(read(backend, one) == one for one in stored)


def hostile(parts: list[tuple[bytes, int, bytes]]) -> tuple[Backend, list[ChunkId]]:
    """A pack of groups made by hand: (raw bytes, depth, stored bytes) each."""
    backend, builder = MemoryBackend(), PackBuilder()
    ids = []
    for raw, depth, stored in parts:
        ids.append(ChunkId.of(raw))
        builder.add([Member(ids[-1], ChunkId.kind, len(raw))], Codec.GROUP, stored, depth)
    pieces, receipt = builder.finish()
    backend.put(key_of(receipt.pack), pieces)
    return backend, ids


def group(base: list[ChunkId], size: int = 100, frame: bytes = b"") -> bytes:
    return struct.pack("<II", size, len(base)) + b"".join(base) + frame


def test_groups_that_build_on_each_other_are_refused() -> None:
    one, other = b"a" * 100, b"b" * 100
    stored = [group([ChunkId.of(other)]), group([ChunkId.of(one)])]
    backend, ids = hostile([(one, 1, stored[0]), (other, 1, stored[1])])
    for chunk in ids:
        with pytest.raises(CorruptError):
            Database(backend).read_blob(BlobId(chunk))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\0" * 7,
        struct.pack("<II", 100, 2**32 - 1),
        struct.pack("<II", 2**32 - 1, 0),
        group([ChunkId.of(b"missing")]),
        group([], 100, b"no zstd frame"),
    ],
)
def test_a_group_that_claims_what_cannot_be_is_damage(stored: bytes) -> None:
    backend, (chunk,) = hostile([(b"a" * 100, 1, stored)])
    with pytest.raises(CorruptError):
        Database(backend).read_blob(BlobId(chunk))
