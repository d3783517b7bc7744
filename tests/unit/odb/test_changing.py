"""Memory that changes while it is stored: what is written can be read, whatever it was."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mfv.ids import BlobId, ChunkId
from mfv.odb import changing, intake
from mfv.odb.aligner import Older
from mfv.odb.database import Database
from mfv.odb.intake import Hashed
from mfv.odb.item import Item
from mfv.odb.writer import Writer
from mfv.storage.memory import MemoryBackend

SIZES = [0, 40, 5000, 300_000, 6 << 20, 40 << 20]


def noise(size: int, seed: int = 1) -> bytearray:
    return bytearray(random.Random(seed).randbytes(size))


@contextmanager
def another_thread() -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def change_once(monkeypatch: pytest.MonkeyPatch, data: bytearray, at: int) -> None:
    """Changes a byte of `data` as soon as the first chunk of it is hashed."""
    hash_pieces = intake.hash_pieces

    def then_change(*arguments: object) -> list[Hashed]:
        found = hash_pieces(*arguments)  # type: ignore[arg-type]
        data[at] = 7
        return found

    monkeypatch.setattr(intake, "hash_pieces", then_change)


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("item", [None, ("f", 8)])
@pytest.mark.parametrize("before", [False, True])
def test_a_blob_that_changed_while_it_was_stored_is_what_was_written(
    monkeypatch: pytest.MonkeyPatch, size: int, where: float, item: Item | None, before: bool
) -> None:
    backend = MemoryBackend()
    data = noise(size)
    at = int((size - 1) * where)
    data[at] = 200
    older = None
    if before:
        writer = Writer(Database(backend))
        earlier = writer.add_blob(data[: size // 3] + noise(size // 9, 5) + data[size // 3 :])
        writer.flush()
        older = lambda: Older((earlier,), 1)  # noqa: E731
    first = bytes(data)
    change_once(monkeypatch, data, at)
    with another_thread():
        writer = Writer(Database(backend))
        blob = writer.add_blob(data, item, older)
        data[:] = bytes(size)  # raw chunks may not be written yet
        writer.flush()
    assert first != bytes(data)
    read = bytes(Database(backend).read_blob(blob))
    assert BlobId.of(read) == blob
    changed = bytearray(first)
    changed[at] = 7
    assert read in (first, changed)


@pytest.mark.parametrize("size", SIZES)
def test_memory_that_only_might_have_changed_is_the_blob_that_it_would_be(size: int) -> None:
    data = noise(size)
    alone, beside = MemoryBackend(), MemoryBackend()
    writer = Writer(Database(alone))
    expected = writer.add_blob(data), writer.flush().receipts[0].size
    with another_thread():
        writer = Writer(Database(beside))
        assert (writer.add_blob(data), writer.flush().receipts[0].size) == expected
    assert Database(alone).chunk_ids(expected[0]) == Database(beside).chunk_ids(expected[0])


def test_a_thread_that_never_stops_writing_harms_nothing() -> None:
    backend = MemoryBackend()
    data = noise(24 << 20)
    stop = threading.Event()

    def scribble() -> None:
        source = random.Random(3)
        while not stop.is_set():
            at = source.randrange(len(data) - 1000)
            data[at : at + 1000] = source.randbytes(1000)

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        writer = Writer(Database(backend))
        blobs = [writer.add_blob(data, ("f", 8)) for _ in range(3)]
        writer.flush()
    finally:
        stop.set()
        thread.join()
    database = Database(backend)
    for blob in blobs:
        assert BlobId.of(database.read_blob(blob)) == blob
        for chunk in database.chunk_ids(blob):
            assert ChunkId.of(database.read_blob(BlobId(chunk))) == chunk


@pytest.mark.parametrize(
    ("name", "expected"), [("mfv-odb_1", False), ("mfv-odb-put", False), ("Thread-3 (work)", True)]
)
def test_the_threads_that_store_are_not_taken_for_others(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: bool
) -> None:
    running = [threading.current_thread(), threading.Thread(name=name)]
    monkeypatch.setattr(threading, "enumerate", lambda: running)
    assert changing.may_change() is expected


def test_every_thread_that_stores_bears_a_name_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    names: set[str] = set()
    pack = intake.pack

    def note_threads(*arguments: object) -> object:
        names.update(thread.name for thread in threading.enumerate())
        return pack(*arguments)  # type: ignore[arg-type]

    before = {thread.name for thread in threading.enumerate()}
    monkeypatch.setattr(intake, "pack", note_threads)
    writer = Writer(Database(MemoryBackend()))
    writer.add_blob(noise(40 << 20))
    writer.flush()
    assert {name for name in names - before if not name.startswith("mfv-")} == set()
    kinds = {name.rstrip("0123456789_") for name in names - before}
    assert kinds == {"mfv-odb-order", "mfv-odb", "mfv-odb-put"}
