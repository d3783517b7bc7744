"""repack: few large packs of many, with all that runs need and nothing else."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keeping import (
    NOW,
    add_pack,
    assert_well,
    assert_whole,
    count_packs,
    filled,
    maintain,
    open_run_of,
    payload,
    record,
)
from making import damage, memory_repository, opening_of

from mfv.errors import CorruptError
from mfv.ids import BlobId, ChunkId, PackId
from mfv.maintain import repack, survey
from mfv.maintain.repack import plan, run
from mfv.maintain.rewriting import Repacked
from mfv.manifest.records import Opening
from mfv.odb import packsout, transfer
from mfv.odb.codec import Codec
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import Location, key_of, list_packs, read_index
from mfv.odb.ranges import by_range, in_one_piece
from mfv.odb.transfer import member_of
from mfv.odb.verified import Verified
from mfv.odb.writer import Writer
from mfv.repo.entries import Condemn, Repack
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.storage.base import Backend

HOUR = 3600.0


def store(backend: Backend, *blobs: bytes) -> PackId:
    """Writes a pack as a command does that was stopped before its log entry."""
    writer = Writer(memory_repository(backend).database)
    for blob in blobs:
        writer.add_blob(blob)
    (receipt,) = writer.flush().receipts
    return receipt.pack


def objects(backend: Backend) -> list[bytes]:
    return [record.id for pack in list_packs(backend) for record in read_index(backend, pack)]


def do(backend: Backend, grace: float = NOW) -> Repacked:
    repository = memory_repository(backend)
    return run(repository, plan(repository, grace=grace), grace=grace)


def test_the_packs_of_many_runs_become_one_by_one_entry() -> None:
    backend, expected = filled(8)
    before = set(list_packs(backend))
    repository = memory_repository(backend)
    entries = repository.state.number
    done = run(repository, plan(repository, grace=HOUR), grace=HOUR)
    assert set(map(PackId, done.condemned)) == before
    assert list(list_packs(backend)) == [PackId(made.pack) for made in done.written]
    assert len(done.written) == 1
    assert repository.state.number == entries + 1
    (entry,) = repository.log.read(entries + 1, entries + 1)
    assert entry.body == Repack(done.condemned, done.written)
    assert done.freed == done.planned.size > backend.stat(key_of(PackId(done.written[0].pack))).size
    assert_whole(backend, expected)
    assert_well(backend)


def test_what_is_planned_is_done_and_then_there_is_nothing_to_do() -> None:
    backend, _ = filled(3)
    repository = memory_repository(backend)
    before = {key: backend.get(key) for key in backend.list("")}
    planned = plan(repository)
    assert {key: backend.get(key) for key in backend.list("")} == before, "a plan writes nothing"
    assert (len(planned.sources), planned.staying) == (12, 0)
    assert planned.kept < planned.size
    run(repository, planned)
    again = plan(memory_repository(backend))
    assert (again.sources, again.staying) == ((), 1)
    entries = repository.state.number
    assert run(repository, again).written == ()
    assert repository.state.number == entries


def test_what_no_run_needs_is_left_behind() -> None:
    backend, expected = filled(0)
    store(backend, payload(1), b"of nobody", payload(77, 9000))
    expected[record(memory_repository(backend), 1)] = 1
    do(backend)
    assert BlobId.of(b"of nobody") not in objects(backend)
    assert_whole(backend, expected)


def test_of_many_copies_one_is_kept() -> None:
    backend, expected = filled(2)
    for _ in range(3):
        add_pack(backend, payload(1), payload(2))
    do(backend)
    there = objects(backend)
    assert len(there) == len(set(there))
    assert_whole(backend, expected)


def test_large_packs_stay_unless_half_of_them_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "SMALL", 1)
    monkeypatch.setattr(repack, "SMALL", 1)
    monkeypatch.setattr(repack, "_LOOSE", 0)  # how densely they are written is not asked here
    backend, expected = filled(1)
    full = store(backend, payload(5, 6000), payload(6, 2000))
    hollow = store(backend, payload(7, 2000), payload(8, 6000))
    repository = memory_repository(backend)
    for number in (5, 7):
        script = payload(number, 6000 if number == 5 else 2000)
        RunRecorder(repository, opening_of(script=script)).seal("ok", ended=1)
    planned = plan(memory_repository(backend), grace=NOW)
    assert [PackId(one.pack) for one in planned.sources] == [hollow]
    assert planned.sources[0].kept == 2000
    do(backend)
    left = set(list_packs(backend))
    assert full in left
    assert hollow not in left
    assert BlobId.of(payload(8, 6000)) not in objects(backend)
    assert_whole(backend, expected)
    assert_well(backend)


def test_the_grace_spares_young_packs_of_copies_and_what_nothing_leads_to() -> None:
    backend, _ = filled(2)
    do(backend, HOUR)
    copies = add_pack(backend, payload(1))
    loose = store(backend, b"soon to be named")
    assert plan(memory_repository(backend), grace=HOUR).sources == ()
    planned = plan(memory_repository(backend), grace=NOW)
    assert copies in {one.pack for one in planned.sources}
    assert loose not in {one.pack for one in planned.sources}


def versions(count: int) -> list[bytes]:
    """Texts of which each is the one before with some lines changed."""
    source = random.Random(3)
    lines = [b"%d,%d,%.6f\n" % (n, source.randrange(10**6), source.random()) for n in range(6000)]
    found = []
    for _ in range(count):
        for place in source.sample(range(len(lines)), 60):
            lines[place] = b"changed,%d\n" % source.randrange(10**9)
        found.append(b"".join(lines))
    return found


def record_versions(backend: Backend, texts: list[bytes]) -> None:
    for place, text in enumerate(texts):
        older = texts[max(0, place - 3) : place][::-1]
        open_run_of(memory_repository(backend), text, *older).seal("ok", ended=1)


def records(backend: Backend) -> list[Location]:
    return [
        Location(pack, one) for pack in list_packs(backend) for one in read_index(backend, pack)
    ]


def assert_groups_find_their_bases(backend: Backend) -> None:
    """Every base of every group has a copy less deep than the group."""
    database = memory_repository(backend).database
    least: dict[bytes, int] = {}
    for _, one in records(backend):
        least[one.id] = min(one.depth, least.get(one.id, one.depth))
    for location in records(backend):
        for base in database.base_of(location):
            assert least[base] < location.record.depth


def test_groups_are_copied_whole_and_find_what_they_build_on() -> None:
    backend = memory_repository().backend
    texts = versions(7)
    record_versions(backend, texts)
    before = {one.record.id: one.record for one in records(backend)}
    assert len({one.depth for one in before.values()}) > 2, "otherwise this tests nothing"
    done = do(backend)
    assert len(done.written) == 1
    for _, one in records(backend):
        assert one.depth == before[one.id].depth
        if one.depth:
            assert one.codec == before[one.id].codec == Codec.GROUP
            assert one.stored <= before[one.id].stored
    assert_groups_find_their_bases(backend)
    for text in texts:
        assert memory_repository(backend).database.read_blob(BlobId.of(text)) == text
    assert_well(backend)


def test_a_group_stays_whole_for_one_member_and_keeps_its_base_though_no_run_names_it() -> None:
    backend = memory_repository().backend
    texts = versions(2)
    writer = Writer(memory_repository(backend).database)
    writer.add_blob(texts[0])
    writer.flush()
    open_run_of(memory_repository(backend), texts[1], texts[0]).seal("ok", ended=1)
    assert any(one.record.codec == Codec.GROUP for one in records(backend))
    do(backend)
    assert count_packs(backend) == 1
    assert_groups_find_their_bases(backend)
    assert memory_repository(backend).database.read_blob(BlobId.of(texts[1])) == texts[1]


def test_a_base_is_kept_less_deep_than_what_builds_on_it_whatever_else_is_damaged() -> None:
    """The copy that counts is damaged; a deeper one is whole, and of no use to the groups."""
    backend = memory_repository().backend
    texts = versions(2)
    record_versions(backend, texts)
    (group,) = {
        (one.pack, one.record.offset): one for one in records(backend) if one.record.codec == 4
    }.values()
    database = memory_repository(backend).database
    base = database.base_of(group)[0]
    data = database.read_blob(BlobId(base))
    spare = add_pack(backend, bytes(data))
    for location in records(backend):
        if location.record.id == base and location.pack != spare:
            damage(backend, key_of(location.pack), location.record.offset + 20)
    done = do(backend)
    assert done.damaged == ()
    assert spare not in set(list_packs(backend))
    assert_groups_find_their_bases(backend)
    for text in texts:
        assert memory_repository(backend).database.read_blob(BlobId.of(text)) == text
    assert_well(backend)


def test_a_blob_that_can_be_mapped_still_can(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / ".mfv", writer="ana@host")
    made.database.fast = True
    blobs = [os.urandom(1_000_000 + 37 * n) for n in range(3)]
    for place, blob in enumerate(blobs):
        store(made.backend, payload(place, 1111))  # lies before it in no run's pack
        open_run_of(made, blob).seal("ok", ended=1)
    maintain(made.backend)
    assert count_packs(made.backend) == 1
    database = Repository.open(tmp_path / ".mfv").database
    for blob in blobs:
        (recipe,) = (one for one in database.index.find(BlobId.of(blob)) if one.record.kind == 2)
        pieces = database.one_piece(recipe)
        assert len(pieces) > 1
        assert in_one_piece(pieces)
        assert pieces[0].record.offset % 64 == 0
        assert database.read_blob(BlobId.of(blob)) == blob


def test_packs_that_were_just_copied_need_not_be_read_to_be_relied_on(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / ".mfv", writer="ana@host")
    for number in range(3):
        record(made, number)
    do(made.backend)
    (pack,) = list_packs(made.backend)
    assert Verified(made.backend).trusts(pack)


def test_a_blob_whose_chunks_lie_elsewhere_too_is_not_torn_apart() -> None:
    backend = memory_repository().backend
    repository = memory_repository(backend)
    repository.database.fast = True
    blob = os.urandom(600_000)
    open_run_of(repository, blob).seal("ok", ended=1)
    chunks = repository.database.chunk_ids(BlobId.of(blob))
    for chunk in chunks[1::2]:
        add_pack(backend, bytes(repository.database.read_blob(BlobId(chunk))))
    do(backend)
    database = memory_repository(backend).database
    (recipe,) = (one for one in database.index.find(BlobId.of(blob)) if one.record.kind == 2)
    assert database.one_piece(recipe)
    assert_well(backend)


def test_a_full_pack_is_closed_and_written_while_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "FULL", 20_000)
    monkeypatch.setattr(packsout, "_STREAM_FROM", 5_000)
    monkeypatch.setattr(packsout, "_HANDING", 3_000)
    backend, expected = filled(12)
    done = do(backend)
    assert len(done.written) > 1
    assert max(made.size for made in done.written) < 40_000
    assert_whole(backend, expected)
    assert_well(backend)


def hurt(backend: Backend, object_id: bytes) -> list[PackId]:
    """Damages every copy of an object; returns the packs of them."""
    found = [one for one in records(backend) if one.record.id == object_id]
    for pack, one in found:
        damage(backend, key_of(pack), one.offset)
    return [one.pack for one in found]


def test_a_damaged_object_with_another_good_copy_is_healed() -> None:
    backend, expected = filled(3)
    assert hurt(backend, BlobId.of(payload(2)))
    add_pack(backend, payload(2))
    assert do(backend).damaged == ()
    assert count_packs(backend) == 1
    assert_whole(backend, expected)
    assert_well(backend)


def test_a_pack_with_a_damaged_object_stays_and_is_told_and_all_else_goes_on() -> None:
    backend, expected = filled(3)
    hurt_packs = hurt(backend, BlobId.of(payload(2)))
    done = do(backend)
    assert [one.object for one in done.damaged] == [BlobId.of(payload(2))]
    assert set(done.damaged[0].packs) == set(map(bytes, hurt_packs))
    left = set(list_packs(backend))
    assert left == {*hurt_packs, *(PackId(made.pack) for made in done.written)}
    del expected["TrainFlow/2"]
    assert_whole(backend, expected)
    assert do(backend).damaged == done.damaged, "and so it is the next time"
    add_pack(backend, payload(2))
    assert do(backend).damaged == ()
    assert not set(hurt_packs) & set(list_packs(backend))
    assert_whole(backend, {**expected, "TrainFlow/2": 2})


def test_a_blob_of_which_a_chunk_is_missing_is_told_and_keeps_what_is_left_of_it() -> None:
    backend = memory_repository().backend
    repository = memory_repository(backend)
    blob = os.urandom(600_000)
    writer = Writer(repository.database)
    writer.add_blob(blob)
    (receipt,) = writer.flush().receipts
    open_run_of(repository, blob).seal("ok", ended=1)
    kept = [one for one in read_index(backend, receipt.pack) if one.kind == ChunkId.kind]
    rest = [backend.get(key_of(receipt.pack), one.offset, one.stored) for one in kept[1:]]
    (recipe,) = (one for one in read_index(backend, receipt.pack) if one.kind == BlobId.kind)
    stored = backend.get(key_of(receipt.pack), recipe.offset, recipe.stored)
    backend.delete(key_of(receipt.pack))
    builder = PackBuilder()
    for data in rest:
        builder.add([Member(ChunkId.of(data), ChunkId.kind, len(data))], Codec.RAW, data)
    builder.add([Member(BlobId(recipe.id), BlobId.kind, recipe.size)], recipe.codec, stored)
    parts, made = builder.finish()
    backend.put(key_of(made.pack), parts)
    done = do(backend)
    assert [one.object for one in done.damaged] == [BlobId.of(blob)]
    assert made.pack in set(list_packs(backend))


@pytest.mark.parametrize("at", [-70, 3])
def test_where_an_index_cannot_be_read_nothing_is_rewritten(at: int) -> None:
    backend, _ = filled(2)
    damage(backend, key_of(next(list_packs(backend))), at)
    before = {key: backend.get(key) for key in backend.list("")}
    with pytest.raises(CorruptError):
        do(backend)
    assert {key: backend.get(key) for key in backend.list("")} == before


def test_what_was_dead_when_it_was_planned_and_is_taken_up_again_is_kept() -> None:
    backend, expected = filled(1)
    store(backend, payload(9), payload(10))
    open_run_of(memory_repository(backend), payload(10)).seal("ok", ended=1)
    repository = memory_repository(backend)
    planned = plan(repository, grace=NOW)
    # Now a run relies on what the plan takes for dead, in a pack that the plan rewrites.
    expected[record(memory_repository(backend), 9)] = 9
    done = run(repository, planned, grace=NOW)
    assert set(done.condemned) == {one.pack for one in planned.sources}
    assert_whole(backend, expected)
    assert_well(backend)


class Busy:
    """A log to which another run is added before each of the first appends of a repack."""

    def __init__(self, repository: Repository, act: Callable[[int], object], times: int) -> None:
        self.calls = 0
        real = repository.log.append

        def append(build: Callable[..., object], **rest: object) -> object:
            def checked(state: object) -> object:
                body = build(state)
                if self.calls < times:
                    self.calls += 1
                    act(self.calls)
                return body

            return real(checked, **rest)  # type: ignore[arg-type]

        repository.log.append = append  # type: ignore[method-assign, assignment]


def test_it_ends_beside_a_writer_that_commits_before_each_of_its_attempts() -> None:
    backend, expected = filled(4)
    for number in range(20, 26):
        add_pack(backend, payload(number), payload(1))
    repository = memory_repository(backend)
    planned = plan(repository, grace=NOW)

    def commit(call: int) -> None:
        name = record(memory_repository(backend), 20 + call)
        expected[name] = 20 + call

    busy = Busy(repository, commit, 5)
    done = run(repository, planned, grace=NOW)
    assert busy.calls == 5
    assert done.planned == planned, "what came was looked at; nothing was planned or copied anew"
    assert set(done.condemned) == {one.pack for one in planned.sources}
    assert_whole(backend, expected)
    assert_well(backend)


def test_a_pack_that_stays_and_is_condemned_meanwhile_is_not_relied_on() -> None:
    backend, expected = filled(2)
    do(backend)
    (stays,) = list_packs(backend)
    for number in (1, 2):
        add_pack(backend, payload(number), os.urandom(5000))
    repository = memory_repository(backend)
    planned = plan(repository, grace=NOW)
    sources = tuple(one for one in planned.sources if one.pack != stays)
    kept = backend.get(key_of(stays))

    def condemn(_: int) -> None:
        # As another repack does, which has copied everything else of it.
        for several in by_range(memory_repository(backend).database.index):
            pack, one = several[0]
            if pack == stays and one.id not in (BlobId.of(payload(1)), BlobId.of(payload(2))):
                stored = kept[one.offset : one.offset + one.stored]
                builder = PackBuilder()
                builder.add([member_of(each.record) for each in several], one.codec, stored)
                parts, receipt = builder.finish()
                backend.put(key_of(receipt.pack), parts)
        memory_repository(backend).log.append(lambda _: Condemn((bytes(stays),)))
        backend.delete(key_of(stays))

    Busy(repository, condemn, 1)
    run(repository, msgspec.structs.replace(planned, sources=sources), grace=NOW)
    assert_whole(backend, expected)
    assert_well(backend)


def test_a_plan_of_which_another_gc_took_a_pack_is_made_anew() -> None:
    backend, expected = filled(4)
    first, second = memory_repository(backend), memory_repository(backend)
    plans = plan(first, grace=NOW), plan(second, grace=NOW)
    assert run(first, plans[0], grace=NOW).condemned
    assert run(second, plans[1], grace=NOW).condemned == ()
    assert count_packs(backend) == 1
    assert_whole(backend, expected)


def test_a_repository_that_was_open_reads_and_writes_on() -> None:
    backend, expected = filled(4)
    old = memory_repository(backend)
    assert bytes(old.database.read_blob(BlobId.of(payload(2)))) == payload(2)
    do(backend)
    for number in range(1, 5):
        assert bytes(old.database.read_blob(BlobId.of(payload(number)))) == payload(number)
    expected[record(old, 3)] = 3
    assert objects(backend).count(BlobId.of(payload(3))) == 1, "found where it lies now"
    assert_whole(backend, expected)


def test_a_writer_whose_commit_relies_on_a_pack_that_went_stores_anew_and_finds_the_rest() -> None:
    backend, expected = filled(3)
    repository = memory_repository(backend)
    calls = 0

    def make(writer: Writer) -> Opening:
        nonlocal calls
        calls += 1
        opening = opening_of(script=payload(2))(writer)
        if calls == 1:
            do(backend)
        return opening

    RunRecorder(repository, make).seal("ok", ended=1)
    assert calls == 2
    assert objects(backend).count(BlobId.of(payload(2))) == 1
    assert_whole(backend, expected)
    assert_well(backend)


def test_packs_that_a_repack_left_when_it_was_stopped_are_used_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend, expected = filled(6)
    repository = memory_repository(backend)

    def stop(*_: object, **__: object) -> object:
        raise KeyboardInterrupt

    repository.log.append = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(repository, plan(repository, grace=NOW), grace=NOW)
    assert count_packs(backend) == 25
    largest = max(backend.stat(key_of(pack)).size for pack in list_packs(backend))
    monkeypatch.setattr(survey, "SMALL", largest)  # what was written is large
    monkeypatch.setattr(repack, "SMALL", largest)
    done = do(backend)
    assert done.written == (), "nothing is copied twice"
    assert count_packs(backend) == 1
    assert_whole(backend, expected)
    assert_well(backend)


def test_maintenance_leaves_few_files() -> None:
    backend, expected = filled(40)
    maintain(backend)
    assert len(list(backend.list(""))) < 30
    assert_whole(backend, expected)
    assert_well(backend)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_whatever_is_recorded_and_left_reads_back_after_any_number_of_repacks(
    numbers: list[int], data: st.DataObject
) -> None:
    backend, expected = filled(0)
    for number in numbers:
        for _ in range(data.draw(st.integers(0, 2))):
            add_pack(backend, *map(payload, data.draw(st.sets(st.integers(0, 5), min_size=1))))
        expected[record(memory_repository(backend), number)] = number
        if data.draw(st.booleans()):
            maintain(backend, data.draw(st.sampled_from([NOW, HOUR])))
            assert_whole(backend, expected)
    maintain(backend)
    assert count_packs(backend) == 1
    there = objects(backend)
    assert len(there) == len(set(there))
    assert_whole(backend, expected)
    assert_well(backend)
