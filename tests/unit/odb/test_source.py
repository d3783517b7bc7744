"""What comes a window at a time is cut and stored as if it had lain in memory."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError
from mfv.ids import BlobId
from mfv.odb import source
from mfv.odb.aligner import Older
from mfv.odb.database import Database
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.odb.source import (
    WINDOW,
    Digest,
    ReadAt,
    Windows,
    from_memory,
    from_reader,
    hash_all,
    joined,
)
from mfv.odb.writer import Writer
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import CountingBackend


def reader(data: bytes) -> ReadAt:
    def read_at(into: memoryview, offset: int) -> int:
        found = data[offset : offset + len(into)]
        into[: len(found)] = found
        return len(found)

    return read_at


def text(size: int, seed: int = 1) -> bytes:
    """Bytes that compress, of which no part repeats."""
    made = random.Random(seed)
    return b"".join(b"%d," % made.randrange(10**9) for _ in range(size // 8 + 1))[:size]


@settings(deadline=None, max_examples=40)
@given(size=st.integers(0, 3_000_000), window=st.integers(600_000, 1_000_000))
def test_a_reader_is_cut_where_memory_is(size: int, window: int) -> None:
    data = random.Random(size).randbytes(size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "WINDOW", window)
        whole = Digest(reader(data))
        pieces = [bytes(p.data) for p in from_reader(whole.read_at)]
    assert pieces == [bytes(piece.data) for piece in from_memory(memoryview(data))]
    assert (whole.id(), whole.size) == (BlobId.of(data), size)


def test_an_item_larger_than_a_window_is_cut_all_the_same() -> None:
    data = text(20_000_000)
    pieces = [bytes(p.data) for p in from_reader(reader(data), ("V", 19_000_000))]
    assert b"".join(pieces) == data


def test_pieces_lie_in_their_window_where_they_say() -> None:
    for piece in from_reader(reader(text(9_000_000))):
        assert piece.window[piece.at : piece.at + len(piece.data)] == piece.data


def test_neighbours_are_joined_within_a_window_and_across() -> None:
    data = text(20_000_000)
    pieces = list(from_reader(reader(data)))
    assert len({id(piece.window) for piece in pieces}) > 2
    assert joined(pieces) == data
    assert joined(pieces[:2]).obj is pieces[0].data.obj


@pytest.mark.parametrize("size", [0, 1, 100, 100_000, 5_000_000, source.WINDOW, 20_000_000])
def test_a_file_is_stored_as_the_same_blob_that_its_bytes_are(size: int) -> None:
    data = text(size)
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    assert writer.add_file(reader(data), size) == (BlobId.of(data), size)
    writer.flush()
    assert bytes(Database(backend).read_blob(BlobId.of(data))) == data
    assert b"".join(Database(backend).stream_blob(BlobId.of(data))) == data
    assert hash_all(reader(data)) == (BlobId.of(data), size)


def test_a_file_and_its_bytes_are_stored_once() -> None:
    data = text(12_000_000)
    backend = MemoryBackend()
    for store in (lambda w: w.add_file(reader(data), len(data)), lambda w: w.add_blob(data)) * 2:
        writer = Writer(Database(backend))
        store(writer)
        writer.flush()
    assert len(list(list_packs(backend))) == 1


def test_a_file_whose_size_was_another_is_stored_as_it_is() -> None:
    data = text(6_000_000)
    for claimed in (0, 10, 10**12):
        backend = MemoryBackend()
        writer = Writer(Database(backend))
        assert writer.add_file(reader(data), claimed) == (BlobId.of(data), len(data))
        writer.flush()
        assert bytes(Database(backend).read_blob(BlobId.of(data))) == data


def test_a_later_version_of_a_file_takes_little_more_than_what_changed() -> None:
    old = text(30_000_000)
    new = bytearray(old)
    for place in range(0, len(new), 20_000):
        new[place : place + 10] = b"ten bytes,"
    backend = MemoryBackend()
    sizes = []
    for data, older in ((old, None), (bytes(new), Older((BlobId.of(old),)))):
        writer = Writer(Database(backend))
        writer.add_file(reader(data), len(data), lambda older=older: older)
        writer.flush()
        sizes.append(sum(backend.stat(key_of(pack)).size for pack in list_packs(backend)))
        assert b"".join(Database(backend).stream_blob(BlobId.of(data))) == data
    assert sizes[1] - sizes[0] < sizes[0] / 10


def test_what_fails_while_it_is_read_leaves_nothing_behind() -> None:
    def read_at(into: memoryview, offset: int) -> int:
        if offset > 10_000_000:
            raise OSError(5, "Input/output error")
        return len(into)

    backend = MemoryBackend()
    writer = Writer(Database(backend))
    with pytest.raises(OSError, match="Input/output"):
        writer.add_file(read_at, 50_000_000)
    writer.abandon()
    assert list(list_packs(backend)) == []


def test_what_streams_out_is_verified_before_it_comes() -> None:
    data = text(5_000_000)
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    writer.add_blob(data)
    writer.flush()
    (pack,) = list_packs(backend)
    stored = bytearray(backend.get(key_of(pack)))
    records = [r for r in read_index(backend, pack) if r.kind == 1]
    broken = sorted(records, key=lambda r: r.offset)[len(records) // 2]
    stored[broken.offset + broken.stored // 2] ^= 1
    backend.put(key_of(pack), [stored])
    came = b""
    with pytest.raises(CorruptError):
        for piece in Database(backend).stream_blob(BlobId.of(data)):
            came += piece
    assert data.startswith(came)
    # A second whole copy of the chunk heals it.
    writer = Writer(Database(backend))
    writer.add_blob(data)
    writer.flush()
    assert b"".join(Database(backend).stream_blob(BlobId.of(data))) == data


def test_neighbours_are_read_by_one_request() -> None:
    data = text(8_000_000)
    backend = CountingBackend(MemoryBackend())
    writer = Writer(Database(backend))
    writer.add_blob(data)
    writer.flush()
    database = Database(backend)
    database.blob_size(BlobId.of(data))
    before = backend.calls["get"]
    assert bytes(database.read_blob(BlobId.of(data))) == data
    assert backend.calls["get"] - before < len(database.chunk_ids(BlobId.of(data))) / 4


def test_a_window_is_used_again_once_nobody_looks_at_it() -> None:
    windows = Windows(WINDOW)
    first = windows.take()
    slice_of_it = first[10:20]
    del first
    other = windows.take()
    slice_of_it[:] = b"x" * 10
    assert bytes(other[10:20]) == bytes(10)  # a window that is looked at is nobody else's
    del slice_of_it
    assert bytes(windows.take()[10:20]) == b"x" * 10
