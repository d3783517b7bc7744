"""What a comparison looks at, gathered from a repository."""

from __future__ import annotations

import pytest
from making import FLOW, damage, finished, memory_repository, opening_of, whole_run

from mfv.compare import compare, side_of
from mfv.errors import CorruptError
from mfv.ids import BlobId, TaskId
from mfv.odb.packindex import key_of
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.memory import MemoryBackend


def run_with(repository: Repository, script: bytes, values: dict[str, object]) -> RunView:
    run = RunRecorder(repository, opening_of(script=script))
    run.commit([finished(repository.database, run, 1, values)])
    run.seal("ok", ended=1)
    return view(repository, run.number)


def view(repository: Repository, number: int) -> RunView:
    state = repository.state.find(FLOW, number)
    assert state is not None
    return RunView(repository, state)


def test_two_runs_of_the_same_code_and_values_do_not_differ() -> None:
    repository = memory_repository()
    runs = [run_with(repository, b"print(1)\n", {"value": [1, 2]}) for _ in range(2)]
    diff = compare(*runs)
    assert not diff
    assert (diff.before, diff.after) == ("TrainFlow/1", "TrainFlow/2")
    assert (diff.same.artifacts, diff.same.files, diff.same.packages) == (1, 1, 1)


def test_changed_code_and_values_are_told_under_the_step_that_made_them() -> None:
    repository = memory_repository()
    before = run_with(repository, b"a\nb\n", {"score": 1.5, "model": [1]})
    after = run_with(repository, b"a\nc\n", {"score": 2.0, "model": [1]})
    diff = compare(before, after)
    assert [change.name for change in diff.artifacts] == ["start/score"]
    assert diff.artifacts[0].difference == 0.5
    assert diff.files[0].hunks == ("@@ -1,2 +1,2 @@", " a", "-b", "+c")
    assert compare(after, before) == diff.inverse()


def test_runs_of_two_repositories_are_compared_too() -> None:
    before = run_with(memory_repository(), b"a\n", {"x": 1})
    after = run_with(memory_repository(), b"b\n", {"x": 1})
    assert compare(before, after).files[0].hunks == ("@@ -1 +1 @@", "-a", "+b")


def test_code_that_is_damaged_is_told_as_changed_without_its_lines() -> None:
    backend = MemoryBackend()
    repository = memory_repository(backend)
    run_with(repository, b"first\n" * 20, {})
    run_with(repository, b"second\n" * 20, {})
    (location,) = repository.database.index.find(BlobId.of(b"first\n" * 20))
    damage(backend, key_of(location.pack), location.record.offset)
    fresh = memory_repository(backend)
    (change,) = compare(view(fresh, 1), view(fresh, 2)).files
    assert (change.status, change.text) == ("changed", False)


def test_a_damaged_record_is_an_error_and_not_a_difference() -> None:
    backend = MemoryBackend()
    repository = memory_repository(backend)
    for _ in range(2):
        whole_run(repository, {"value": 1})
    record = TaskId(view(repository, 1).refs[0].manifest)
    (location,) = repository.database.index.find(record)
    damage(backend, key_of(location.pack), location.record.offset + 2)
    fresh = memory_repository(backend)
    with pytest.raises(CorruptError):
        compare(view(fresh, 1), view(fresh, 2))


def test_an_open_run_is_compared_as_far_as_it_came() -> None:
    repository = memory_repository()
    whole = run_with(repository, b"a\n", {"x": 1})
    run = RunRecorder(repository, opening_of(script=b"a\n"))
    side = side_of(view(repository, run.number))
    assert (side.status, side.artifacts, side.steps) == ("open", {}, {})
    diff = compare(whole, view(repository, run.number))
    assert diff.status is not None
    assert [change.after for change in diff.artifacts] == [None]
    run.seal("interrupted", ended=2)
