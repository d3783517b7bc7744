"""Values that fail, vanish or change while a task is stored: named, and nothing else is lost."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy
import pytest

from mfv.ids import BlobId
from mfv.odb.database import Database
from mfv.odb.writer import Writer
from mfv.repo.artifacts import Stored, load, store, store_all
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend

GOOD = {"array": numpy.arange(50_000.0), "words": {"a": [1, 2]}, "text": "x" * 5000}


def stored(values: dict[str, Any]) -> tuple[Database, Stored, int]:
    """What became of `values`, read through a database of its own, and the bytes it takes."""
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    done = store_all(writer, values)
    size = sum(receipt.size for receipt in writer.flush().receipts)
    return Database(backend), done, size


def read_all(database: Database, done: Stored) -> dict[str, Any]:
    return {artifact.name: load(database, artifact) for artifact in done.artifacts}


class RaisesHalfWay:
    """Pickles a large array and then fails."""

    def __getstate__(self) -> Any:
        return {"large": numpy.random.default_rng(1).random(200_000), "then": Fails()}


class Fails:
    def __reduce__(self) -> Any:
        raise RuntimeError("no further")


def test_a_pickle_that_raises_half_way_leaves_nothing_and_all_else_is_stored() -> None:
    _, _, expected = stored(GOOD)
    database, done, size = stored(
        {**GOOD, "bad": RaisesHalfWay(), "worse": [b"x" * 100_000, Fails()]}
    )
    assert [name for name, _ in done.dropped] == ["bad", "worse"]
    assert "no further" in done.dropped[0][1]
    again = read_all(database, done)
    assert numpy.array_equal(again.pop("array"), GOOD["array"])
    assert again == {"words": GOOD["words"], "text": GOOD["text"]}
    assert size == expected


def test_an_array_whose_file_shrank_is_dropped_and_all_else_is_stored(tmp_path: Path) -> None:
    mapped = numpy.memmap(tmp_path / "file", dtype="f8", mode="w+", shape=(50_000,))
    mapped[:] = 1
    os.truncate(tmp_path / "file", 4096)
    database, done, _ = stored({**GOOD, "mapped": mapped, "inside": {"rows": [mapped[5:]]}})
    assert [name for name, _ in done.dropped] == ["inside", "mapped"]
    assert done.dropped[0][1].startswith("self.inside['rows'][0] cannot be stored: numpy.memmap")
    assert "only 4096 left" in done.dropped[1][1]
    assert len(read_all(database, done)) == 3


BUFFERS: dict[str, Any] = {
    "with gaps": numpy.arange(100_000.0)[::3],
    "read-only": numpy.frombuffer(bytes(100_000), "i4"),
    "empty": numpy.empty((0, 7)),
    "items of no size": numpy.zeros(1000, "V0"),
    "records": numpy.zeros(10_000, dtype=[("a", "f4"), ("b", "i8"), ("c", "M8[s]")]),
    "objects": numpy.array([{"a": 1}, None, "x"] * 10, dtype=object),
    "byte-swapped": numpy.arange(10_000, dtype=">f8"),
    "half numbers": numpy.arange(20_000, dtype="f2"),
    "complex": numpy.arange(20_000, dtype="c8"),
    "text": numpy.array(["words", "and more"] * 5000),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_a_buffer_of_any_kind_is_stored_and_read_back_verified(name: str) -> None:
    value = BUFFERS[name]
    database, done, _ = stored({"value": value})
    again = read_all(database, done)["value"]
    assert (again.dtype, again.shape) == (value.dtype, value.shape)
    assert numpy.array_equal(again, value)


def test_an_array_that_a_thread_changes_while_it_is_stored_reads_back_verified() -> None:
    value = numpy.random.default_rng(1).random(2 << 20)
    stop = threading.Event()

    def change() -> None:
        generator = numpy.random.default_rng(2)
        while not stop.is_set():
            value[generator.integers(value.size, size=100)] = generator.random()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        database, done, _ = stored({"value": value, "within": {"a": value, "b": [value[5:]]}})
    finally:
        stop.set()
        thread.join()
    assert done.dropped == ()
    again = read_all(database, done)
    assert again["value"].shape == value.shape
    assert again["within"]["b"][0].shape == (value.size - 5,)
    for artifact in done.artifacts:
        for frame in artifact.frames:
            assert BlobId.of(database.read_blob(frame.id)) == frame.id


def test_an_array_of_more_than_4_gib_is_stored_and_comes_back(tmp_path: Path, long: bool) -> None:
    if not long:
        pytest.skip("takes a minute and 5 GB of memory; --long runs it")
    value = numpy.zeros((1 << 32) + (100 << 20), "u1")
    value[-1], value[1 << 32] = 7, 3
    backend = LocalBackend(tmp_path)
    writer = Writer(Database(backend))
    artifact = store(writer, "value", {"large": value})
    receipts = writer.flush().receipts
    assert artifact.frames[1].size == value.nbytes
    assert sum(receipt.size for receipt in receipts) < 8 << 20
    del value
    again: Any = load(Database(backend), artifact)
    large = again["large"]
    assert large.nbytes == (1 << 32) + (100 << 20)
    assert (large[-1], large[1 << 32], large[1 << 31]) == (7, 3, 0)


def test_bytes_of_more_than_4_gib_within_a_value_are_lent_out(long: bool) -> None:
    if not long:
        pytest.skip("takes 5 GB of memory; --long runs it")
    from mfv.serde.pickle5 import dump

    value = bytes((1 << 32) + 5)
    stream, buffer = dump({"large": value}, name="self.x")
    assert buffer.data is value
    assert len(stream.data) < 100
