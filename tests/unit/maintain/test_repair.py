"""Repair: what can be made whole is, what cannot is told by name, and nothing is deleted."""

from __future__ import annotations

import random

import pytest
from keeping import assert_whole, maintain, record
from making import damage, memory_repository, whole_run

from mfv.errors import CorruptError, NotFoundError
from mfv.ids import PackId
from mfv.maintain import gc
from mfv.maintain.fsck import fsck
from mfv.maintain.repair import Repaired, repair, repair_format
from mfv.odb.codec import Codec
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.repo import format as formats
from mfv.repo.archive import archive_key, list_archives
from mfv.repo.archive import key_of as entry_key
from mfv.repo.log import TIP, checkpoint_key
from mfv.repo.repository import Repository
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend

RUNS = {"TrainFlow/1": 1, "TrainFlow/2": 2, "TrainFlow/3": 3}


def three_runs() -> MemoryBackend:
    backend = MemoryBackend()
    made = memory_repository(backend)
    for number in RUNS.values():
        record(made, number)
    made.tag(add=[(run, "best") for run in made.state if run.number == 2])
    return backend


def copied(backend: MemoryBackend) -> MemoryBackend:
    other = MemoryBackend()
    for key in backend.list(""):
        other.put(key, [backend.get(key)])
    return other


def repaired(backend: Backend, *sources: Backend) -> Repaired:
    return repair(Repository(backend, writer="eva@host"), [Repository(one) for one in sources])


def assert_well_again(backend: Backend) -> None:
    report = fsck(Repository(backend), data=True)
    assert [one for one in report.findings if one.severity in ("error", "warning")] == []
    assert_whole(backend, RUNS)
    # It can be written to, and cleared.
    name = record(Repository(backend, writer="eva@host"), 99)
    maintain(backend)
    assert_whole(backend, {**RUNS, name: 99})


def lost_found(backend: Backend) -> list[str]:
    return [key.removeprefix("lost-found/") for key in backend.list("lost-found/")]


def packs_of(backend: Backend) -> list[PackId]:
    return sorted(list_packs(backend))


def test_there_is_nothing_to_do_where_nothing_is_wrong() -> None:
    backend = three_runs()
    before = {key: backend.get(key) for key in backend.list("")}
    done = repaired(backend)
    assert done.done == ()
    assert {key: backend.get(key) for key in backend.list("")} == before


@pytest.mark.parametrize("where", ["header", "payload", "record", "trailer"])
def test_one_bit_anywhere_in_any_pack_costs_nothing(where: str) -> None:
    whole = three_runs()
    for pack in packs_of(whole):
        backend = copied(whole)
        key, size = key_of(pack), whole.stat(key_of(pack)).size
        first = sorted(read_index(backend, pack), key=lambda one: one.offset)[0]
        index = size - 64 - 64 * len(read_index(backend, pack))
        at = {"header": 3, "payload": first.offset, "record": index + 5, "trailer": size - 50}
        damage(backend, key, at[where], 0x10)
        bad = backend.get(key)
        done = repaired(backend)
        assert "pack" in {one.kind for one in done.done}, where
        assert backend.get(f"lost-found/{pack}.pack") == bad
        assert_well_again(backend)


@pytest.mark.parametrize("where", ["header", "payload", "record", "trailer"])
def test_nor_does_one_in_a_pack_that_a_repack_wrote(where: str) -> None:
    whole = three_runs()
    maintain(whole)
    (pack,) = packs_of(whole)
    records = read_index(whole, pack)
    bundled = [one for one in records if one.codec == Codec.BUNDLE]
    assert len({one.offset for one in bundled}) > 1
    index = whole.stat(key_of(pack)).size - 64 - 64 * len(records)
    places = {
        "header": [30],
        "payload": sorted({one.offset + one.stored // 2 for one in bundled}),
        "record": [index + 64 * place + 5 for place, one in enumerate(records) if one in bundled],
        "trailer": [index + 64 * len(records) + 20],
    }
    for at in places[where][:6]:
        backend = copied(whole)
        damage(backend, key_of(pack), at, 0x10)
        assert "pack" in {one.kind for one in repaired(backend).done}, at
        assert_well_again(backend)


def test_of_a_bundle_that_is_damaged_beyond_a_bit_the_runs_are_told() -> None:
    backend = three_runs()
    maintain(backend)
    (pack,) = packs_of(backend)
    bundled = next(one for one in read_index(backend, pack) if one.codec == Codec.BUNDLE)
    data = bytearray(backend.get(key_of(pack)))
    data[bundled.offset + 8 : bundled.offset + 40] = bytes(32)
    backend.put(key_of(pack), [data])
    done = repaired(backend)
    assert {run for one in done.done if one.kind == "lost" for run in one.runs}
    assert fsck(Repository(backend), data=True).errors == 0


def test_what_is_whole_in_a_damaged_pack_outlives_it_and_the_rest_is_told_by_name() -> None:
    backend = MemoryBackend()
    made = memory_repository(backend)
    large = {name: random.Random(name).randbytes(30_000) for name in ("a", "b")}
    whole_run(made, large)
    whole_run(made, {"c": 1})
    (place,) = [one for one in Repository(backend).database.index if one.record.size == 30_000][:1]
    start = place.record.offset
    data = bytearray(backend.get(key_of(place.pack)))
    data[start + 10 : start + 30] = bytes(20)
    backend.put(key_of(place.pack), [data])
    done = repaired(backend)
    assert [one.runs for one in done.done if one.kind == "lost"] == [("TrainFlow/1",)]
    report = fsck(Repository(backend), data=True)
    assert report.errors == 0
    assert {one.runs for one in report.findings if one.severity == "warning"} == {("TrainFlow/1",)}
    again = Repository(backend)
    run = again.state.find("TrainFlow", 1)
    assert run is not None
    assert len(run.lost) == 1
    # A gc goes on with what is left, and keeps it.
    gc.run(again, gc.plan(again, grace=0.0), grace=0.0)
    assert fsck(Repository(backend), data=True).errors == 0
    assert repaired(backend).done == (), "what was told is not told again"


def test_what_is_lost_comes_back_from_a_copy() -> None:
    backend = three_runs()
    backup = copied(backend)
    for pack in packs_of(backend):
        backend.delete(key_of(pack))
    lost = repaired(backend)
    assert {run for one in lost.done if one.kind == "lost" for run in one.runs} == set(RUNS)
    assert lost.report.errors > 0, "entries name packs that are gone"
    found = repaired(backend, backup)
    assert {run for one in found.done if one.kind == "found" for run in one.runs} == set(RUNS)
    assert_whole(backend, RUNS)


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("number", [1, 4, 9, 10])
def test_an_entry_in_which_a_bit_turned_is_what_it_was(number: int, archived: bool) -> None:
    backend = three_runs()
    if archived:
        for again in (11, 12, 13):
            record(Repository(backend, writer="ana@host"), again)
        maintain(backend)
    before = {key: backend.get(key) for key in backend.list("log/")}
    key, at = entry_key(number), 20
    if archived:
        ((first, last),) = list_archives(backend)[:1]
        key = archive_key(first, last)
        at = 24 + 4 * 16 + 32 + 100 * number
    damage(backend, key, at, 0x04)
    done = repaired(backend)
    assert "log" in {one.kind for one in done.done}
    after = {key: backend.get(key) for key in backend.list("log/")}
    checkpoints = {key for key in after if "checkpoint" in key}
    assert {k: v for k, v in after.items() if k not in checkpoints} == {
        k: v for k, v in before.items() if k not in checkpoints
    }
    assert_well_again(backend)


@pytest.mark.parametrize("how", ["gone", "torn"])
@pytest.mark.parametrize("number", range(1, 14))
def test_an_entry_that_is_lost_is_stood_for_and_its_runs_are_found(number: int, how: str) -> None:
    backend = three_runs()
    entries = [key for key in backend.list("log/") if key[4:].isdecimal()]
    if number > len(entries):
        pytest.skip("there are fewer entries")
    if how == "gone":
        backend.delete(entry_key(number))
    else:
        backend.put(entry_key(number), [backend.get(entry_key(number))[:-40]])
    done = repaired(backend)
    assert [one.message for one in done.done if one.kind == "log"] == [
        f"log entry {number} is lost; another stands in its place"
    ]
    assert_well_again(backend)


def test_names_come_back_from_a_fold_of_the_log() -> None:
    backend = three_runs()
    made = Repository(backend, writer="ana@host")
    _ = made.state
    made.log.write_checkpoint()
    made.tag(add=[(run, "prod") for run in made.state if run.number == 3])
    before = Repository(backend).state
    for number in (2, 3, 5, 13):
        backend.delete(entry_key(number))
    repaired(backend)
    after = Repository(backend).state
    for key in [key for key in backend.list("log/") if "checkpoint" in key]:
        backend.delete(key)
    backend.delete(TIP)
    read = Repository(backend).state
    assert list(after) == list(before)
    assert list(read) == list(before), "the log says the same without the fold"
    assert_well_again(backend)


def test_a_damaged_table_of_an_archive_costs_no_entry() -> None:
    whole = three_runs()
    for number in (11, 12, 13):
        record(Repository(whole, writer="ana@host"), number)
    maintain(whole)
    (first, last) = list_archives(whole)[0]
    key = archive_key(first, last)
    for at in (0, 9, 24, 24 + 4 * 7, 24 + 4 * 15, 24 + 4 * 16 + 3):
        backend = copied(whole)
        before = backend.get(key)
        damage(backend, key, at, 0x41)
        repaired(backend)
        assert backend.get(key) == before
        assert_well_again(backend)


def test_a_hint_or_a_fold_that_is_damaged_is_made_anew() -> None:
    backend = three_runs()
    made = Repository(backend)
    number = made.state.number
    made.log.write_checkpoint()
    damage(backend, checkpoint_key(number), 10)
    damage(backend, TIP, 3)
    repaired(backend)
    assert_well_again(backend)


def test_files_of_another_repository_in_the_log_are_left_to_people() -> None:
    backend, other = three_runs(), three_runs()
    backend.put(entry_key(5), [other.get(entry_key(5))])
    before = {key: backend.get(key) for key in backend.list("")}
    with pytest.raises(CorruptError, match="does not follow"):
        repaired(backend)
    assert {key: backend.get(key) for key in backend.list("")} == before


@pytest.mark.parametrize("how", ["bit", "gone", "torn"])
def test_the_format_file_is_made_anew_from_what_runs_say(how: str) -> None:
    backend = three_runs()
    before = backend.get(formats.KEY)
    if how == "bit":
        damage(backend, formats.KEY, 30, 0x02)
    elif how == "gone":
        backend.delete(formats.KEY)
    else:
        backend.put(formats.KEY, [before[:40]])
    assert repair_format(backend) is not None
    assert backend.get(formats.KEY) == before
    assert repair_format(backend) is None
    assert_well_again(backend)


def test_no_repository_is_made_where_there_is_none() -> None:
    with pytest.raises(NotFoundError):
        repair_format(MemoryBackend())


def test_a_run_that_reads_wrong_never_comes_of_a_repair() -> None:
    whole = three_runs()
    randoms = random.Random(7)
    for _ in range(30):
        backend = copied(whole)
        for _ in range(3):
            key = randoms.choice(list(backend.list("packs/")))
            damage(
                backend, key, randoms.randrange(backend.stat(key).size), randoms.randrange(1, 256)
            )
        repaired(backend)
        repository = Repository(backend)
        for run in repository.state:
            if not run.lost:
                assert_whole(backend, {run.name: run.number})
