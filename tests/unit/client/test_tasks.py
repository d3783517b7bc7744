"""Tasks: how they went, what they printed, where they stand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from making import FLOW, finished, opening_of

from mfv.client import MetaflowNotFound, Run, Task, TaskError, default_namespace
from mfv.errors import UsageError
from mfv.manifest.records import Failure, Opening
from mfv.odb.writer import Writer
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository


def test_a_task_that_worked_is_successful_and_finished() -> None:
    task = Run("DemoFlow/1")["start"].task
    assert (task.successful, task.finished, task.exception) == (True, True, None)
    assert task.created_at <= task.finished_at  # type: ignore[operator]
    assert task.runtime_name == "dev"


def test_a_task_that_failed_says_why() -> None:
    task = Task("DemoFlow/2/work/3")
    assert (task.successful, task.finished) == (False, False)
    assert task.finished_at is not None
    assert isinstance(task.exception, TaskError)
    assert task.exception.type == "builtins.ValueError"
    assert task.exception.exception == "told to fail at work"
    assert task.exception.stacktrace.startswith("Traceback (most recent call last)")
    assert str(task.exception) == task.exception.stacktrace
    assert "told to fail" in task.stderr


def test_a_failure_without_a_traceback_tells_its_type_and_text() -> None:
    error = TaskError("killed", "out of memory", "")
    assert str(error) == "killed: out of memory"
    assert repr(error) == "TaskError('killed', 'out of memory')"


def test_a_failed_task_keeps_what_it_left_until_then() -> None:
    assert Task("DemoFlow/2/work/3").data.square == 400


def test_the_index_is_the_place_in_the_innermost_foreach() -> None:
    run = Run("DemoFlow/1")
    assert [task.index for task in run["work"]] == [2, 1, 0]
    assert run["gather"].task.index is None


def test_a_join_has_its_parents_in_the_order_of_the_split() -> None:
    run = Run("DemoFlow/1")
    parents = list(run["gather"].task.parent_tasks)
    assert [task.index for task in parents] == [0, 1, 2]
    assert list(run["meet"].task.parent_task_pathspecs) == [
        "DemoFlow/1/left/7",
        "DemoFlow/1/right/8",
    ]


def test_a_split_has_its_tasks_as_children() -> None:
    run = Run("DemoFlow/1")
    assert {task.index for task in run["start"].task.child_tasks} == {0, 1, 2}
    assert list(run["fork"].task.child_task_pathspecs) == [
        "DemoFlow/1/left/7",
        "DemoFlow/1/right/8",
    ]


def test_the_ends_of_a_flow_have_nothing_beyond() -> None:
    run = Run("DemoFlow/1")
    assert list(run["start"].task.parent_tasks) == []
    assert list(run["end"].task.child_tasks) == []


def test_the_output_of_a_task_is_its_text() -> None:
    task = Run("DemoFlow/1")["start"].task
    assert task.stdout == "first line\nzweite Zeile: äöü\n"
    assert task.stdout_size == len(task.stdout.encode())
    assert (task.stderr, task.stderr_size) == ("", 0)
    assert Task("DemoFlow/1/work/3").stderr == "item 20\n"


def test_lines_come_with_their_times_in_utc() -> None:
    task = Run("DemoFlow/1")["start"].task
    lines = list(task.loglines("stdout"))
    assert [line for _, line in lines] == ["first line", "zweite Zeile: äöü"]
    assert all(time.tzinfo is None for time, _ in lines)
    finished_at = task.finished_at
    assert finished_at is not None
    began = Run("DemoFlow/1").created_at.astimezone(UTC).replace(tzinfo=None)
    assert began <= lines[0][0] <= lines[1][0] <= datetime.now(UTC).replace(tzinfo=None)


def test_lines_come_as_bytes_where_asked_for() -> None:
    lines = [line for _, line in Run("DemoFlow/1")["start"].task.loglines("stdout", False)]
    assert lines == [b"first line", "zweite Zeile: äöü".encode()]


def test_another_stream_is_refused() -> None:
    with pytest.raises(UsageError, match="stdin"):
        list(Run("DemoFlow/1")["start"].task.loglines("stdin"))


def test_metadata_tells_about_the_process() -> None:
    task = Task("DemoFlow/1/work/3")
    facts = task.metadata_dict
    assert facts["user"] == "ana"
    assert facts["attempt"] == facts["exit_code"] == "0"
    assert facts["attempt_ok"] == "True"
    assert facts["foreach-execution-path"] == "work:1"
    assert facts["script-name"] == "demo.py"
    assert int(facts["pid"]) > 0
    assert "origin-run-id" not in facts
    first = task.metadata[0]
    assert (first.name, first.type, first.task) == ("attempt", "attempt", task)
    assert first.created_at == int(task.created_at.timestamp() * 1000)


def test_metadata_of_a_failed_task_says_so() -> None:
    assert Task("DemoFlow/2/work/3").metadata_dict["attempt_ok"] == "False"


@pytest.fixture
def retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task that failed, failed and then worked; each attempt left `tries`."""
    repository = Repository.create(tmp_path / "retried")
    run = RunRecorder(repository, opening_of())
    for attempt in range(3):
        one = finished(repository.database, run, 1, {"tries": attempt}, stdout=b"")
        failure = Failure("ValueError", f"no {attempt}", "") if attempt < 2 else None
        task = msgspec.structs.replace(
            one.task,
            attempt=attempt,
            started=one.task.started + 1000 * attempt,
            status="ok" if failure is None else "failed",
            failure=failure,
        )
        run.commit([one._replace(task=task, stdout=b"%016d try %d\n" % (task.started, attempt))])
    run.seal("ok", ended=task.ended)
    monkeypatch.setenv("MFV_DIR", str(tmp_path / "retried"))
    default_namespace()
    return Task(f"{FLOW}/1/start/1")


def test_the_newest_attempt_speaks_for_a_task(retried: Task) -> None:
    assert retried.current_attempt == 2
    assert retried.successful
    assert retried.data.tries == 2
    assert retried.stdout == "try 2\n"
    assert len(list(retried.parent)) == 1  # type: ignore[call-overload]


def test_an_earlier_attempt_speaks_where_it_is_asked_for(retried: Task) -> None:
    first = Task(retried.pathspec, attempt=0)
    assert (first.current_attempt, first.successful) == (0, False)
    assert first.data.tries == 0
    assert first["tries"].data == 0
    assert first.stdout == "try 0\n"
    assert first.exception is not None and first.exception.exception == "no 0"


def test_a_task_began_with_its_first_attempt(retried: Task) -> None:
    assert retried.created_at == Task(retried.pathspec, attempt=0).created_at
    assert retried.created_at < Task(retried.pathspec, attempt=1).created_at


def test_metadata_is_of_all_attempts_or_of_the_one_asked_for(retried: Task) -> None:
    def values(task: Task) -> list[str]:
        return [fact.value for fact in task.metadata if fact.name == "attempt"]

    assert values(retried) == ["0", "1", "2"]
    assert retried.metadata_dict["attempt_ok"] == "True"
    assert values(Task(retried.pathspec, attempt=1)) == ["1"]


@pytest.mark.parametrize("attempt", [3, -1, "first", ""])
def test_an_attempt_that_is_not_there_is_refused(retried: Task, attempt: object) -> None:
    with pytest.raises(MetaflowNotFound, match="attempt"):
        Task(retried.pathspec, attempt=attempt)  # type: ignore[arg-type]


def test_what_a_resumed_run_took_over_names_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository.create(tmp_path / "resumed")
    first = RunRecorder(repository, opening_of())
    one = finished(repository.database, first, 1, {"x": 1})
    first.commit([one])
    first.seal("failed", ended=one.task.ended)

    def opening(writer: Writer) -> Opening:
        return msgspec.structs.replace(opening_of()(writer), resumed_from=first.number)

    second = RunRecorder(repository, opening)
    taken = finished(repository.database, second, 3, {"x": 1})
    taken = taken._replace(task=msgspec.structs.replace(taken.task, origin=(first.number, 1)))
    second.commit([taken, finished(repository.database, second, 4, {"y": 2}, step="end")])
    second.seal("ok", ended=one.task.ended)
    monkeypatch.setenv("MFV_DIR", str(tmp_path / "resumed"))

    run = Run(f"{FLOW}/2")
    assert run.origin_pathspec == f"{FLOW}/1"
    assert run["start"].origin_pathspec == f"{FLOW}/1/start"
    assert run["start"].task.origin_pathspec == f"{FLOW}/1/start/1"
    assert run["start"].task["x"].origin_pathspec == f"{FLOW}/1/start/1/x"
    facts = run["start"].task.metadata_dict
    assert (facts["origin-run-id"], facts["origin-task-id"]) == ("1", "1")
    assert run["start"].task.pathspec == f"{FLOW}/2/start/3"
    assert run["end"].origin_pathspec is None
    assert run["end"].task.origin_pathspec is None
    assert Run(f"{FLOW}/1").origin_pathspec is None
