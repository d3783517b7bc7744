"""Archives of the log: what they hold is read as before, and what was void stays void."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interleave import Actor, play
from making import damage

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError
from mfv.maintain import logarchive
from mfv.repo import archive
from mfv.repo import format as formats
from mfv.repo.archive import (
    archive_key,
    block_of,
    find_archive,
    key_of,
    list_archives,
    list_entries,
    put_archive,
    read_entry,
    read_log,
)
from mfv.repo.entries import TagRuns
from mfv.repo.log import TIP, Log, decode_entry
from mfv.repo.names import State
from mfv.repo.repository import Repository
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import CountingBackend, FailingBackend, Wrapper

LEAST = archive.SIZES[0]


def tagging(tag: str) -> TagRuns:
    return TagRuns((), (("Flow", 1, tag),))


def append(backend: Backend, *names: str) -> list[int]:
    """Appends a tag of each name; returns the numbers of the entries."""
    log = Log(backend, "ana@host")
    return [log.append(lambda _, name=name: tagging(name)).number for name in names]  # type: ignore[misc]


def filled(count: int) -> MemoryBackend:
    """A repository whose log has `count` entries, each a tag named after its number."""
    backend = MemoryBackend()
    formats.create(backend)
    append(backend, *(f"t{number}" for number in range(1, count + 1)))
    return backend


def fold(backend: Backend) -> tuple[int, list[str]]:
    """The number of entries and the tags, as a process says that has seen nothing before."""
    log = Log(backend)
    state = log.catch_up()
    assert log.damaged == {}
    return state.number, tags(state)


def tags(state: State) -> list[str]:
    run = state.find("Flow", 1)
    return [] if run is None else run.tags


def without_hints(backend: Backend) -> None:
    for key in [TIP, *(key for key in backend.list("log/") if "checkpoint" in key)]:
        backend.delete(key)


def archive_all(backend: Backend) -> logarchive.ArchivePlan:
    return logarchive.run(Repository(backend))


def chain(backend: Backend) -> list[int]:
    """The numbers of all entries, read one by one from the first; asserts that they are a chain."""
    numbers, previous = [], bytes(32)
    for number, data in read_log(backend):
        entry, seal = decode_entry(number, data)
        assert entry.previous == previous
        numbers.append(number)
        previous = bytes(seal)
    return numbers


@pytest.mark.parametrize("count", [0, 1, LEAST - 1, LEAST, LEAST + 1, 300])
def test_a_log_reads_as_before_from_its_archives_with_hints_and_without(count: int) -> None:
    backend = filled(count)
    before = fold(backend)
    archive_all(backend)
    assert fold(backend) == before
    without_hints(backend)
    assert fold(backend) == before
    assert chain(backend) == list(range(1, count + 1))


def test_an_archive_holds_the_bytes_of_its_entries_exactly() -> None:
    backend = filled(LEAST)
    single = {n: backend.get(key_of(n)) for n in range(1, LEAST + 1)}
    archive_all(backend)
    assert list_archives(backend) == [(1, LEAST)]
    assert list_entries(backend) == []
    assert {n: read_entry(backend, n) for n in single} == single


def test_a_reader_with_a_checkpoint_reads_no_archive() -> None:
    backend = filled(300)
    archive_all(backend)
    found: list[str] = []

    class Noting(Wrapper):
        def after(self, verb: str, key: str) -> None:
            found.append(key)  # a call that finds nothing raises before it comes here

    assert fold(Noting(backend)) == fold(backend)
    assert [key for key in found if key.startswith("log/")]
    assert not [key for key in found if "archive" in key]


def test_a_reader_that_was_open_before_reads_on_through_the_archives() -> None:
    backend = filled(5)
    reader = Log(backend)
    reader.catch_up()
    append(backend, *(f"later{n}" for n in range(60)))
    archive_all(backend)
    append(backend, "last")
    assert (reader.catch_up().number, tags(reader.state)) == fold(backend)
    assert reader.damaged == {}


def test_an_append_asks_four_names_whether_its_number_is_archived() -> None:
    backend = filled(3)
    log = Log(backend)
    log.catch_up()
    counting = CountingBackend(backend)
    log._backend = counting
    log.append(lambda _: tagging("more"))
    # Reading on: the tip, the next entry, its archives. After creating: its archives.
    assert counting.calls["get"] == 2 + 2 * len(archive.SIZES)
    assert counting.calls["list"] == counting.calls["stat"] == 0


class AppendedBeforeAList(Wrapper):
    """Two entries come while somebody is about to list the log, having found its end."""

    came = 0

    def before(self, verb: str, key: str) -> None:
        if verb == "list" and key == "log/" and self.came < 6:
            self.came += 2
            append(self.inner, f"a{self.came}", f"b{self.came}")


def test_entries_that_come_while_the_log_is_read_are_not_taken_for_missing() -> None:
    backend = AppendedBeforeAList(filled(5))
    assert chain(backend) == list(range(1, 12))


class AtCreate(Wrapper):
    """Does something before an entry is created: the writer sleeps between reading and writing."""

    def __init__(self, inner: Backend, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self.act: Callable[[], object] | None = act

    def before(self, verb: str, key: str) -> None:
        if verb == "create" and self.act is not None:
            act, self.act = self.act, None
            act()


@pytest.mark.parametrize("before", [0, 1, LEAST - 1, LEAST, LEAST + 1, 2 * LEAST - 1])
@pytest.mark.parametrize("meanwhile", [1, LEAST - 1, LEAST, LEAST + 1, 17 * LEAST])
def test_a_writer_that_slept_while_its_number_was_archived_appends_at_the_real_end(
    before: int, meanwhile: int
) -> None:
    backend = filled(before)

    def others() -> None:
        append(backend, *(f"m{n}" for n in range(meanwhile)))
        archive_all(backend)

    seen: list[int] = []

    def build(state: State) -> TagRuns:
        seen.append(state.number)
        return tagging("slept")

    entry = Log(AtCreate(backend, others)).append(build)
    assert entry.number == before + meanwhile + 1
    assert seen == [before, before + meanwhile]
    assert fold(backend) == (entry.number, [*fold(filled(before))[1], *names(meanwhile), "slept"])
    assert chain(backend) == list(range(1, entry.number + 1))
    end = max((last for _, last in list_archives(backend)), default=0)
    assert not [number for number in list_entries(backend) if number <= end]


def names(count: int) -> list[str]:
    return [f"m{n}" for n in range(count)]


def test_a_writer_that_slept_after_creating_its_entry_finds_it_in_the_archive() -> None:
    backend = filled(LEAST - 2)

    class AfterCreate(Wrapper):
        def after(self, verb: str, key: str) -> None:
            if verb == "create":
                append(backend, *names(LEAST))
                archive_all(backend)

    entry = Log(AfterCreate(backend)).append(lambda _: tagging("mine"))
    assert entry.number == LEAST - 1
    assert fold(backend)[1].count("mine") == 1
    assert fold(backend)[0] == 2 * LEAST - 1


def test_an_entry_that_a_dead_writer_left_below_the_archived_end_counts_for_nobody() -> None:
    backend = filled(7)
    reader = Log(backend)
    reader.catch_up()
    expected = None

    def others() -> None:
        append(backend, *names(LEAST))
        archive_all(backend)

    class Dies(AtCreate):
        def after(self, verb: str, key: str) -> None:
            if verb == "create":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Log(Dies(backend, others)).append(lambda _: tagging("void"))
    assert list_entries(backend)[0] == 8, "it lies where another entry was archived"
    expected = (7 + LEAST, [f"t{n}" for n in range(1, 8)] + names(LEAST))
    assert fold(backend) == expected
    assert (reader.catch_up().number, tags(reader.state)) == expected
    assert chain(backend) == list(range(1, 8 + LEAST))
    assert append(backend, "next") == [8 + LEAST]
    archive_all(backend)
    assert 8 not in list_entries(backend)
    without_hints(backend)
    assert "void" not in fold(backend)[1]


def test_an_entry_created_under_a_damaged_archive_is_not_reported() -> None:
    backend = filled(3)

    def others() -> None:
        append(backend, *names(LEAST))
        archive_all(backend)
        damage(backend, archive_key(1, LEAST), 30)

    with pytest.raises(CorruptError, match=f"log archive 1 to {LEAST} is damaged"):
        Log(AtCreate(backend, others)).append(lambda _: tagging("x"))


def test_every_byte_before_the_entries_is_under_the_seal() -> None:
    backend = filled(LEAST)
    archive_all(backend)
    key = archive_key(1, LEAST)
    whole = backend.get(key)
    for at in range(24 + 4 * LEAST + 32):
        if at == 7:
            continue  # the version: below
        damage(backend, key, at, 1 << at % 8)
        found = find_archive(backend, 1)
        assert found is not None
        assert found.trouble == f"the log archive 1 to {LEAST} is damaged"
        backend.put(key, [whole])


@pytest.mark.parametrize("length", [0, 1, 23, 24, 87, 119])
def test_an_archive_cut_before_its_entries_is_damaged(length: int) -> None:
    backend = filled(LEAST)
    archive_all(backend)
    key = archive_key(1, LEAST)
    backend.put(key, [backend.get(key)[:length]])
    found = find_archive(backend, 5)
    assert found is not None
    with pytest.raises(CorruptError, match="is damaged"):
        found.read(5)
    with pytest.raises(CorruptError, match="is damaged"):
        next(found.read_from(5))


def test_a_later_version_of_an_archive_is_refused_by_name() -> None:
    backend = filled(LEAST)
    archive_all(backend)
    damage(backend, archive_key(1, LEAST), 7, 2)
    without_hints(backend)
    with pytest.raises(FormatTooNewError, match=f"log archive 1 to {LEAST} has version 3"):
        Log(backend).catch_up()


@pytest.mark.parametrize("how", ["table", "entry", "cut", "missing", "another"])
def test_a_damaged_archive_costs_what_it_held_and_refuses_writing(how: str) -> None:
    backend = filled(3 * LEAST + 2)
    archive_all(backend)
    without_hints(backend)
    key = archive_key(LEAST + 1, 2 * LEAST)
    lost = set(range(LEAST + 1, 2 * LEAST + 1))
    if how == "table":
        damage(backend, key, 40)
    elif how == "entry":
        damage(backend, key, 24 + 4 * LEAST + 32 + 5)
        lost = {LEAST + 1}
    elif how == "cut":
        backend.put(key, [backend.get(key)[:-1]])
        lost = {2 * LEAST}
    elif how == "missing":
        backend.delete(key)
    else:
        backend.put(key, [backend.get(archive_key(1, LEAST))])
    log = Log(backend)
    state = log.catch_up()
    assert state.number == 3 * LEAST + 2
    assert tags(state) == [f"t{n}" for n in range(1, state.number + 1) if n not in lost]
    assert len(log.damaged) == 1
    with pytest.raises(CorruptError, match="nothing can be written"):
        log.append(lambda _: tagging("more"))


def test_names_that_are_no_archives_are_passed_over() -> None:
    backend = filled(2)
    for name in ("archive-1-16", "archive-00000001-x", "archive-", "archive-00000001", "archive"):
        backend.put(f"log/{name}", [b"what"])
    assert list_archives(backend) == []
    assert fold(backend) == (2, ["t1", "t2"])


def test_an_entry_that_is_nowhere_is_not_found() -> None:
    backend = filled(2)
    with pytest.raises(NotFoundError, match="there is no log entry 3"):
        read_entry(backend, 3)


@given(st.integers(1, 1 << 40))
def test_an_entry_has_one_block_of_each_size_and_the_larger_hold_the_smaller(number: int) -> None:
    blocks = [block_of(number, size) for size in archive.SIZES]
    assert all(first <= number <= last for first, last in blocks)
    for (first, last), (start, end) in pairwise(blocks):
        assert start <= first <= last <= end


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=LEAST, max_size=LEAST))
def test_what_is_put_into_an_archive_comes_out(entries: list[bytes]) -> None:
    backend = MemoryBackend()
    put_archive(backend, 1, [len(one) for one in entries], entries)
    found = find_archive(backend, 1)
    assert found is not None
    assert list(found.read_from(1)) == entries
    assert [found.read(n) for n in range(1, LEAST + 1)] == entries


def test_a_long_archive_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_READ", 300)
    backend = filled(LEAST)
    archive_all(backend)
    without_hints(backend)
    counting = CountingBackend(backend)
    assert fold(counting) == (LEAST, [f"t{n}" for n in range(1, LEAST + 1)])
    assert counting.calls["get"] > LEAST / 2


@pytest.mark.parametrize("happened", [False, True])
def test_archiving_that_fails_at_any_write_is_finished_by_the_next(happened: bool) -> None:
    count = 2 * LEAST + 3
    at = 0
    while True:
        backend = filled(count)
        expected = fold(backend)
        failing = FailingBackend(backend, at, KeyboardInterrupt, happened=happened, for_good=True)
        try:
            archive_all(failing)
        except KeyboardInterrupt:
            pass
        else:
            break
        assert fold(backend) == expected
        assert append(backend, "more") == [count + 1]
        archive_all(backend)
        without_hints(backend)
        assert fold(backend) == (count + 1, [*expected[1], "more"])
        assert len(list_archives(backend)) == 2
        assert len(list_entries(backend)) == 4
        at += 1
    assert at > 2 * LEAST


class Beside(Wrapper):
    """Before every call that writes or lists, another process writes, and one reads."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.appended: list[int] = []
        self.reader = Log(inner)

    def before(self, verb: str, key: str) -> None:
        if verb == "get":
            return  # to read on in a log that grows with every look would never end
        number = len(self.appended)
        self.appended += append(self.inner, f"b{number}")
        assert tags(self.reader.catch_up())[-1] == f"b{number}"
        assert self.reader.damaged == {}


def test_archiving_beside_a_writer_and_a_reader_at_every_call_loses_nothing() -> None:
    backend = filled(2 * LEAST + 1)
    beside = Beside(backend)
    archive_all(beside)
    assert len(beside.appended) > 2 * LEAST
    assert beside.appended == list(range(2 * LEAST + 2, 2 * LEAST + 2 + len(beside.appended)))
    without_hints(backend)
    assert fold(backend)[0] == beside.appended[-1]
    assert chain(backend) == list(range(1, beside.appended[-1] + 1))


class Turns:
    """An order of turns out of a list of numbers; in order where that is at its end."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = iter(numbers)

    def __call__(self, count: int) -> int:
        return next(self._numbers, 0) % count


def check_interleaving(
    before: int, turns: Callable[[int], int], kill_at: int, sleeper_first: int
) -> None:
    """Three writers, two that archive and a reader, in one order: nothing lost, nothing forked."""
    backend = filled(before)
    reported: dict[str, int] = {}

    def write(name: str, count: int) -> Callable[[Backend], object]:
        def act(own: Backend) -> None:
            log = Log(own, name)
            for number in range(count):
                tag = f"{name}{number}"
                entry = log.append(lambda _, tag=tag: tagging(tag))  # type: ignore[misc]
                reported[tag] = entry.number

        return act

    def read(own: Backend) -> None:
        log = Log(own)
        for _ in range(3):
            state = log.catch_up()
            assert log.damaged == {}
            assert len(tags(state)) == state.number

    actors = [
        Actor(backend, "sleeper", write("s", 1)),
        Actor(backend, "busy", write("b", 6)),
        Actor(backend, "other", write("o", 2)),
        Actor(backend, "archiver", lambda own: logarchive.run(Repository(own))),
        Actor(backend, "second", lambda own: logarchive.run(Repository(own))),
        Actor(backend, "reader", read),
    ]
    # The sleeper goes so far, and then sleeps until all others are done.
    sleeper, rest = actors[0], actors[1:]
    sleeper.start()
    for _ in range(sleeper_first):
        if not sleeper.done:
            sleeper.step()
    play(rest, turns, kill_at)
    while not sleeper.done:
        sleeper.step()
    assert not sleeper.trouble, sleeper.trouble
    for _ in range(2):
        number, found = fold(backend)
        assert len(found) == len(set(found)) == number
        assert all(found[at - 1] == tag for tag, at in reported.items())
        assert chain(backend) == list(range(1, number + 1))
        without_hints(backend)
        archive_all(backend)
    end = max((last for _, last in list_archives(backend)), default=0)
    assert not [one for one in list_entries(backend) if one <= end]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 5),
    st.lists(st.integers(0, 4), max_size=250),
    st.integers(-1, 120),
    st.integers(0, 30),
)
def test_in_any_order_of_calls_nothing_reported_is_lost_and_the_log_never_forks(
    before: int, turns: list[int], kill_at: int, sleeper_first: int
) -> None:
    sizes = archive.SIZES
    archive.SIZES = (2, 4, 8, 16)  # type: ignore[assignment]
    try:
        check_interleaving(before, Turns(turns), kill_at, sleeper_first)
    finally:
        archive.SIZES = sizes
