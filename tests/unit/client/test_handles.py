"""What flows, runs, steps, tasks and artifacts have in common."""

from __future__ import annotations

import copy
import os
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import mfv
from mfv.client import (
    DataArtifact,
    Flow,
    Metaflow,
    MetaflowInvalidPathspec,
    MetaflowNotFound,
    Run,
    Step,
    Task,
    namespace,
)
from mfv.client.base import MetaflowObject
from mfv.client.place import Place

PATHS = [
    "DemoFlow",
    "DemoFlow/1",
    "DemoFlow/1/work",
    "DemoFlow/1/work/3",
    "DemoFlow/1/work/3/square",
]
KINDS: list[type[MetaflowObject]] = [Flow, Run, Step, Task, DataArtifact]
HANDLES = list(zip(KINDS, PATHS, strict=True))


@pytest.mark.parametrize(("kind", "path"), HANDLES)
def test_a_handle_has_the_pathspec_that_it_was_made_with(
    kind: type[MetaflowObject], path: str
) -> None:
    handle = kind(path)
    assert handle.pathspec == path
    assert handle.path_components == path.split("/")
    assert handle.id == path.split("/")[-1]


@pytest.mark.parametrize(("kind", "path"), HANDLES)
def test_a_repr_can_be_pasted(kind: type[MetaflowObject], path: str) -> None:
    handle = kind(path)
    assert repr(handle) == f"{kind.__name__}({path!r})"
    assert eval(repr(handle), vars(mfv) | {kind.__name__: kind}) == handle


def test_the_repr_of_one_attempt_can_be_pasted() -> None:
    task = Task("DemoFlow/1/work/3", attempt=0)
    assert repr(task) == "Task('DemoFlow/1/work/3', attempt=0)"
    assert repr(task["square"]) == "DataArtifact('DemoFlow/1/work/3/square', attempt=0)"
    assert eval(repr(task)) == task != Task("DemoFlow/1/work/3")


def test_the_public_names_are_those_of_the_client() -> None:
    import mfv.client

    names = ["Metaflow", *(kind.__name__ for kind in KINDS)]
    names += ["namespace", "get_namespace", "default_namespace"]
    names += ["metadata", "get_metadata", "default_metadata"]
    for name in names:
        assert getattr(mfv, name) is getattr(mfv.client, name)


@pytest.mark.parametrize(("kind", "path"), HANDLES)
def test_handles_on_the_same_thing_are_equal(kind: type[MetaflowObject], path: str) -> None:
    assert kind(path) == kind(path)
    assert len({kind(path), kind(path)}) == 1
    assert kind(path) != path


def test_handles_on_different_things_differ() -> None:
    run = Run("DemoFlow/1")
    assert run != Run("DemoFlow/2")
    assert run["work"] != run["start"]
    assert run["work"] != Run("DemoFlow/2")["work"]


def test_the_same_name_in_another_repository_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from making import FLOW, whole_run

    from mfv.repo.repository import Repository

    runs = []
    for place in (tmp_path / "a", tmp_path / "b"):
        whole_run(Repository.create(place), {"x": 1})
        monkeypatch.setenv("MFV_DIR", str(place))
        runs.append(Run(f"{FLOW}/1"))
    assert runs[0] != runs[1]


@pytest.mark.parametrize(("kind", "path"), HANDLES[1:])
def test_the_parent_is_the_handle_one_part_up(kind: type[MetaflowObject], path: str) -> None:
    above = path.rpartition("/")[0]
    (kind_above,) = (other for other, place in HANDLES if place == above)
    assert kind(path).parent == kind_above(above)


def test_a_flow_has_no_parent() -> None:
    assert Flow("DemoFlow").parent is None


def test_the_parent_of_an_attempts_artifact_is_that_attempt() -> None:
    artifact = DataArtifact("DemoFlow/1/work/3/square", attempt=0)
    assert artifact.parent == Task("DemoFlow/1/work/3", attempt=0)
    assert artifact.parent.parent == Step("DemoFlow/1/work")


def test_children_come_newest_first() -> None:
    assert [run.id for run in Flow("DemoFlow")] == ["4", "2", "1"]  # 3 is ben's
    steps = ["end", "meet", "right", "left", "fork", "gather", "work", "start"]
    assert [step.id for step in Run("DemoFlow/1")] == steps
    assert [task.id for task in Step("DemoFlow/1/work")] == ["4", "3", "2"]


def test_a_child_is_found_by_its_id() -> None:
    artifact = Metaflow()["DemoFlow"]["1"]["work"]["3"]["square"]
    assert artifact == DataArtifact("DemoFlow/1/work/3/square")


def test_numbers_may_be_given_as_numbers() -> None:
    assert Flow("DemoFlow")[1]["work"][3] == Task("DemoFlow/1/work/3")


@pytest.mark.parametrize(
    ("handle", "missing"),
    [
        (Flow, "9"),
        (Flow, "01"),
        (Flow, "-1"),
        (Flow, "1/work"),
        (Flow, "9" * 5000),
        (Flow, "baseline"),
        (Run, "wrk"),
        (Step, "1"),
        (Step, "03"),
        (Task, "squared"),
    ],
)
def test_a_child_that_is_not_there_is_a_key_error(
    handle: type[MetaflowObject], missing: str
) -> None:
    parent = handle(dict(HANDLES)[handle])
    with pytest.raises(KeyError):
        parent[missing]  # type: ignore[index]
    assert missing not in parent  # type: ignore[operator]


def test_a_child_that_is_there_is_in_its_parent() -> None:
    assert "DemoFlow" in Metaflow()
    assert "1" in Flow("DemoFlow")
    assert "work" in Run("DemoFlow/1")
    assert "3" in Step("DemoFlow/1/work")
    assert "square" in Task("DemoFlow/1/work/3")
    assert "NoFlow" not in Metaflow()


@pytest.mark.parametrize(
    ("kind", "path", "near"),
    [
        (Flow, "DemoFlw", "did you mean 'DemoFlow'?"),
        (Run, "DemoFlow/9", "its runs are 1 to 4"),
        (Step, "DemoFlow/1/wrk", "did you mean 'work'?"),
        (Task, "DemoFlow/1/work/1", "its tasks are 2, 3, 4"),
        (DataArtifact, "DemoFlow/1/work/3/sqare", "did you mean 'square'?"),
    ],
)
def test_what_does_not_exist_is_refused_with_near_names(
    kind: type[MetaflowObject], path: str, near: str
) -> None:
    with pytest.raises(MetaflowNotFound) as caught:
        kind(path)
    assert caught.value.hint == near


def test_a_missing_child_names_what_is_near_too() -> None:
    with pytest.raises(KeyError, match="did you mean 'square'"):
        Task("DemoFlow/1/work/3")["sqare"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Flow, "DemoFlow/1"),
        (Flow, ""),
        (Run, "DemoFlow"),
        (Run, "DemoFlow/"),
        (Step, "DemoFlow/1/work/3"),
        (Task, "DemoFlow/1//3"),
        (Task, "DemoFlow/1/work"),
        (DataArtifact, "square"),
    ],
)
def test_a_pathspec_of_another_kind_is_refused_with_the_right_form(
    kind: type[MetaflowObject], path: str
) -> None:
    with pytest.raises(MetaflowInvalidPathspec) as caught:
        kind(path)
    assert f"{kind.__name__}('" in str(caught.value.hint)


def test_everything_in_a_run_has_the_runs_tags() -> None:
    run = Run("DemoFlow/1")
    assert run.user_tags == {"baseline", "team:prod"}
    for part in (run["work"], run["work"].task, run["work"].task["square"]):
        assert part.user_tags == run.user_tags
        assert part.system_tags == run.system_tags
        assert part.tags == run.user_tags | run.system_tags


def test_a_handle_can_be_stored_and_loaded() -> None:
    for kind, path in HANDLES:
        handle = kind(path)
        assert pickle.loads(pickle.dumps(handle)) == handle
        assert copy.copy(handle) == handle


def test_a_stored_handle_keeps_its_namespace() -> None:
    namespace(None)
    stored = pickle.dumps(Flow("DemoFlow"))
    namespace("user:ana")
    assert len(list(pickle.loads(stored))) == 4
    assert len(list(Flow("DemoFlow"))) == 3


def test_threads_may_share_handles(own: Path) -> None:
    """Each round begins with nothing read yet, for the first reads are what threads race for."""

    def read(number: int) -> float:
        barrier.wait(30)
        task = flow[number].end_task
        assert task is not None
        return float(task.data.report["total"])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for moment in range(20):
                os.utime(own / "format", (moment, moment))  # so that it is opened anew
                flow, barrier = Flow("DemoFlow"), threading.Barrier(8)
                assert list(pool.map(read, [1, 4] * 4)) == [1400.0, 100.0] * 4
    finally:
        sys.setswitchinterval(interval)


def test_a_forked_process_reads_for_itself() -> None:
    run = Run("DemoFlow/1")
    with Place.lock:
        # As if another thread, which the child does not have, were reading at this moment.
        child = os.fork()
        if child == 0:
            os._exit(0 if _reads_in_a_thread(run) else 1)
    assert os.waitpid(child, 0)[1] == 0


def _reads_in_a_thread(run: Run) -> bool:
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(lambda: Run("DemoFlow/1") == run and run["start"].task.data.count)
        return read.result(60) == 3
