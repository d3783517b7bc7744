"""Archiving the log: few files are left, whatever their number before, and a fault stops it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import damage, memory_repository, whole_run

from mfv.maintain import logarchive
from mfv.maintain.fsck import fsck
from mfv.repo import archive
from mfv.repo.archive import archive_key, key_of, list_archives, list_entries
from mfv.repo.entries import TagRuns
from mfv.repo.log import CHECKPOINT_EVERY, TIP, Log, checkpoint_key, read_tip
from mfv.repo.repository import Repository
from mfv.storage.base import Backend

LEAST = archive.SIZES[0]


def filled(count: int) -> Repository:
    """A repository whose log has `count` entries."""
    repository = memory_repository()
    append(repository.backend, count)
    return repository


def append(backend: Backend, count: int) -> None:
    log = Log(backend)
    for _ in range(count):
        log.append(lambda state: TagRuns((), (("Flow", 1, f"t{state.number + 1}"),)))


def files(backend: Backend) -> list[str]:
    return [key.removeprefix("log/") for key in backend.list("log/")]


@pytest.mark.parametrize("count", [0, 1, LEAST - 1])
def test_a_short_log_is_left_as_it_is(count: int) -> None:
    repository = filled(count)
    before = files(repository.backend)
    done = logarchive.run(repository)
    assert (done.end, done.entries, done.archives, done.stopped) == (0, 0, 0, "")
    assert [name for name in files(repository.backend) if "checkpoint" not in name] == before


def test_entries_go_into_the_largest_archives_that_they_fill() -> None:
    repository = filled(600)
    planned = logarchive.plan(repository)
    assert (planned.end, planned.entries, planned.archives) == (592, 592, 7)
    assert logarchive.run(repository) == planned
    assert list_archives(repository.backend) == [
        (1, 256),
        (257, 512),
        *((first, first + 15) for first in range(513, 592, 16)),
    ]
    assert list_entries(repository.backend) == list(range(593, 601))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 90), min_size=1, max_size=8))
def test_however_often_it_runs_the_files_are_those_of_running_once(counts: list[int]) -> None:
    sizes = archive.SIZES
    archive.SIZES = (4, 16, 64, 256)  # type: ignore[assignment]
    try:
        often, once = memory_repository(), memory_repository()
        for count in counts:
            append(often.backend, count)
            logarchive.run(Repository(often.backend))
        append(once.backend, sum(counts))
        logarchive.run(Repository(once.backend))
        logs = [files(backend) for backend in (often.backend, once.backend)]
        hints = [[name for name in log if "checkpoint" in name] for log in logs]
        assert all(len(some) <= 1 for some in hints)
        entries = [set(log).difference(*hints) for log in logs]
        assert entries[0] == entries[1]
        assert len(entries[0]) <= 3 * 4 + 3 + 1
        assert Log(often.backend).catch_up().number == sum(counts)
    finally:
        archive.SIZES = sizes


def test_what_lies_in_archives_is_not_read_again_to_archive_more() -> None:
    repository = filled(256)
    logarchive.run(repository)
    append(repository.backend, LEAST)
    read: list[str] = []
    real = repository.backend.get

    def get(key: str, start: int = 0, length: int | None = None) -> bytes:
        data = real(key, start, length)
        read.append((key, len(data)))  # type: ignore[arg-type]
        return data

    again = Repository(repository.backend)
    repository.backend.get = get  # type: ignore[method-assign]
    done = logarchive.run(again)
    assert (done.archives, done.entries) == (1, LEAST)
    old = archive_key(1, 256)
    size = repository.backend.stat(old).size
    assert sum(length for key, length in read if key == old) < size / 4  # type: ignore[misc]


def test_readers_begin_behind_the_archives_and_old_checkpoints_go() -> None:
    repository = filled(CHECKPOINT_EVERY + 40)
    backend = repository.backend
    backend.put(checkpoint_key(7), [b"left by a writer that died"])
    logarchive.run(repository)
    tip = read_tip(backend)
    assert tip is not None
    assert tip.checkpoint == CHECKPOINT_EVERY + 40
    assert [name for name in files(backend) if "checkpoint" in name] == [
        checkpoint_key(tip.checkpoint).removeprefix("log/")
    ]


@pytest.mark.parametrize("how", ["flipped", "missing", "another chain"])
def test_a_damaged_entry_and_what_is_behind_it_stay_and_are_told(how: str) -> None:
    repository = filled(3 * LEAST)
    backend = repository.backend
    if how == "flipped":
        damage(backend, key_of(LEAST + 3), 10)
    elif how == "missing":
        backend.delete(key_of(LEAST + 3))
    else:
        other = memory_repository().backend
        append(other, LEAST + 2)
        Log(other).append(lambda _: TagRuns((), ()))
        backend.put(key_of(LEAST + 3), [other.get(key_of(LEAST + 3))])
    kept = {n: backend.get(key_of(n)) for n in list_entries(backend) if n > LEAST}
    done = logarchive.run(repository)
    assert done.end == LEAST
    assert str(LEAST + 3) in done.stopped or str(LEAST + 4) in done.stopped
    assert {n: backend.get(key_of(n)) for n in list_entries(backend)} == kept
    assert Log(backend).catch_up().number == 3 * LEAST
    told = Log(backend)
    told.catch_up()
    assert told.damaged, "no fold hides it from whoever reads the log next"


def test_nothing_is_deleted_under_an_archive_that_does_not_read_back() -> None:
    repository = filled(LEAST)
    backend = repository.backend
    kept = {n: backend.get(key_of(n)) for n in range(1, LEAST + 1)}
    logarchive.run(repository)
    for number, data in kept.items():
        backend.put(key_of(number), [data])  # as one that was stopped before it deleted
    damage(backend, archive_key(1, LEAST), -40)
    done = logarchive.run(Repository(backend))
    assert done.stopped == f"log entry {LEAST} is damaged"
    assert list_entries(backend) == list(range(1, LEAST + 1))


def test_fsck_follows_the_chain_through_archives_and_names_what_is_damaged() -> None:
    repository = memory_repository()
    for number in range(12):
        whole_run(repository, {"x": number})
    backend = repository.backend
    logarchive.run(repository)
    assert list_archives(backend) == [(1, 16), (17, 32)]
    report = fsck(Repository(backend), data=True)
    assert (report.findings, report.entries, report.runs) == ((), 36, 12)
    damage(backend, archive_key(17, 32), -40)
    messages = [finding.message for finding in fsck(Repository(backend)).findings]
    assert "log entry 32 is damaged" in messages
    damage(backend, archive_key(1, 16), 30)
    backend.delete(TIP)
    messages = [finding.message for finding in fsck(Repository(backend)).findings]
    assert "log entries 1 to 16 are missing" in messages
    assert "the log archive 1 to 16 is damaged" in messages
