"""Packs that are written one after another, the next while the one before becomes durable."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable

import pytest

from mfv.errors import StorageError
from mfv.ids import ChunkId, PackId, RunId
from mfv.odb import packsout
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.intake import Packed
from mfv.odb.pack import Member, Receipt
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.odb.packsout import PacksOut
from mfv.odb.writer import Writer
from mfv.storage.base import Backend, Buffer
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import FailingBackend

FULL, RANGE = 10_000, 1_500  # bytes


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack is written while it grows from a few ranges on."""
    monkeypatch.setattr(packsout, "_STREAM_FROM", 3_000)
    monkeypatch.setattr(packsout, "_HANDING", 2_000)


class Gated(MemoryBackend):
    """A `put` that has all its bytes waits for `gate` before they are durable."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.waiting = threading.Event()

    def put(self, key: str, parts: Iterable[Buffer], *, sync: bool = True) -> None:
        data = b"".join(parts)
        self.waiting.set()
        assert self.gate.wait(30)
        super().put(key, [data], sync=sync)


def a_range(number: int) -> Packed:
    data = random.Random(number).randbytes(RANGE)
    return Packed([Member(ChunkId.of(data), ChunkId.kind, RANGE)], Codec.RAW, data)


def out(backend: Backend, done: list[Receipt]) -> PacksOut:
    return PacksOut(backend, FULL, lambda receipt, _: done.append(receipt))


def fill_one(packs: PacksOut) -> PackId:
    """Adds until another pack is begun; returns the one that is full."""
    first = packs.add(a_range(0), align=False)
    number = 1
    while packs.add(a_range(number), align=False) == first:
        number += 1
    return first


def threads_of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mfv-odb")]


def test_each_range_lies_in_the_pack_that_was_named_for_it() -> None:
    backend, done = MemoryBackend(), list[Receipt]()
    packs = out(backend, done)
    ranges = [a_range(number) for number in range(40)]
    named = [packs.add(one, align=False) for one in ranges]
    receipts = packs.flush()
    assert receipts == done
    assert [receipt.pack for receipt in receipts] == list(dict.fromkeys(named))
    assert len(receipts) > 3
    assert sorted(list_packs(backend)) == sorted(set(named))
    for pack, one in zip(named, ranges, strict=True):
        (record,) = (r for r in read_index(backend, pack) if r.id == one.members[0].id)
        stored = backend.get(key_of(pack), record.offset, record.stored)
        assert stored == one.stored


def test_what_follows_stays_in_the_pack_of_the_one_before() -> None:
    packs = out(MemoryBackend(), [])
    named = {packs.add(a_range(number), align=False, follows=number > 0) for number in range(20)}
    assert len(named) == 1
    packs.abandon()


def test_the_next_one_grows_while_one_becomes_durable_which_is_told_then() -> None:
    backend, done = Gated(), list[Receipt]()
    packs = out(backend, done)
    first = fill_one(packs)
    assert backend.waiting.wait(30)
    assert done == []
    assert not packs.is_empty
    assert not packs.is_in_memory
    assert list(list_packs(backend)) == []
    backend.gate.set()
    assert packs.flush()[0].pack == first
    assert done[0].pack == first
    assert packs.is_empty


def test_nothing_that_was_written_is_handed_over() -> None:
    packs = out(MemoryBackend(), [])
    assert packs.is_empty
    assert packs.is_in_memory
    packs.add(a_range(0), align=False)
    assert not packs.is_empty
    assert packs.is_in_memory
    packs.flush()
    assert packs.is_empty
    assert not packs.is_in_memory


def test_one_that_fails_is_told_of_at_the_latest_by_flush_and_leaves_no_thread() -> None:
    for fails_at in range(3):
        done: list[Receipt] = []
        backend = MemoryBackend()
        packs = out(FailingBackend(backend, fails_at), done)
        with pytest.raises(StorageError):
            for number in range(40):
                packs.add(a_range(number), align=False)
            packs.flush()
        packs.abandon()
        assert threads_of_ours() == []
        assert {receipt.pack for receipt in done} <= set(list_packs(backend))


def test_abandoned_while_one_becomes_durable_it_waits_for_that_one() -> None:
    backend, done = Gated(), list[Receipt]()
    packs = out(backend, done)
    fill_one(packs)
    backend.gate.set()
    packs.abandon()
    assert threads_of_ours() == []
    assert done == []


def test_a_record_is_in_the_pack_that_the_writer_says_also_while_that_one_settles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mfv.odb.writer._PACK_LARGEST", FULL)
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    body = b"a record " * 20
    record = RunId.of(body)
    said: set[PackId] = {writer.add_record(record, body)}
    for number in range(30):
        writer.add_blob(random.Random(number).randbytes(RANGE))
        said.add(writer.add_record(record, body))
    writer.flush()
    holders = {
        pack
        for pack in list_packs(backend)
        if record in [one.id for one in read_index(backend, pack)]
    }
    assert said == holders
    assert len(holders) == 1
