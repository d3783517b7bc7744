"""Where an object lies is told by a cache that may be lost or wrong: no answer depends on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from lookups import (
    Watched,
    add_pack,
    answers,
    caches,
    filled,
    learn,
    packs_of,
    payload,
    truth,
)

from mfv.errors import NotFoundError
from mfv.ids import ChunkId, PackId
from mfv.odb import merge, whereabouts
from mfv.odb.layercache import FOLDER
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import SealedIndexes, key_of, read_index
from mfv.odb.whereabouts import PackIndex
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import ReadOnlyBackend


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "MANY_PACKS", 4)


def test_who_had_to_read_many_packs_leaves_a_cache_and_the_next_reads_one_pack() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    learn(backend)
    assert len(caches(backend)) == 1
    watched = Watched(backend)
    assert packs_of(PackIndex(watched), ChunkId.of(payload(17))) == {packs[3]}
    assert watched.packs_read() == 1
    assert watched.read["packs/"] == 0


def test_few_packs_leave_no_cache() -> None:
    backend = MemoryBackend()
    filled(backend, 3)
    learn(backend)
    assert caches(backend) == []


def test_many_objects_leave_a_cache_however_few_packs_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whereabouts, "MANY_OBJECTS", 10)
    backend = MemoryBackend()
    filled(backend, 2)
    learn(backend)
    assert len(caches(backend)) == 1


def test_unknown_is_told_by_the_layers_and_one_listing_and_no_pack() -> None:
    backend = MemoryBackend()
    filled(backend)
    learn(backend)
    watched = Watched(backend)
    index = learn(watched)
    for number in range(100):
        assert index.find(ChunkId.of(b"unknown %d" % number)) == []
    assert watched.packs_read() == 0
    assert watched.read["packs/"] == 1


def test_every_copy_is_found_through_the_cache_and_without() -> None:
    backend = MemoryBackend()
    filled(backend)
    right = truth(backend)
    assert sorted(map(len, right.values()))[-1] == 2
    for index in (learn(backend), PackIndex(backend), PackIndex(ReadOnlyBackend(backend))):
        assert answers(index, right) == right


def test_ids_that_begin_alike_are_told_apart() -> None:
    backend = MemoryBackend()
    ids = [ChunkId(b"alike" + bytes([number]) * 27) for number in range(40)]
    packs = {}
    for at in range(0, 40, 5):
        builder = PackBuilder()
        for one in ids[at : at + 5]:
            builder.add([Member(one, ChunkId.kind, 1)], 0, b"x")
            packs[one] = {builder.id}
        backend.put(key_of(builder.id), builder.finish()[0])
    index = learn(backend)
    assert caches(backend)
    assert answers(index, ids) == packs
    assert index.find(b"alike" + bytes([41]) * 27) == []


def test_packs_that_no_layer_covers_are_found_as_well() -> None:
    backend = MemoryBackend()
    filled(backend)
    learn(backend)
    late = add_pack(backend, [b"late"])
    index = PackIndex(backend)
    assert packs_of(index, ChunkId.of(b"late")) == {late}
    assert len(caches(backend)) == 1


def test_a_repository_that_grows_for_long_has_a_handful_of_layers() -> None:
    backend = MemoryBackend()
    most, written = 0, 0
    before: set[str] = set()
    for number in range(120):
        add_pack(backend, [payload(number)])
        learn(backend)
        now = set(caches(backend))
        most = max(most, len(now))
        written += sum(backend.stat(key).size > 0 for key in now - before)
        before = now
    assert most <= 4
    assert written <= 120 / 4
    right = truth(backend)
    assert answers(learn(backend), right) == right


def test_two_processes_that_write_at_once_leave_what_the_next_one_unites() -> None:
    backend = MemoryBackend()
    filled(backend)
    learn(backend)
    (key,) = caches(backend)
    one = backend.get(key)
    backend.put(f"{FOLDER}0123456789abcdef", [one])
    right = truth(backend)
    index = learn(backend)
    assert answers(index, right) == right
    assert len(caches(backend)) == 1


def test_a_file_that_goes_while_the_cache_is_opened_is_no_trouble() -> None:
    backend = MemoryBackend()
    filled(backend)
    learn(backend)
    watched = Watched(backend)
    watched.vanishing = set(caches(backend))
    right = truth(backend)
    assert answers(PackIndex(watched), right) == right


def test_an_object_of_a_pack_that_is_gone_is_unknown() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    learn(backend)
    backend.delete(key_of(packs[2]))
    right = truth(backend)
    index = PackIndex(backend)
    assert index.find(ChunkId.of(payload(12))) == []
    assert answers(index, right) == right


def test_a_layer_most_of_whose_packs_are_gone_is_replaced() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    learn(backend)
    (before,) = caches(backend)
    size = backend.stat(before).size
    for pack in packs[:5]:
        backend.delete(key_of(pack))
    learn(backend)
    (after,) = caches(backend)
    assert backend.stat(after).size < size
    right = truth(backend)
    assert answers(PackIndex(backend), right) == right


@pytest.mark.parametrize("make", [ReadOnlyBackend, Watched])
def test_where_nothing_can_be_written_everything_is_found(
    make: Callable[[MemoryBackend], ReadOnlyBackend | Watched],
) -> None:
    backend = MemoryBackend()
    filled(backend)
    wrapped = make(backend)
    if isinstance(wrapped, Watched):
        wrapped.full = True
    right = truth(backend)
    index = learn(wrapped)
    assert answers(index, right) == right
    assert caches(backend) == []
    add_pack(backend, [b"late"])
    index.refresh()
    assert len(index.find(ChunkId.of(b"late"))) == 1


def test_a_repository_read_only_on_disk_is_read(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    for number in range(6):
        add_pack(backend, [payload(number)])
    (tmp_path / "cache").write_bytes(b"in the way")
    index = PackIndex(backend)
    assert all(index.find(ChunkId.of(payload(number))) for number in range(6))
    assert index.find(ChunkId.of(payload(7))) == []


def test_what_was_forgotten_does_not_come_back_with_the_cache() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    learn(backend)
    index = PackIndex(backend)
    index.forget({packs[3]})
    assert index.find(ChunkId.of(payload(17))) == []
    assert index.find(ChunkId.of(payload(17)), packs[3]) == []
    index.load_all()
    assert index.find(ChunkId.of(payload(17))) == []
    assert packs[3] not in {location.pack for location in index}


def test_loading_all_neither_reads_nor_writes_a_cache() -> None:
    backend = MemoryBackend()
    filled(backend)
    watched = Watched(backend)
    index = PackIndex(watched)
    index.load_all()
    for number in range(5):
        add_pack(backend, [b"late %d" % number])
    index.refresh()
    assert len(index.find(ChunkId.of(b"late 3"))) == 1
    assert watched.read[FOLDER] == 0
    assert caches(backend) == []


def test_layers_stay_small_where_numpy_is_missing_and_all_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merge, "_numpy", lambda: None)
    monkeypatch.setattr(merge, "PYTHON_MOST", 30)
    backend = MemoryBackend()
    for start in range(0, 100, 5):
        add_pack(backend, map(payload, range(start, start + 5)))
        learn(backend)
    right = truth(backend)
    assert len(caches(backend)) > 2
    assert answers(PackIndex(backend), right) == right


def test_a_repository_too_large_for_one_layer_gets_several_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merge, "_numpy", lambda: None)
    monkeypatch.setattr(merge, "PYTHON_MOST", 30)
    backend = MemoryBackend()
    filled(backend, 20)
    learn(backend)
    assert len(caches(backend)) > 2
    watched = Watched(backend)
    learn(watched)
    assert watched.packs_read() == 0
    right = truth(backend)
    assert answers(PackIndex(backend), right) == right


def test_several_threads_ask_a_new_index_at_once() -> None:
    backend = MemoryBackend()
    filled(backend, 30)
    right = truth(backend)
    watched = Watched(backend)
    index = PackIndex(watched)
    found: list[dict[bytes, set[PackId]]] = []
    threads = [
        threading.Thread(target=lambda: found.append(answers(index, right))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [right] * 4
    assert watched.read["packs/"] == 1


def test_a_record_is_read_alone_once_its_packs_index_did_not_stay() -> None:
    backend = MemoryBackend()
    packs = filled(backend)
    sealed = SealedIndexes(backend, limit=0)
    for _ in range(2):
        for pack in packs:
            for position, record in enumerate(read_index(backend, pack)):
                assert sealed.record(pack, position, record.id) == record
                assert sealed.record(pack, position + 1, record.id) is None
                assert sealed.find(pack, record.id) == [record]
    backend.delete(key_of(packs[0]))
    with pytest.raises(NotFoundError):
        sealed.record(packs[0], 0, bytes(32))


def test_a_large_index_is_read_whole(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    pack = add_pack(backend, map(payload, range(1000)))
    sealed = SealedIndexes(backend)
    (record,) = sealed.find(pack, ChunkId.of(payload(777)))
    assert backend.get(key_of(pack), record.offset, record.stored) == payload(777)


def test_named_packs_are_learned_of_without_a_look_at_the_others() -> None:
    backend = MemoryBackend()
    filled(backend)
    watched = Watched(backend)
    index = PackIndex(watched)
    index.load_all()
    new, gone, bad = (add_pack(backend, [word]) for word in (b"new", b"gone", b"bad"))
    backend.delete(key_of(gone))
    backend.put(key_of(bad), [b"no pack"])
    watched.read.clear()
    index.learn([new, gone, bad, new])
    assert packs_of(index, ChunkId.of(b"new")) == {new}
    assert [index.find(ChunkId.of(word)) for word in (b"gone", b"bad")] == [[], []]
    assert watched.read["packs/"] == 0
    assert set(index.damaged) == {bad}
    index.refresh()
    assert packs_of(index, ChunkId.of(b"new")) == {new}
