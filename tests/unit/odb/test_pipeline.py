"""Hashing, compressing and writing beside each other: in order, bounded, and never stuck."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from mfv.errors import StorageError
from mfv.ids import BlobId
from mfv.odb import intake
from mfv.odb.codec import Plan
from mfv.odb.database import Database
from mfv.odb.packindex import list_packs, read_index
from mfv.odb.pipeline import THREADS, Lanes, PutStream
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

    def test_what_is_awaited_in_order_does_not_wait_behind_what_was_submitted(self) -> None:
        lanes, gate = Lanes(), threading.Event()
        waiting = [lanes.submit(lambda _: gate.wait(30), None) for _ in range(2 * THREADS)]
        assert list(lanes.in_order(str, range(20))) == [str(number) for number in range(20)]
        gate.set()
        assert all(future.result() for future in waiting)
        lanes.close()
        assert threads_of_ours() == []


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

    def test_the_same_bytes_in_the_same_codecs_as_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = mixed(LARGE, seed=6)
        found = []
        for lanes_from in (4 << 20, 1 << 40):
            monkeypatch.setattr("mfv.odb.writer._LANES_FROM", lanes_from)
            backend = MemoryBackend()
            writer = Writer(Database(backend))
            writer.add_blob(data)
            writer.flush()
            (pack,) = list_packs(backend)
            found.append(read_index(backend, pack))
        assert found[0] == found[1]

    def test_nothing_is_tried_of_a_beginning_that_is_known(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = Database(MemoryBackend())
        data, more = mixed(LARGE, seed=7), random.Random(8).randbytes(6 << 20)
        first = Writer(database)
        first.add_blob(data)
        first.flush()
        tried: list[bytes] = []
        choose = intake.choose

        def note(segment: memoryview, *rest: Any, **others: Any) -> Plan:
            tried.append(bytes(segment[:64]))
            return choose(segment, *rest, **others)

        monkeypatch.setattr(intake, "choose", note)
        second = Writer(database)
        second.add_blob(data + more)
        second.flush()
        assert tried
        assert data[:64] not in tried

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
