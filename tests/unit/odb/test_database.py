"""Blobs and records in, the same out; each once; and never anything else than what was put in."""

from __future__ import annotations

import mmap
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import BlobId, ChunkId, PackId, TaskId, TreeId
from mfv.odb.chunker import NUMBERS_AVERAGE, SPREAD
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.odb.writer import PARCEL_LIMIT, Outcome, Writer
from mfv.storage.base import Backend
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import CountingBackend


def seeded(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def stored(backend: Backend, *blobs: bytes) -> Outcome:
    """Adds `blobs` through a database that knows only what lies in `backend`."""
    writer = Writer(Database(backend))
    for data in blobs:
        writer.add_blob(data)
    return writer.flush()


def read(backend: Backend, data: bytes) -> bytes:
    return bytes(Database(backend).read_blob(BlobId.of(data)))


def payload_of(backend: Backend, pack: PackId, object_id: bytes) -> int:
    """Where the stored bytes of an object begin in its pack."""
    return next(r.offset for r in read_index(backend, pack) if r.id == object_id)


def flip(backend: Backend, pack: PackId, at: int) -> None:
    data = bytearray(backend.get(key_of(pack)))
    data[at] ^= 0x01
    backend.put(key_of(pack), [data])


RAW = seeded(7, 3000)
BIG = seeded(8, 700_000)

blobs = st.one_of(
    st.binary(max_size=300),
    st.builds(seeded, st.integers(0, 3), st.sampled_from([0, 1, 5000, 16_384, 16_385, 400_000])),
    st.builds(lambda n: b"text " * n, st.integers(0, 100_000)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(blobs, max_size=4), min_size=1, max_size=3))
def test_any_blobs_put_in_any_order_come_back(batches: list[list[bytes]]) -> None:
    backend = MemoryBackend()
    for batch in batches:
        stored(backend, *batch, *batch[:1])
    database = Database(backend)
    for batch in batches:
        for data in batch:
            assert bytes(database.read_blob(BlobId.of(data))) == data
            assert database.blob_size(BlobId.of(data)) == len(data)
    ids = [record.id for pack in list_packs(backend) for record in read_index(backend, pack)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_gives_the_same_id(kind: type) -> None:
    writer = Writer(Database(MemoryBackend()))
    assert writer.add_blob(kind(RAW)) == BlobId.of(RAW)


def test_a_buffer_of_wider_items_is_stored_as_its_bytes() -> None:
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    blob = writer.add_blob(memoryview(RAW).cast("d"))
    writer.flush()
    assert Database(backend).read_blob(blob) == RAW


def test_the_empty_blob_is_a_blob() -> None:
    backend = MemoryBackend()
    stored(backend, b"")
    assert read(backend, b"") == b""
    assert Database(backend).chunk_ids(BlobId.of(b"")) == []
    assert stored(backend, b"").receipts == []


def test_nothing_gathered_makes_no_pack() -> None:
    backend = MemoryBackend()
    assert stored(backend) == Outcome([], set())
    assert list(backend.list("")) == []


def test_the_same_bytes_are_stored_once_across_writers_and_relied_upon() -> None:
    backend = MemoryBackend()
    (receipt,) = stored(backend, RAW, BIG).receipts
    again = stored(backend, BIG, RAW, BIG)
    assert again == Outcome([], {receipt.pack})


def test_a_blob_that_differs_by_an_insertion_shares_most_of_its_chunks() -> None:
    backend = MemoryBackend()
    data = seeded(9, 4 << 20)
    stored(backend, data)
    (receipt,) = stored(backend, data[:1_000_000] + b"inserted" + data[1_000_000:]).receipts
    assert receipt.size < len(data) // 5
    assert read(backend, data[:1_000_000] + b"inserted" + data[1_000_000:])[1_000_000:][:8] == (
        b"inserted"
    )


def test_a_missing_blob_is_said_to_be_missing() -> None:
    with pytest.raises(CorruptError, match="missing") as caught:
        read(MemoryBackend(), b"never stored")
    assert caught.value.hint is not None
    assert str(BlobId.of(b"never stored")) in caught.value.message


def test_a_pack_that_was_deleted_under_a_reader_is_said_to_be_gone() -> None:
    backend = MemoryBackend()
    (receipt,) = stored(backend, RAW).receipts
    database = Database(backend)
    assert database.read_blob(BlobId.of(RAW)) == RAW
    backend.delete(key_of(receipt.pack))
    with pytest.raises(CorruptError, match="gone"):
        database.read_blob(BlobId.of(RAW))


@pytest.mark.parametrize("data", [RAW, BIG], ids=["one chunk", "many chunks"])
def test_a_blob_moved_to_another_pack_under_a_reader_is_found_there(data: bytes) -> None:
    backend = MemoryBackend()
    (receipt,) = stored(backend, data).receipts
    database = Database(backend)
    database.read_blob(BlobId.of(data))
    backend.delete(key_of(receipt.pack))
    stored(backend, data)
    assert database.read_blob(BlobId.of(data)) == data


def test_chunks_moved_to_another_pack_are_found_though_their_list_stayed() -> None:
    backend = MemoryBackend()
    head = seeded(20, 700_000)
    pieces = Database(backend)
    (first,) = stored(backend, head).receipts
    (second,) = stored(backend, head + b"a tail that is new").receipts
    pieces.read_blob(BlobId.of(head + b"a tail that is new"))
    backend.delete(key_of(first.pack))
    stored(backend, head)
    assert second.pack in set(list_packs(backend))
    assert pieces.read_blob(BlobId.of(head + b"a tail that is new")) == head + b"a tail that is new"


@pytest.mark.parametrize("data", [RAW, BIG, b"text " * 9000], ids=["raw", "cut", "zstd"])
def test_a_damaged_blob_is_never_returned(data: bytes) -> None:
    backend = MemoryBackend()
    (receipt,) = stored(backend, data).receipts
    database = Database(backend)
    chunk = database.chunk_ids(BlobId.of(data))[0]
    flip(backend, receipt.pack, payload_of(backend, receipt.pack, chunk) + 20)
    with pytest.raises(CorruptError, match="damaged") as caught:
        database.read_blob(BlobId.of(data))
    assert caught.value.hint is not None


def test_a_damaged_record_is_never_returned() -> None:
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    pack = writer.add_record(TaskId.of(RAW), RAW)
    writer.flush()
    assert Database(backend).read_record(TaskId.of(RAW)) == RAW
    flip(backend, pack, payload_of(backend, pack, TaskId.of(RAW)))
    for hint in (pack, None):
        with pytest.raises(CorruptError, match="damaged"):
            Database(backend).read_record(TaskId.of(RAW), hint)


def test_a_record_is_not_found_under_an_id_of_another_kind() -> None:
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    writer.add_record(TaskId.of(RAW), RAW)
    writer.flush()
    with pytest.raises(CorruptError, match="missing"):
        Database(backend).read_record(TreeId.of(RAW))
    with pytest.raises(CorruptError):
        Database(backend).read_record(TreeId(TaskId.of(RAW)))


def two_copies(data: bytes) -> tuple[MemoryBackend, PackId, PackId]:
    """A backend with two packs that both hold `data`."""
    backend, other = MemoryBackend(), MemoryBackend()
    (one,) = stored(backend, data).receipts
    (two,) = stored(other, data).receipts
    backend.put(key_of(two.pack), [other.get(key_of(two.pack))])
    return backend, one.pack, two.pack


@pytest.mark.parametrize("data", [RAW, BIG], ids=["one chunk", "many chunks"])
@pytest.mark.parametrize("which", [0, 1])
def test_of_two_copies_the_whole_one_is_read(data: bytes, which: int) -> None:
    backend, *packs = two_copies(data)
    chunk = Database(backend).chunk_ids(BlobId.of(data))[0]
    flip(backend, packs[which], payload_of(backend, packs[which], chunk) + 20)
    assert read(backend, data) == data


def test_two_damaged_copies_make_a_whole_where_they_are_damaged_in_different_chunks() -> None:
    backend, one, two = two_copies(BIG)
    first, *_, last = Database(backend).chunk_ids(BlobId.of(BIG))
    flip(backend, one, payload_of(backend, one, first))
    flip(backend, two, payload_of(backend, two, last))
    assert read(backend, BIG) == BIG


@pytest.mark.parametrize("which", [0, 1])
def test_a_hint_at_a_damaged_copy_does_not_hide_the_whole_one(which: int) -> None:
    backend, other = MemoryBackend(), MemoryBackend()
    packs = []
    for place in (backend, other):
        writer = Writer(Database(place))
        packs.append(writer.add_record(TaskId.of(RAW), RAW))
        writer.flush()
    backend.put(key_of(packs[1]), [other.get(key_of(packs[1]))])
    flip(backend, packs[which], payload_of(backend, packs[which], TaskId.of(RAW)))
    assert Database(backend).read_record(TaskId.of(RAW), packs[which]) == RAW


@pytest.mark.parametrize("data", [RAW, BIG], ids=["one chunk", "many chunks"])
def test_saving_the_same_bytes_again_heals_what_was_damaged(data: bytes) -> None:
    backend = MemoryBackend()
    (receipt,) = stored(backend, data).receipts
    chunk = Database(backend).chunk_ids(BlobId.of(data))[0]
    flip(backend, receipt.pack, payload_of(backend, receipt.pack, chunk))
    with pytest.raises(CorruptError):
        read(backend, data)
    again = stored(backend, data)
    assert len(again.receipts) == 1
    assert read(backend, data) == data


def test_healing_one_blob_heals_every_other_that_shares_the_damaged_chunk() -> None:
    backend = MemoryBackend()
    other = BIG + b"something more at the end"
    (receipt,) = stored(backend, other, BIG).receipts
    chunk = Database(backend).chunk_ids(BlobId.of(BIG))[0]
    assert chunk in Database(backend).chunk_ids(BlobId.of(other))
    flip(backend, receipt.pack, payload_of(backend, receipt.pack, chunk))
    stored(backend, BIG)
    assert read(backend, other) == other


def test_what_is_relied_on_is_the_copy_that_verified() -> None:
    backend, one, two = two_copies(BIG)
    chunk = Database(backend).chunk_ids(BlobId.of(BIG))[0]
    flip(backend, one, payload_of(backend, one, chunk))
    outcome = stored(backend, BIG)
    assert outcome.receipts == []
    assert two in outcome.relied


def test_nothing_new_relies_on_a_pack_to_be_avoided() -> None:
    backend = MemoryBackend()
    (receipt,) = stored(backend, RAW, BIG).receipts
    writer = Writer(Database(backend), avoid={receipt.pack})
    writer.add_blob(RAW)
    writer.add_blob(BIG)
    again = writer.flush()
    assert len(again.receipts) == 1
    assert again.relied == set()
    backend.delete(key_of(receipt.pack))
    assert (read(backend, RAW), read(backend, BIG)) == (RAW, BIG)


def test_what_a_parcel_hands_over_is_what_writing_it_directly_gives() -> None:
    small = [RAW, b"text " * 5000, b"", seeded(3, 40_000)]
    direct, handed = MemoryBackend(), MemoryBackend()
    stored(direct, *small)
    writer, receiver = Writer(Database(handed)), Writer(Database(handed))
    for data in small:
        writer.add_blob(data)
    parcel = writer.parcel()
    assert parcel is not None
    receiver.add_parcel(parcel[0])
    receiver.add_parcel(parcel[0])
    receiver.flush()

    def content(backend: Backend) -> set[tuple[bytes, int, int, int]]:
        return {
            (record.id, record.kind, record.codec, record.size)
            for pack in list_packs(backend)
            for record in read_index(backend, pack)
        }

    assert content(handed) == content(direct)
    assert [read(handed, data) for data in small] == small


def test_too_much_for_a_parcel_is_not_handed_over() -> None:
    writer = Writer(Database(MemoryBackend()))
    writer.add_blob(seeded(1, PARCEL_LIMIT + 1))
    assert writer.pending > PARCEL_LIMIT
    assert writer.parcel() is None


def test_a_flipped_bit_at_any_byte_of_a_pack_is_found_or_harms_nothing() -> None:
    backend = MemoryBackend()
    blobs = [seeded(1, 70), b"words words words " * 8, b"", b"tiny"]
    writer = Writer(Database(backend))
    for data in blobs:
        writer.add_blob(data)
    record = b"a record of a task"
    writer.add_record(TaskId.of(record), record)
    (receipt,) = writer.flush().receipts
    key = key_of(receipt.pack)
    whole = backend.get(key)
    harmless = []
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        backend.put(key, [damaged])
        database = Database(backend)
        found = 0
        for data in blobs:
            try:
                assert bytes(database.read_blob(BlobId.of(data))) == data
            except CorruptError:
                found += 1
        try:
            assert database.read_record(TaskId.of(record)) == record
        except CorruptError:
            found += 1
        if not found:
            harmless.append(at)
    backend.put(key, [whole])
    records = read_index(backend, receipt.pack)
    raw = {at for r in records if r.codec == Codec.RAW for at in range(r.offset, r.offset + r.size)}
    end = len(whole) - 64 - 64 * len(records)
    # Left are the zeros between objects, and bits to which zstd gives no meaning.
    assert set(harmless) <= set(range(64, end)) - raw


def test_a_pack_of_a_newer_version_is_named_where_something_is_not_found_elsewhere() -> None:
    backend = MemoryBackend()
    (receipt,) = stored(backend, RAW).receipts
    stored(backend, BIG)
    data = bytearray(backend.get(key_of(receipt.pack)))
    data[7] = 9
    backend.put(key_of(receipt.pack), [data])
    assert read(backend, BIG) == BIG
    with pytest.raises(FormatTooNewError, match="version 9"):
        read(backend, RAW)


def test_a_large_raw_blob_is_mapped_writable_and_never_written_back(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    data = os.urandom(3 << 20)
    (receipt,) = stored(backend, b"before it", data).receipts
    on_disk = backend.get(key_of(receipt.pack))
    database = Database(backend)
    one, other = database.read_blob(BlobId.of(data)), database.read_blob(BlobId.of(data))
    one[:4] = b"mine"
    assert other == data
    assert bytes(one[4:]) == data[4:]
    assert backend.get(key_of(receipt.pack)) == on_disk
    assert isinstance(one.obj, mmap.mmap)


def test_a_large_raw_blob_starts_at_a_multiple_of_64_bytes(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    data = os.urandom(1 << 20)
    (receipt,) = stored(backend, b"odd", data).receipts
    first = Database(backend).chunk_ids(BlobId.of(data))[0]
    assert payload_of(backend, receipt.pack, first) % 64 == 0


def test_a_small_or_compressed_blob_is_writable_memory_of_the_callers_own() -> None:
    backend = MemoryBackend()
    for data in (RAW, b"text " * 100_000):
        stored(backend, data)
        view = Database(backend).read_blob(BlobId.of(data))
        view[0] ^= 1
        assert read(backend, data) == data


def test_a_mapped_blob_is_verified_as_any_other(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    data = os.urandom(1 << 20)
    (receipt,) = stored(backend, data).receipts
    flip(backend, receipt.pack, 64 + 500_000)
    with pytest.raises(CorruptError, match="damaged"):
        read(backend, data)


def test_a_known_blob_costs_no_write() -> None:
    backend = CountingBackend(MemoryBackend())
    stored(backend, BIG)
    writes = backend.calls["put"]
    stored(backend, BIG)
    assert backend.calls["put"] == writes


def test_verify_names_every_place_that_a_blob_needs() -> None:
    backend = MemoryBackend()
    (first,) = stored(backend, BIG).receipts
    (second,) = stored(backend, BIG + b"more").receipts
    database = Database(backend)
    (location,) = database.index.find(BlobId.of(BIG + b"more"))
    assert database.verify(location) == {first.pack, second.pack}


def test_the_chunks_of_a_blob_are_named_in_order() -> None:
    backend = MemoryBackend()
    stored(backend, RAW, BIG)
    database = Database(backend)
    assert database.chunk_ids(BlobId.of(RAW)) == [ChunkId(BlobId.of(RAW))]
    chunks = database.chunk_ids(BlobId.of(BIG))
    assert b"".join(database.read_blob(BlobId(chunk)) for chunk in chunks) == BIG


def codecs_of(backend: Backend, kind: int) -> list[int]:
    """The codecs of all objects of a kind, in the order in which they lie."""
    records = [r for pack in list_packs(backend) for r in read_index(backend, pack)]
    return [r.codec for r in sorted(records, key=lambda r: r.offset) if r.kind == kind]


def weights(count: int, seed: int = 1) -> bytes:
    return numpy.random.default_rng(seed).standard_normal(count, dtype="f4").tobytes()


def test_numbers_are_stored_as_numbers_and_read_back_without_being_told_what_they_are() -> None:
    data = {
        ("f", 4): weights(1_000_000),
        ("f", 8): numpy.round(numpy.random.default_rng(2).random(300_000), 2).tobytes(),
        ("i", 8): numpy.arange(500_000).tobytes(),
    }
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    ids = {item: writer.add_blob(numbers, item) for item, numbers in data.items()}
    writer.flush()
    assert ids == {item: BlobId.of(numbers) for item, numbers in data.items()}
    assert set(codecs_of(backend, ChunkId.kind)) == {Codec.PLANES, Codec.PCODEC}
    assert not {Codec.PLANES, Codec.PCODEC} & set(codecs_of(backend, BlobId.kind))
    for numbers in data.values():
        assert read(backend, numbers) == numbers


def test_each_segment_of_a_blob_gets_the_codec_that_pays_for_it() -> None:
    backend = MemoryBackend()
    data = seeded(1, 2 << 20) + b"some words, " * 200_000 + weights(600_000)
    stored(backend, data)
    assert set(codecs_of(backend, ChunkId.kind)) == {Codec.RAW, Codec.ZSTD, Codec.PLANES}
    assert read(backend, data) == data


def test_the_same_bytes_are_one_blob_whatever_items_they_are_said_to_be() -> None:
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    data = weights(500_000)
    assert writer.add_blob(data, ("f", 4)) == writer.add_blob(data) == writer.add_blob(data)
    writer.flush()
    assert len(codecs_of(backend, BlobId.kind)) == 1


def test_raw_numbers_lie_together_and_are_mapped(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    data = seeded(6, 5 * NUMBERS_AVERAGE * SPREAD)
    writer = Writer(Database(backend))
    blob = writer.add_blob(data, ("f", 8))
    writer.flush()
    view = Database(backend).read_blob(blob)
    assert isinstance(view.obj, mmap.mmap)
    assert view == data


WITHOUT_PCODEC = """
import sys
sys.modules["pcodec"] = None
from mfv.ids import BlobId
from mfv.odb.database import Database
from mfv.odb.numbers import MissingCodecError
from mfv.odb.writer import Writer
from mfv.storage.local import LocalBackend

backend = LocalBackend(sys.argv[1])
data = b"".join(n.to_bytes(8, "little") for n in range(500_000))
try:
    Database(backend).read_blob(BlobId.of(data))
except MissingCodecError as error:
    print(error.message)
writer = Writer(Database(backend))
blob = writer.add_blob(data, ("i", 8))
writer.flush()
assert Database(backend).read_blob(blob) == data
print("stored anew")
"""


def test_who_lacks_a_codec_is_told_so_and_relies_on_nothing_that_he_cannot_read(
    tmp_path: Path,
) -> None:
    backend = LocalBackend(tmp_path)
    writer = Writer(Database(backend))
    writer.add_blob(numpy.arange(500_000).tobytes(), ("i", 8))
    writer.flush()
    command = [sys.executable, "-c", WITHOUT_PCODEC, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    missing, anew = done.stdout.splitlines()
    assert "the package pcodec is missing here" in missing
    assert "damaged" not in missing
    assert anew == "stored anew"
