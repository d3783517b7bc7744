"""Hashing, compressing and writing beside each other: in order, bounded, and never stuck."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from mfv.errors import StorageError
from mfv.ids import BlobId
from mfv.odb.database import Database
from mfv.odb.packindex import list_packs
from mfv.odb.pipeline import Lanes, PutStream
from mfv.odb.writer import Writer
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import FailingBackend

LARGE = 24 << 20  # bytes: several handings, and more than one batch in every lane


def mixed(size: int, seed: int = 1) -> bytes:
    """Bytes of which some shrink, some do not, and some repeat."""
    source = random.Random(seed)
    noise, text = source.randbytes(1 << 20), b"the quick brown fox " * 50_000
    pieces = [source.choice((noise, text, source.randbytes(300_000))) for _ in range(size >> 19)]
    return b"".join(pieces)[:size]


def threads_of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mfv-odb")]


class TestLanes:
    def test_results_come_in_the_order_of_the_batches(self) -> None:
        lanes = Lanes()
        waits = [random.Random(n).random() / 200 for n in range(60)]
        sleeper = threading.Event()

        def work(number: int) -> int:
            sleeper.wait(waits[number])
            return number

        assert list(lanes.in_order(work, range(60))) == list(range(60))
        lanes.close()
        assert threads_of_ours() == []

    def test_only_a_few_batches_are_read_ahead(self) -> None:
        lanes = Lanes()
        read = 0

        def batches():  # type: ignore[no-untyped-def]
            nonlocal read
            for number in range(1000):
                read += 1
                yield number

        results = lanes.in_order(lambda number: number, batches())
        for _ in range(5):
            next(results)
        assert read < 20
        results.close()
        lanes.close()

    def test_what_the_work_raises_is_raised_to_whoever_waits(self) -> None:
        lanes = Lanes()

        def work(number: int) -> int:
            if number == 7:
                raise ValueError("seven")
            return number

        with pytest.raises(ValueError, match="seven"):
            list(lanes.in_order(work, range(100)))
        lanes.close()


class TestPutStream:
    def test_what_is_handed_over_is_what_is_put(self) -> None:
        backend = MemoryBackend()
        stream = PutStream(backend, "packs/x")
        for number in range(100):
            stream.hand([bytes([number]) * 1000, b"-"])
        stream.close()
        expected = b"".join(bytes([number]) * 1000 + b"-" for number in range(100))
        assert backend.get("packs/x") == expected

    def test_a_put_that_fails_is_told_and_stops_nobody(self) -> None:
        stream = PutStream(FailingBackend(MemoryBackend(), 0), "packs/x")
        with pytest.raises(StorageError):
            for _ in range(10_000):
                stream.hand([b"x" * 1000])
            stream.close()

    def test_an_abandoned_one_leaves_nothing(self, tmp_path: Path) -> None:
        stream = PutStream(LocalBackend(tmp_path), "packs/x")
        for _ in range(50):
            stream.hand([os.urandom(200_000)])
        stream.abandon()
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class TestWriter:
    @pytest.mark.parametrize("size", [LARGE, LARGE + 1, (4 << 20) - 1, 4 << 20])
    def test_large_blobs_come_back_and_are_named_by_their_bytes(
        self, tmp_path: Path, size: int
    ) -> None:
        data = mixed(size)
        database = Database(LocalBackend(tmp_path))
        writer = Writer(database)
        blob = writer.add_blob(data)
        writer.flush()
        assert blob == BlobId.of(data)
        assert bytes(Database(LocalBackend(tmp_path)).read_blob(blob)) == data
        assert threads_of_ours() == []

    def test_what_repeats_within_a_blob_is_stored_once(self) -> None:
        backend = MemoryBackend()
        writer = Writer(Database(backend))
        block = random.Random(3).randbytes(6 << 20)
        writer.add_blob(block * 4)
        outcome = writer.flush()
        assert sum(receipt.size for receipt in outcome.receipts) < 1.3 * len(block)

    def test_the_same_chunks_as_alone_whatever_runs_beside(self) -> None:
        data = mixed(LARGE, seed=5)
        stored = []
        for _ in range(2):
            database = Database(MemoryBackend())
            writer = Writer(database)
            blob = writer.add_blob(data)
            writer.flush()
            stored.append(database.chunk_ids(blob))
        assert stored[0] == stored[1]

    def test_a_disk_that_fails_half_way_is_told_and_leaves_no_thread(self) -> None:
        backend = MemoryBackend()
        writer = Writer(Database(FailingBackend(backend, 0)))
        with pytest.raises(StorageError):
            writer.add_blob(mixed(LARGE))
            writer.flush()
        writer.abandon()
        assert threads_of_ours() == []
        assert list(list_packs(backend)) == []

    def test_an_abandoned_writer_leaves_no_pack_and_no_thread(self, tmp_path: Path) -> None:
        backend = LocalBackend(tmp_path)
        writer = Writer(Database(backend))
        writer.add_blob(mixed(LARGE))
        writer.abandon()
        assert threads_of_ours() == []
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_many_blobs_in_one_streamed_pack_all_come_back(self, tmp_path: Path) -> None:
        database = Database(LocalBackend(tmp_path))
        writer = Writer(database)
        contents = [mixed(700_000 + 13 * n, seed=n) for n in range(30)]
        blobs = [writer.add_blob(content) for content in contents]
        outcome = writer.flush()
        assert len(outcome.receipts) == 1
        again = Database(LocalBackend(tmp_path))
        for blob, content in zip(blobs, contents, strict=True):
            assert bytes(again.read_blob(blob)) == content
