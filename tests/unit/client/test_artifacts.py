"""Artifacts and `task.data`."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from making import FLOW, damage, finished, opening_of

from mfv.client import DataArtifact, MetaflowNotFound, Run, Task
from mfv.errors import CorruptError
from mfv.odb.packindex import key_of, list_packs
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository


def test_an_artifact_gives_its_value_back() -> None:
    artifact = DataArtifact("DemoFlow/1/end/10/report")
    assert artifact.data == {"total": 1400.0, "span": 800}
    assert artifact.finished_at == artifact.created_at == Task("DemoFlow/1/end/10").finished_at
    assert artifact.origin_pathspec is None


def test_equal_values_have_one_id_and_size() -> None:
    first, second = Run("DemoFlow/1")["start"].task, Run("DemoFlow/2")["start"].task
    assert first["items"].sha == second["items"].sha
    assert first["items"].size == second["items"].size > 0
    assert first["items"].sha != first["count"].sha
    assert len(first["items"].sha) == 64


def test_parameters_and_constants_are_artifacts_of_every_task() -> None:
    for step in Run("DemoFlow/1"):
        for task in step:
            assert (task.data.count, task.data.UNITS) == (3, "metres")
            assert {"count", "fail_at", "UNITS"} <= {artifact.id for artifact in task}


def test_data_has_the_values_as_attributes() -> None:
    data = Run("DemoFlow/1")["gather"].task.data
    assert data.squares == [100, 400, 900]
    assert "squares" in data
    assert "items" not in data  # a join inherits nothing
    assert "squares" in dir(data)
    assert repr(data) == "<MetaflowData: squares, count, fail_at, UNITS>"


def test_data_that_is_not_there_is_an_attribute_error_with_near_names() -> None:
    data = Run("DemoFlow/1")["gather"].task.data
    with pytest.raises(AttributeError, match="did you mean 'squares'"):
        _ = data.square
    assert not hasattr(data, "__deepcopy__")


def test_names_with_an_underscore_are_reachable_and_not_listed() -> None:
    task = Run("DemoFlow/1")["start"].task
    assert task.data._scratch == task["_scratch"].data == "not for show"
    assert "_scratch" in task
    assert "_scratch" in task.data
    assert "_scratch" not in [artifact.id for artifact in task]
    assert "_scratch" not in dir(task.data)
    assert "_scratch" not in repr(task.data)


def test_artifacts_are_a_named_tuple() -> None:
    artifacts = Run("DemoFlow/1")["gather"].task.artifacts
    assert artifacts._fields == ("squares", "count", "fail_at", "UNITS")
    assert artifacts.squares == DataArtifact("DemoFlow/1/gather/5/squares")
    assert [artifact.id for artifact in artifacts] == list(artifacts._fields)


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task that left names and values that few flows have."""
    repository = Repository.create(tmp_path / "odd")
    run = RunRecorder(repository, opening_of())
    values = {"class": 1, "a/b": 2, "text": "x" * 5000, "bad": threading.Lock(), "set": {1, 2}}
    run.commit([finished(repository.database, run, 1, values)])
    run.seal("ok", ended=0)
    monkeypatch.setenv("MFV_DIR", str(tmp_path / "odd"))
    return Task(f"{FLOW}/1/start/1")


def test_any_name_of_an_attribute_can_be_asked_for(odd: Task) -> None:
    assert odd["class"].data == getattr(odd.data, "class") == 1
    assert DataArtifact(f"{FLOW}/1/start/1/a/b") == odd["a/b"]
    assert odd["a/b"].data == 2
    assert len(odd.artifacts) == 4


def test_what_could_not_be_stored_says_why(odd: Task) -> None:
    with pytest.raises(MetaflowNotFound, match=r"was not stored: self\.bad.*lock"):
        odd["bad"]


def test_a_damaged_value_is_never_handed_out(odd: Task, tmp_path: Path) -> None:
    repository = Repository.open(tmp_path / "odd")
    (frame,) = odd["set"]._artifact.frames
    (copy, *_) = repository.database.index.find(frame.id)
    damage(repository.backend, key_of(copy.pack), copy.record.offset)
    assert copy.pack in list(list_packs(repository.backend))
    with pytest.raises(CorruptError):
        _ = odd["set"].data
    assert odd["class"].data == 1


LOOK = """
import sys
import threading
from mfv import DataArtifact, Flow, Metaflow, Run, Step, Task, namespace

namespace(None)
for flow in Metaflow():
    for run in flow:
        repr((run, run.tags, run.successful, run.finished_at, run.code.flowspec, run.code.info))
        for step in (*run, run["_parameters"]):
            repr((step.environment_info, step.finished_at, [*step.parent_steps, *step.child_steps]))
            for task in step:
                repr((task.stdout, task.stderr, task.exception, task.metadata, task.data))
                repr((task.artifacts, [*task.parent_tasks, *task.child_tasks]))
                repr([(artifact, artifact.size, artifact.sha) for artifact in task])
Run("DemoFlow/1").code.extract().cleanup()
scalars = Run("DemoFlow/1").data.total, Run("DemoFlow/1").data.UNITS
print([name for name in ("pickle", "_pickle", "mfv.serde.pickle5") if name in sys.modules])
values = Run("DemoFlow/1").data.report
print([name for name in ("pickle", "_pickle", "mfv.serde.pickle5") if name in sys.modules])
"""


def test_only_loading_a_value_imports_pickle() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    looking, loading = done.stdout.splitlines()
    assert looking == "[]"
    assert "mfv.serde.pickle5" in loading
