"""The log: dense numbers, one chain, damage told by name, and hints that are only hints."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from making import damage, memory_repository, open_run, opening_of, whole_run
from racing import race

from mfv.errors import CorruptError, NotFoundError
from mfv.ids import EntryId, PackId, Seal
from mfv.odb.pack import Receipt
from mfv.repo import log as log_module
from mfv.repo.archive import SIZES, key_of, list_entries
from mfv.repo.entries import Condemn, Entry, PackMade, TagRuns, Tasks
from mfv.repo.log import (
    CHECKPOINT_EVERY,
    TIP,
    CondemnedError,
    Log,
    Tip,
    checkpoint_key,
    decode_entry,
    encode_entry,
    read_checkpoint,
    read_tip,
    write_tip,
)
from mfv.repo.names import State
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.storage.base import Backend
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import CountingBackend, FailingBackend, Wrapper


def tagging(tag: str) -> TagRuns:
    return TagRuns((), (("Flow", 1, tag),))


def filled(count: int) -> MemoryBackend:
    """A backend whose log has `count` entries, each a tag named after its number."""
    backend = MemoryBackend()
    log = Log(backend, "ana@host")
    for number in range(1, count + 1):
        log.append(lambda _, number=number: tagging(f"t{number}"))  # type: ignore[misc]
    return backend


def tags(state: State) -> list[str]:
    run = state.find("Flow", 1)
    return [] if run is None else run.tags


def without_hints(backend: MemoryBackend) -> MemoryBackend:
    """A copy of the log's entries alone: neither tip nor checkpoints."""
    copy = MemoryBackend()
    for number in list_entries(backend):
        copy.put(key_of(number), [backend.get(key_of(number))])
    return copy


def test_an_empty_log_is_the_empty_state() -> None:
    state = Log(MemoryBackend()).catch_up()
    assert (state.number, state.head, list(state)) == (0, bytes(32), [])


def test_entries_are_numbered_densely_and_chained_by_their_seals() -> None:
    backend = filled(5)
    assert list_entries(backend) == [1, 2, 3, 4, 5]
    previous = bytes(32)
    for number in range(1, 6):
        entry, seal = decode_entry(number, backend.get(key_of(number)))
        assert (entry.number, entry.previous, entry.writer) == (number, previous, "ana@host")
        previous = bytes(seal)
    assert Log(backend).catch_up().head == previous


def test_an_entry_that_was_encoded_is_decoded() -> None:
    entry = Entry(3, bytes(32), 5, "ana@host", Condemn((bytes(16),)))
    data, seal = encode_entry(entry)
    assert decode_entry(3, data) == (entry, seal)


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 33])
def test_an_entry_cut_short_is_damaged(cut: int) -> None:
    data, _ = encode_entry(Entry(1, bytes(32), 5, "", Condemn(())))
    with pytest.raises(CorruptError, match="entry 1 is damaged"):
        decode_entry(1, data[:cut])


def test_a_flipped_bit_at_any_byte_of_an_entry_is_noticed() -> None:
    data, _ = encode_entry(Entry(1, bytes(32), 5, "ana@host", tagging("best")))
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        with pytest.raises(CorruptError):
            decode_entry(1, damaged)


def test_an_entry_under_another_number_is_refused() -> None:
    data, _ = encode_entry(Entry(1, bytes(32), 5, "", Condemn(())))
    with pytest.raises(CorruptError, match="entry 2 is entry 1 under another name"):
        decode_entry(2, data)


def test_an_entry_of_a_kind_that_is_not_known_is_refused_under_a_right_seal() -> None:
    entry = {"number": 1, "previous": bytes(32), "time": 1, "writer": "", "body": {"type": "new"}}
    body = msgspec.msgpack.encode(entry)
    with pytest.raises(CorruptError):
        decode_entry(1, body + EntryId.of(body))


def test_build_is_called_again_on_the_later_state_where_another_was_first() -> None:
    backend = filled(2)
    slow, fast = Log(backend), Log(backend)
    seen: list[int] = []

    def build(state: State) -> TagRuns:
        seen.append(state.number)
        if len(seen) == 1:
            fast.append(lambda _: tagging("in between"))
        return tagging("late")

    assert slow.append(build).number == 4
    assert seen == [2, 3]
    assert tags(Log(backend).catch_up()) == ["t1", "t2", "in between", "late"]


def test_eight_processes_that_append_at_once_leave_dense_numbers_and_lose_nothing(
    tmp_path: Path,
) -> None:
    def act(place: int) -> list[int]:
        log = Log(LocalBackend(tmp_path), f"p{place}")
        return [log.append(lambda _, i=i: tagging(f"{place}-{i}")).number for i in range(5)]  # type: ignore[misc]

    numbers = [number for won in race(8, act) for number in won]
    assert sorted(numbers) == list(range(1, 41))
    backend = LocalBackend(tmp_path)
    assert list_entries(backend) == list(range(1, 41))
    log = Log(backend)
    state = log.catch_up()
    assert sorted(tags(state)) == sorted(f"{place}-{i}" for place in range(8) for i in range(5))
    assert log.damaged == {}


def test_a_reader_that_is_open_sees_what_others_append() -> None:
    backend = filled(1)
    reader = Log(backend)
    assert tags(reader.catch_up()) == ["t1"]
    Log(backend).append(lambda _: tagging("later"))
    assert tags(reader.catch_up()) == ["t1", "later"]


def test_a_refusal_of_build_appends_nothing() -> None:
    backend = filled(1)

    def build(_: State) -> TagRuns:
        raise NotFoundError("no such run")

    with pytest.raises(NotFoundError):
        Log(backend).append(build)
    assert list_entries(backend) == [1]


def damaged_log(how: str) -> MemoryBackend:
    backend = filled(6)
    if how == "flipped":
        damage(backend, key_of(3), 10)
    elif how == "empty":
        backend.put(key_of(3), [b""])
    elif how == "missing":
        backend.delete(key_of(3))
    elif how == "another":
        backend.put(key_of(3), [backend.get(key_of(2))])
    else:
        forged = Entry(3, b"\x07" * 32, 5, "", tagging("forged"))
        backend.put(key_of(3), [encode_entry(forged)[0]])
    return backend


@pytest.mark.parametrize("how", ["flipped", "empty", "missing", "another", "another chain"])
@pytest.mark.parametrize("tip", [True, False])
def test_a_damaged_entry_costs_what_it_said_and_refuses_writing(how: str, tip: bool) -> None:
    backend = damaged_log(how)
    if not tip:
        backend.delete(TIP)
    log = Log(backend)
    state = log.catch_up()
    assert tags(state) == ["t1", "t2", "t4", "t5", "t6"]
    assert state.number == 6
    assert list(log.damaged) == [3]
    with pytest.raises(CorruptError, match=r"entry 3.*nothing can be written") as caught:
        log.append(lambda _: tagging("more"))
    assert caught.value.hint is not None
    assert len(list_entries(backend)) == (5 if how == "missing" else 6)


def test_two_damaged_entries_are_both_told() -> None:
    backend = filled(8)
    damage(backend, key_of(2), 10)
    damage(backend, key_of(3), 10)
    damage(backend, key_of(6), 10)
    log = Log(backend)
    assert tags(log.catch_up()) == ["t1", "t4", "t5", "t7", "t8"]
    assert sorted(log.damaged) == [2, 3, 6]


def test_a_chain_that_breaks_after_a_damaged_entry_is_noticed_again() -> None:
    backend = filled(6)
    damage(backend, key_of(2), 10)
    backend.put(key_of(5), [encode_entry(Entry(5, bytes(32), 1, "", tagging("forged")))[0]])
    log = Log(backend)
    assert "forged" not in tags(log.catch_up())
    assert sorted(log.damaged) == [2, 5]


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_a_tail_that_was_cut_off_is_noticed_by_the_tip(lost: int) -> None:
    backend = filled(5)
    for number in range(6 - lost, 6):
        backend.delete(key_of(number))
    log = Log(backend)
    state = log.catch_up()
    assert state.number == 5 - lost
    assert log.catch_up() is state
    (message,) = log.damaged.values()
    assert f"ends at entry {5 - lost}, but 5 was seen" in message
    with pytest.raises(CorruptError, match="nothing can be written"):
        log.append(lambda _: tagging("more"))
    assert list_entries(backend) == list(range(1, 6 - lost))


MANY = CHECKPOINT_EVERY * 2 + 7


@pytest.fixture(scope="module")
def long_log() -> MemoryBackend:
    return filled(MANY)


def copied(backend: MemoryBackend) -> MemoryBackend:
    copy = MemoryBackend()
    for key in backend.list(""):
        copy.put(key, [backend.get(key)])
    return copy


def test_a_checkpoint_is_written_every_so_often_and_only_the_last_is_kept(
    long_log: MemoryBackend,
) -> None:
    keys = [key for key in long_log.list("log/") if "checkpoint" in key]
    assert keys == [checkpoint_key(CHECKPOINT_EVERY * 2)]


def test_in_a_long_log_checkpoints_are_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "CHECKPOINT_EVERY", 4)
    backend = MemoryBackend()
    written: list[int] = []

    class Noting(Wrapper):
        def after(self, verb: str, key: str) -> None:
            if verb == "put" and "checkpoint" in key:
                written.append(int(key[-8:]))

    log = Log(Noting(backend))
    for number in range(300):
        log.append(lambda _, number=number: tagging(f"t{number}"))  # type: ignore[misc]
    gaps = [after - before for before, after in pairwise([0, *written])]
    assert gaps[:8] == [4] * 8
    assert all(gap == max(4, number // 8) for gap, number in zip(gaps, written, strict=True))
    assert sum(written) < 10 * 300, "all folds together are some times the last"


def test_a_checkpoint_holds_the_state_of_a_full_fold(long_log: MemoryBackend) -> None:
    half = MemoryBackend()
    for number in range(1, CHECKPOINT_EVERY * 2 + 1):
        half.put(key_of(number), [long_log.get(key_of(number))])
    assert read_checkpoint(long_log, CHECKPOINT_EVERY * 2) == Log(half).catch_up()


def test_a_reader_starts_from_the_checkpoint_and_reads_only_what_came_after(
    long_log: MemoryBackend,
) -> None:
    counting = CountingBackend(long_log)
    Log(counting).catch_up()
    # Tip, checkpoint, entries, the one that is not, and the archives where that might lie.
    assert counting.calls["get"] == 1 + 1 + 7 + 1 + len(SIZES)


def test_a_tip_set_back_by_one_who_slept_costs_no_reader_the_whole_log(
    long_log: MemoryBackend,
) -> None:
    backend = CountingBackend(copied(long_log))
    awake = Log(backend)
    expected = awake.catch_up()
    set_back = Tip(MANY - 60, CHECKPOINT_EVERY)  # a fold that is long gone
    write_tip(backend, set_back)
    backend.calls.clear()
    assert Log(backend).catch_up() == expected
    assert backend.calls["get"] < 30
    for log in (Log(backend), awake):
        number = log.append(lambda _: tagging("healed")).number
        assert read_tip(backend) == Tip(number, CHECKPOINT_EVERY * 2)
        write_tip(backend, set_back)


def test_deleting_tip_and_checkpoints_changes_no_answer(long_log: MemoryBackend) -> None:
    expected = Log(long_log).catch_up()
    assert len(tags(expected)) == MANY
    assert Log(without_hints(long_log)).catch_up() == expected
    for key in (TIP, checkpoint_key(CHECKPOINT_EVERY * 2)):
        backend = copied(long_log)
        backend.delete(key)
        log = Log(backend)
        assert log.catch_up() == expected
        assert log.append(lambda _: tagging("more")).number == MANY + 1


@pytest.mark.parametrize("at", [0, 100, -1])
def test_a_damaged_checkpoint_is_passed_over(long_log: MemoryBackend, at: int) -> None:
    backend = copied(long_log)
    damage(backend, checkpoint_key(CHECKPOINT_EVERY * 2), at)
    assert Log(backend).catch_up() == Log(long_log).catch_up()
    with pytest.raises(CorruptError):
        read_checkpoint(backend, CHECKPOINT_EVERY * 2)


def test_a_checkpoint_of_another_entry_is_passed_over(long_log: MemoryBackend) -> None:
    backend = copied(long_log)
    data = msgspec.msgpack.encode(State(number=5))
    backend.put(checkpoint_key(CHECKPOINT_EVERY * 2), [data, Seal.of(data)])
    assert Log(backend).catch_up() == Log(long_log).catch_up()


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x09" * 48, bytes(16) + b"\x01" * 32])
def test_a_torn_tip_is_passed_over(content: bytes) -> None:
    backend = filled(3)
    backend.put(TIP, [content])
    log = Log(backend)
    assert tags(log.catch_up()) == ["t1", "t2", "t3"]
    assert log.append(lambda _: tagging("t4")).number == 4


def test_hints_that_cannot_be_written_do_not_fail_the_commit() -> None:
    backend = filled(1)
    failing = FailingBackend(backend, 1, for_good=True)
    assert Log(failing).append(lambda _: tagging("t2")).number == 2
    assert tags(Log(backend).catch_up()) == ["t1", "t2"]


def test_a_pack_is_named_only_with_its_receipt() -> None:
    receipt = Receipt(PackId.new(), 100, Seal(bytes(32)))
    body = Tasks("Flow", 1, (), (PackMade.of(receipt),))
    backend = MemoryBackend()
    with pytest.raises(AssertionError):
        Log(backend).append(lambda _: body)
    with pytest.raises(AssertionError):
        Log(backend).append(lambda _: body, receipts=[receipt._replace(size=101)])
    assert list_entries(backend) == []
    Log(backend).append(lambda _: body, receipts=[receipt])
    assert list_entries(backend) == [1]


@pytest.mark.parametrize("role", ["receipts", "relied"])
def test_nothing_is_committed_on_a_pack_that_was_condemned(role: str) -> None:
    backend, pack = MemoryBackend(), PackId.new()
    slow = Log(backend)
    slow.catch_up()
    Log(backend).append(lambda _: Condemn((bytes(pack),)))
    given = {"receipts": [Receipt(pack, 1, Seal(bytes(32)))]} if role == "receipts" else {}
    relied = [] if role == "receipts" else [pack]
    with pytest.raises(CondemnedError) as caught:
        slow.append(lambda _: tagging("x"), relied=relied, **given)
    assert caught.value.packs == {pack}
    assert list_entries(backend) == [1]


def test_damage_before_a_checkpoint_is_behind_it() -> None:
    backend = filled(CHECKPOINT_EVERY + 2)
    damage(backend, key_of(3), 10)
    assert len(tags(Log(backend).catch_up())) == CHECKPOINT_EVERY + 2


def test_a_run_whose_opening_entry_is_damaged_still_lists_by_what_came_later() -> None:
    repository = memory_repository()
    whole_run(repository, {"x": 1})
    whole_run(repository, {"x": 2})
    backend: Backend = repository.backend
    damage(backend, key_of(1), 5)
    again = Repository(backend)
    runs = {run.number: run for run in again.state}
    assert sorted(runs) == [1, 2]
    assert again.opening(runs[1]).flow == "TrainFlow"
    with pytest.raises(CorruptError, match="nothing can be written"):
        RunRecorder(again, opening_of())
    assert open_run(memory_repository()).number == 1
