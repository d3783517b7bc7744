"""Runs and their steps, in every state that a run can be in."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flowruns import Project
from making import FLOW, open_run

from mfv._version import __version__
from mfv.client import Flow, MetaflowNotFound, Run, Step, Task, namespace
from mfv.repo.repository import Repository


def test_a_run_that_reached_its_end_is_finished_and_has_data() -> None:
    run = Run("DemoFlow/1")
    assert (run.status, run.successful, run.finished) == ("ok", True, True)
    assert run.end_task == Task("DemoFlow/1/end/10")
    assert run.data is not None
    assert run.data.total == 1400.0
    assert run.finished_at == run.end_task.finished_at


def test_a_run_that_failed_on_the_way_has_no_end() -> None:
    run = Run("DemoFlow/2")
    assert (run.status, run.successful, run.finished) == ("failed", False, False)
    assert (run.end_task, run.data, run.finished_at) == (None, None, None)
    assert [step.id for step in run] == ["work", "start"]


def test_a_run_that_failed_in_its_last_step_has_what_that_left() -> None:
    namespace(None)
    run = Run("DemoFlow/3")
    assert (run.successful, run.finished) == (False, False)
    assert run.end_task == Task("DemoFlow/3/end/10")
    assert run.data is not None
    assert run.data.total == 1400.0


def test_the_times_of_a_run_follow_each_other() -> None:
    run = Run("DemoFlow/1")
    times = [run.created_at, run["start"].created_at]
    for name in ("work", "gather", "end"):
        times += [run[name].created_at, run[name].finished_at]  # type: ignore[list-item]
    assert times == sorted(times)
    assert times[0].tzinfo is None
    assert times[-1] <= datetime.now()


def test_a_run_has_the_systems_tags() -> None:
    run = Run("DemoFlow/1")
    python = run.code.info["python_version"]
    created = run.created_at.astimezone(UTC)
    assert run.system_tags == {
        "user:ana",
        "runtime:dev",
        f"python_version:{python}",
        f"mfv_version:{__version__}",
        f"date:{created:%Y-%m-%d}",
    }


def test_parameters_are_a_step_that_is_not_listed() -> None:
    run = Run("DemoFlow/1")
    step = run["_parameters"]
    assert "_parameters" in run
    assert step not in list(run)
    assert step == Step("DemoFlow/1/_parameters")
    assert [task.pathspec for task in step] == ["DemoFlow/1/_parameters/0"]
    assert {artifact.id for artifact in step.task} == {"count", "fail_at", "UNITS"}
    assert (step.task.data.count, step.task.data.UNITS) == (3, "metres")
    assert (step.task.successful, step.task.finished, step.task.exception) == (True, True, None)
    assert list(step.parent_steps) == list(step.child_steps) == []
    assert step.created_at == step.finished_at == run.created_at
    assert step.origin_pathspec is None


def test_steps_know_what_leads_to_them_and_where_they_lead() -> None:
    run = Run("DemoFlow/1")
    assert [step.id for step in run["start"].parent_steps] == []
    assert [step.id for step in run["fork"].child_steps] == ["left", "right"]
    assert [step.id for step in run["meet"].parent_steps] == ["left", "right"]
    assert [step.id for step in run["end"].child_steps] == []


def test_a_step_leads_only_to_steps_that_were_run() -> None:
    assert list(Run("DemoFlow/2")["work"].child_steps) == []


def test_a_step_that_was_not_reached_is_refused_with_the_reason() -> None:
    with pytest.raises(MetaflowNotFound, match="no finished task"):
        Step("DemoFlow/2/gather")


def test_steps_and_tasks_are_filtered_by_the_runs_tags() -> None:
    run = Run("DemoFlow/1")
    assert list(run.steps("baseline")) == list(run.steps()) == list(run)
    assert list(run.steps("other")) == []
    assert list(run["work"].tasks("team:prod")) == list(run["work"])
    assert list(run["work"].tasks("other")) == []


def test_a_step_is_over_when_its_last_task_is() -> None:
    step = Run("DemoFlow/1")["work"]
    assert step.task == Task("DemoFlow/1/work/4")
    assert step.created_at == min(task.created_at for task in step)
    ends = [task.finished_at for task in step if task.finished_at is not None]
    assert step.finished_at == max(ends)


def test_the_environment_of_a_step_names_machine_and_packages() -> None:
    info = Run("DemoFlow/1")["work"].environment_info
    assert info["system"] == os.uname().sysname
    assert info["packages"]["msgspec"]
    assert info == Run("DemoFlow/1")["start"].task.environment_info


def test_a_run_of_which_no_task_finished_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_run(Repository.create(tmp_path / "empty")).seal("crashed", ended=0)
    monkeypatch.setenv("MFV_DIR", str(tmp_path / "empty"))
    run = Run(f"{FLOW}/1")
    assert list(run) == []
    assert (run.status, run.finished, run.end_task) == ("crashed", False, None)
    assert run.origin_pathspec is None
    assert run["_parameters"].task.finished


def test_an_open_run_can_be_watched_until_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "watched")
    process, _ = project.start_waiting()
    monkeypatch.setenv("MFV_DIR", str(project.repository))
    run = Run("WaitingFlow/1")
    assert (run.status, run.successful, run.finished) == ("open", False, False)
    assert (run.end_task, run.data, run.finished_at) == (None, None, None)
    assert [step.id for step in run] == ["start"]
    assert run["start"].task.data.before == "kept"
    assert "wait" not in run
    assert Flow("WaitingFlow").latest_run == run

    project.let_go()
    assert process.wait() == 0
    assert (run.status, run.successful, run.finished) == ("ok", True, True)
    assert [step.id for step in run] == ["end", "wait", "start"]
    assert run.data is not None
    assert run.data.after == "reached"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, "interrupted"), (signal.SIGKILL, "crashed")]
)
def test_a_run_that_was_ended_keeps_what_it_had(
    number: signal.Signals, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "ended")
    process, task = project.start_waiting()
    process.send_signal(number)
    if number == signal.SIGKILL:
        os.kill(task, signal.SIGKILL)  # nobody is left to stop it
    process.communicate()
    monkeypatch.setenv("MFV_DIR", str(project.repository))
    run = Run("WaitingFlow/1")
    assert (run.status, run.successful, run.finished) == (status, False, False)
    assert (run.end_task, run.data, run.finished_at) == (None, None, None)
    assert run["start"].task.data.before == "kept"
    assert Flow("WaitingFlow").latest_successful_run is None
