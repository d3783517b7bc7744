"""Maintenance stopped at any call, beside anybody: what was reported stays, and nothing forks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interleave import Actor, play
from keeping import (
    NOW,
    add_pack,
    assert_holds,
    assert_well,
    assert_whole,
    count_packs,
    filled,
    maintain,
    payload,
    record,
)
from making import memory_repository

from mfv.maintain import gc, logarchive, repack
from mfv.repo import archive
from mfv.repo.archive import list_archives, list_entries, read_log
from mfv.repo.log import TIP, decode_entry
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import FailingBackend, Wrapper


@pytest.fixture(autouse=True)
def small_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of runs fills archives of every size."""
    monkeypatch.setattr(archive, "SIZES", (2, 4, 8, 16))


def copy_of(backend: Backend) -> MemoryBackend:
    copied = MemoryBackend()
    for key in backend.list(""):
        copied.put(key, [backend.get(key)])
    return copied


def littered() -> tuple[Backend, dict[str, int]]:
    """Runs, objects in several copies, and what no run needs, alone and beside what runs need."""
    backend, expected = filled(3)
    add_pack(backend, payload(1), payload(7), payload(-7))
    add_pack(backend, payload(8), payload(2), payload(-8))
    add_pack(backend, payload(9))
    return backend, expected


def assert_one_chain(backend: Backend) -> int:
    """Reads every entry from the first on; returns how many there are."""
    number, previous = 0, bytes(32)
    for number, data in read_log(backend):
        entry, seal = decode_entry(number, data)
        assert entry.previous == previous
        previous = bytes(seal)
    assert number == Repository(backend).state.number
    return number


def assert_maintained(backend: Backend, expected: dict[str, int]) -> None:
    """All is there; and one more maintenance, undisturbed, leaves what one always leaves."""
    assert_whole(backend, expected)
    assert_one_chain(backend)
    maintain(backend)
    for _ in range(2):
        assert_whole(backend, expected)
        assert_well(backend)
        assert count_packs(backend) == 1
        end = max(last for _, last in list_archives(backend))
        assert [number for number in list_entries(backend) if number <= end] == []
        for key in [TIP, *(key for key in backend.list("log/") if "checkpoint" in key)]:
            backend.delete(key)


@pytest.mark.parametrize("happened", [False, True], ids=["before", "after"])
def test_stopped_at_any_write_it_loses_nothing_and_the_next_one_finishes_it(
    happened: bool,
) -> None:
    start, expected = littered()
    at = 0
    while True:
        backend = copy_of(start)
        reader = Repository(backend)
        assert len(list(reader.state)) == 3
        failing = FailingBackend(backend, at, KeyboardInterrupt, happened=happened, for_good=True)
        try:
            maintain(failing)
        except KeyboardInterrupt:
            pass
        else:
            break
        # Who had it open before reads on, and a writer writes on.
        for state in reader.state:
            assert_holds(reader, RunView(reader, state), expected[state.name])
        name = record(memory_repository(backend), 7)
        assert_maintained(backend, {**expected, name: 7})
        at += 1
    assert at > 20, "otherwise it was hardly stopped anywhere"


class Beside(Wrapper):
    """Before every call that writes or lists, other processes read all and sometimes write."""

    def __init__(self, inner: Backend, expected: dict[str, int]) -> None:
        super().__init__(inner)
        self.expected = expected
        self.reader = Repository(inner)
        self.calls = 0

    def before(self, verb: str, key: str) -> None:
        if verb in ("get", "stat"):
            return  # to read on in a log that grows with every look would never end
        self.calls += 1
        if self.calls % 3 == 0 and len(self.expected) < 20:
            number = 7 + self.calls % 5
            self.expected[record(memory_repository(self.inner), number)] = number
        for state in self.reader.state:
            assert_holds(self.reader, RunView(self.reader, state), self.expected[state.name])


def test_readers_and_writers_beside_it_at_every_call_lose_nothing() -> None:
    backend, expected = littered()
    beside = Beside(backend, expected)
    maintain(beside)
    assert len(expected) > 10
    assert_maintained(backend, expected)


class Turns:
    """An order of turns out of a list of numbers; in order where that is at its end."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = iter(numbers)

    def __call__(self, count: int) -> int:
        return next(self._numbers, 0) % count


@contextlib.contextmanager
def sizes() -> Iterator[None]:
    """As the fixture, for each of many examples."""
    before = archive.SIZES
    archive.SIZES = (2, 4, 8, 16)  # type: ignore[assignment]
    try:
        yield
    finally:
        archive.SIZES = before


def writer(reported: dict[str, int], *numbers: int) -> Callable[[Backend], object]:
    def act(own: Backend) -> None:
        repository = Repository(own)
        for number in numbers:
            reported[record(repository, number)] = number

    return act


def reader(expected: dict[str, int]) -> Callable[[Backend], object]:
    def act(own: Backend) -> None:
        repository = Repository(own)
        for _ in range(2):
            for state in list(repository.state):
                if state.name in expected:
                    assert_holds(repository, RunView(repository, state), expected[state.name])
            assert repository.log.damaged == {}

    return act


def collect(own: Backend) -> None:
    repository = Repository(own)
    gc.run(repository, gc.plan(repository, grace=NOW), grace=NOW)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.integers(0, 5), max_size=500),
    st.integers(-1, 400),
    st.integers(0, 60),
)
def test_in_any_order_of_calls_nothing_reported_is_lost(
    turns: list[int], kill_at: int, sleeper_first: int
) -> None:
    """A writer that sleeps, one that does not, two repacks, a gc and a reader; one is killed."""
    with sizes():
        backend, expected = littered()
        first, reported = dict(expected), dict(expected)
        actors = [
            Actor(backend, "sleeper", writer(reported, 9)),
            Actor(backend, "writer", writer(reported, 7, 2, 8)),
            Actor(backend, "repack", maintain),
            Actor(backend, "second", maintain),
            Actor(backend, "gc", collect),
            Actor(backend, "reader", reader(first)),
        ]
        sleeper, rest = actors[0], actors[1:]
        sleeper.start()
        for _ in range(sleeper_first):
            if not sleeper.done:
                sleeper.step()
        play(rest, Turns(turns), kill_at)
        while not sleeper.done:
            sleeper.step()
        assert not sleeper.trouble, sleeper.trouble
        assert_whole(backend, reported)
        settle(backend, reported)


def settle(backend: Backend, reported: dict[str, int]) -> None:
    # A killed writer leaves a run open, whose opening needs packs of its own.
    assert_one_chain(backend)
    maintain(backend)
    assert_whole(backend, reported)
    assert_well(backend)
    assert count_packs(backend) == 1


def test_two_that_archive_and_two_that_repack_at_once_both_end() -> None:
    backend, expected = littered()
    for act in (repack_only, archive_only):
        play([Actor(backend, f"{n}", act) for n in range(2)], Turns([0, 1] * 500))
    assert_maintained(backend, expected)


def repack_only(own: Backend) -> None:
    repository = Repository(own)
    repack.run(repository, repack.plan(repository, grace=NOW), grace=NOW)


def archive_only(own: Backend) -> None:
    logarchive.run(Repository(own))
