"""Storage that fails, or a process that stops, at any call of any operation that writes.

What was recorded stays, the operation has happened or has not, and to repeat it is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import pytest
from keeping import (
    NOW,
    add_pack,
    assert_holds,
    assert_well,
    commit,
    count_packs,
    maintain,
    open_run_of,
    payload,
    record,
)
from making import FLOW, MOMENT, memory_repository

from mfv.errors import StorageError
from mfv.maintain import gc, logarchive, repack, sweep
from mfv.maintain.retention import Policy
from mfv.repo import archive, trash
from mfv.repo.log import read_tip
from mfv.repo.names import RunState
from mfv.repo.operations import operations, undo
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository, note
from mfv.repo.view import RunView
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import ALL, WRITING, FailingBackend

KEPT = {1: 1, 2: 2}  # runs that no operation here touches the bytes of, and what they hold
REMOVED, DUE = 3, 4  # in the trash; one of them is to be swept
LEFT_OPEN = 5


@pytest.fixture(autouse=True)
def small_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of entries fills archives."""
    monkeypatch.setattr(archive, "SIZES", (2, 4, 8, 16))


class Operation(NamedTuple):
    """One thing that writes."""

    act: Callable[[Repository, Any], object]
    is_done: Callable[[Repository, Any], bool]
    prepare: Callable[[Repository], Any] = lambda repository: None
    # By a process that knows nothing: the same again, or what one does instead.
    again: Callable[[Repository], object] | None = None


def state_of(repository: Repository, number: int) -> RunState:
    found = repository.state.find(FLOW, number)
    assert found is not None
    return found


def is_tagged(repository: Repository, _: Any) -> bool:
    return "new" in state_of(repository, 1).tags


def open_number(repository: Repository, _: Any) -> bool:
    return repository.state.find(FLOW, LEFT_OPEN + 1) is not None


def begin(repository: Repository) -> RunRecorder:
    return open_run_of(repository, payload(70))


def commit_task(repository: Repository, run: RunRecorder) -> None:
    commit(repository, run, {1: {"data": payload(71), "small": 1, "known": payload(1)}})


def is_committed(repository: Repository, run: RunRecorder) -> bool:
    return bool(repository.tasks(state_of(repository, run.number)))


def seal(_: Repository, run: RunRecorder) -> None:
    run.seal("ok", ended=MOMENT)


def is_sealed(repository: Repository, run: RunRecorder) -> bool:
    return state_of(repository, run.number).status == "ok"


def seal_with_tasks(repository: Repository) -> RunRecorder:
    run = begin(repository)
    commit_task(repository, run)
    return run


def record_another(repository: Repository) -> None:
    record(repository, 80)


def sweep_all(repository: Repository, _: Any) -> None:
    planned = sweep.plan(repository, Policy(), grace=NOW)
    sweep.run(repository, planned, Policy(), grace=NOW)


def sweep_by_rule(repository: Repository, _: Any) -> None:
    rules = Policy(last=1)
    planned = sweep.plan(repository, rules, grace=3600)
    sweep.run(repository, planned, rules, grace=3600)


def is_left_by_rule(repository: Repository, _: Any) -> bool:
    return all(state_of(repository, number).in_trash for number in KEPT)


def collect(repository: Repository, _: Any) -> None:
    gc.run(repository, gc.plan(repository, grace=NOW), grace=NOW)


def is_collected(repository: Repository, _: Any) -> bool:
    planned = gc.plan(repository, grace=NOW)
    return not planned.doomed and not planned.leftover


def rewrite(repository: Repository, _: Any) -> None:
    repack.run(repository, repack.plan(repository, grace=NOW), grace=NOW)


def is_rewritten(repository: Repository, context: Any) -> bool:
    return not repack.plan(repository, grace=NOW).sources


def archive_log(repository: Repository, _: Any) -> None:
    logarchive.run(repository)


def is_archived(repository: Repository, _: Any) -> bool:
    planned = logarchive.plan(repository)
    return not planned.archives and not planned.entries and not planned.merged


def write_checkpoint(repository: Repository, _: Any) -> None:
    repository.log.catch_up()
    repository.log.write_checkpoint()


def is_checkpointed(repository: Repository, _: Any) -> bool:
    tip = read_tip(repository.backend)
    return tip is not None and tip.checkpoint == repository.state.number


def newest(repository: Repository) -> int:
    return operations(repository, 1)[0].number


def take_back(repository: Repository, number: int) -> None:
    undo(repository, number)


def undo_again(repository: Repository) -> None:
    undo(repository, newest(repository))


OPERATIONS = {
    "open a run": Operation(lambda r, _: begin(r), open_number),
    "commit tasks": Operation(commit_task, is_committed, begin, record_another),
    "seal": Operation(seal, is_sealed, seal_with_tasks, record_another),
    "tag": Operation(lambda r, _: r.tag(add=[(state_of(r, 1), "new")]), is_tagged),
    "untag": Operation(
        lambda r, _: r.tag(remove=[(state_of(r, 2), "best")]),
        lambda r, _: "best" not in state_of(r, 2).tags,
    ),
    "note": Operation(
        lambda r, _: note(r, state_of(r, 1), "seen"), lambda r, _: state_of(r, 1).note == "seen"
    ),
    "trash": Operation(
        lambda r, _: trash.remove(r, [state_of(r, 1)], reason="test"),
        lambda r, _: state_of(r, 1).in_trash,
    ),
    "restore": Operation(
        lambda r, _: trash.restore(r, [state_of(r, REMOVED)]),
        lambda r, _: not state_of(r, REMOVED).in_trash,
    ),
    "sweep": Operation(sweep_all, lambda r, _: state_of(r, REMOVED).swept),
    "sweep by rule": Operation(sweep_by_rule, is_left_by_rule),
    "drop": Operation(
        lambda r, _: trash.drop(RunView(r, state_of(r, DUE)), ["data"]),
        lambda r, _: state_of(r, DUE).dropped == ["data"],
    ),
    "undo": Operation(take_back, lambda r, number: newest(r) > number, newest, undo_again),
    "gc": Operation(collect, is_collected),
    "repack": Operation(rewrite, is_rewritten),
    "log archive": Operation(archive_log, is_archived),
    "checkpoint": Operation(write_checkpoint, is_checkpointed),
}


@pytest.fixture(scope="module")
def start() -> dict[str, bytes]:
    """The bytes of a repository in which every operation has something to do."""
    repository = memory_repository()
    for number in (*KEPT, REMOVED, DUE):
        record(repository, number)
    repository.tag(add=[(state_of(repository, 2), "best")])
    begin(repository)
    trash.remove(
        repository, [state_of(repository, one) for one in (REMOVED, DUE)], reason="by the test"
    )
    backend = repository.backend
    add_pack(backend, payload(1), payload(50))
    add_pack(backend, payload(71))
    return {key: backend.get(key) for key in backend.list("")}


class Stopped(BaseException):
    """Ends a process that was killed."""


def failed() -> BaseException:
    return StorageError("injected")


class Failure(NamedTuple):
    """One way in which a call goes wrong."""

    error: Callable[[], BaseException]
    happened: bool
    for_good: bool
    verbs: tuple[str, ...]

    @property
    def kills(self) -> bool:
        return self.error is Stopped


FAILURES = {
    f"{name}, {when}": Failure(error, when == "after", for_good, WRITING)
    for when in ("before", "after")
    for name, error, for_good in (
        ("fails once", failed, False),
        ("fails for good", failed, True),
        ("stops", Stopped, True),
    )
}
# What fails to read has nothing before and after. Many more calls read than write.
READING = {
    "reading fails once": Failure(failed, False, False, ALL),
    "reading fails for good": Failure(failed, False, True, ALL),
}


def attempts(
    start: dict[str, bytes], operation: Operation, failure: Failure, every: int
) -> Iterator[Attempt]:
    for at in count(every // 2, every):
        attempt = Attempt(start, operation, failure, at)
        yield attempt
        if not attempt.was_hit:
            return


class Attempt:
    """The operation on a repository of its own, whose n-th call goes wrong."""

    def __init__(
        self, start: dict[str, bytes], operation: Operation, failure: Failure, at: int
    ) -> None:
        self.backend = MemoryBackend()
        for key, data in start.items():
            self.backend.put(key, [data])
        self.operation, self.failure = operation, failure
        self.failing = FailingBackend(
            self.backend,
            -1,
            failure.error,
            happened=failure.happened,
            for_good=failure.for_good,
            verbs=failure.verbs,
        )
        self.failing.verbs = ()
        self.repository = Repository(self.failing, writer="ana@host")
        self.context = operation.prepare(self.repository)
        self.reader = Repository(self.backend)
        self.reader.log.catch_up()
        self.entries = self.reader.state.number
        self.failing.verbs, self.failing.at = failure.verbs, at
        self.trouble: BaseException | None = None
        try:
            operation.act(self.repository, self.context)
        except (StorageError, Stopped) as error:
            self.trouble = error
        self.was_hit = self.failing.calls > at
        self.failing.verbs = ()  # the cause is gone

    def is_done(self) -> bool:
        return self.operation.is_done(Repository(self.backend), self.context)

    def repeat(self) -> None:
        """By the same process where it lives on, then by another one, each as often as it likes."""
        operation = self.operation
        if not self.failure.kills and not self.is_done():
            operation.act(self.repository, self.context)
            assert self.is_done()
        fresh = Repository(self.backend, writer="eva@host")
        if operation.again is not None:
            operation.again(fresh)
        elif not self.is_done():
            operation.act(fresh, self.context)
            assert self.is_done()


def assert_kept(repository: Repository) -> None:
    for number, held in KEPT.items():
        assert_holds(repository, RunView(repository, state_of(repository, number)), held)


def assert_whole(attempt: Attempt) -> None:
    backend = attempt.backend
    assert_kept(attempt.reader)
    assert_kept(Repository(backend))
    assert_well(backend)
    if attempt.trouble is None:
        assert attempt.is_done(), "it said that it had succeeded"


def go_through(
    start: dict[str, bytes], operation: Operation, failure: Failure, every: int = 1
) -> int:
    """Every n, until the operation makes no n-th call; returns how many went wrong."""
    hits = 0
    for attempt in attempts(start, operation, failure, every):
        hits += attempt.was_hit
        assert_whole(attempt)
        attempt.repeat()
        assert_kept(attempt.reader)
        maintain(attempt.backend)
        assert_kept(Repository(attempt.backend))
        assert count_packs(attempt.backend) == 1, "something was left that nothing leads to"
        assert_well(attempt.backend)
    return hits


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_whatever_write_goes_wrong_nothing_is_lost_and_repeating_it_is_enough(
    start: dict[str, bytes], operation: Operation, failure: Failure
) -> None:
    hits = go_through(start, operation, failure)
    assert hits, "it wrote nothing, so nothing was tried"


@pytest.mark.parametrize("failure", READING.values(), ids=READING)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_whatever_cannot_be_read_meanwhile_is_not_taken_for_missing(
    start: dict[str, bytes], operation: Operation, failure: Failure, long: bool
) -> None:
    assert go_through(start, operation, failure, every=1 if long else 15) > 0
