"""Which repository is read."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest
from flowruns import Project
from making import FLOW, damage, whole_run

from mfv.client import (
    Flow,
    Metaflow,
    MetaflowNotFound,
    Run,
    default_metadata,
    get_metadata,
    metadata,
)
from mfv.client.errors import DamagedLogWarning
from mfv.repo.archive import key_of
from mfv.repo.repository import Repository


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder with a repository of its own, in which ana's TrainFlow ran."""
    whole_run(Repository.create(tmp_path / "other" / ".mfv"), {"x": 1})
    return tmp_path / "other"


def test_the_variable_says_which(project: Project) -> None:
    assert get_metadata() == f"local@{project.repository}"


def test_without_it_the_nearest_one_upwards_is_read(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = other / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.delenv("MFV_DIR")
    monkeypatch.chdir(below)
    assert get_metadata() == f"local@{other / '.mfv'}"
    assert Metaflow().flows == [Flow(FLOW)]


def test_where_there_is_none_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MFV_DIR")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MetaflowNotFound, match="MFV_DIR"):
        Flow("DemoFlow")
    monkeypatch.setenv("MFV_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(MetaflowNotFound, match="nowhere"):
        Flow("DemoFlow")


@pytest.mark.parametrize("where", [None, "tag:baseline"])
def test_a_reader_of_a_damaged_log_is_warned_that_names_may_be_missing(
    own: Path, where: str | None
) -> None:
    repository = Repository.open(own)
    repository.tag(add=[(run, "later") for run in repository.state][:1])
    repository.tag(add=[(run, "last") for run in repository.state][:1])
    damage(repository.backend, key_of(repository.state.number - 1), 40)
    with pytest.warns(DamagedLogWarning, match="is damaged"):
        assert list(Flow("DemoFlow").runs(where=where))
    with warnings.catch_warnings(action="error"):  # once is enough
        assert all("later" not in run.tags for run in Flow("DemoFlow").runs(where=where))


def test_a_repository_can_be_chosen_and_left_again(other: Path, project: Project) -> None:
    demo = Run("DemoFlow/1")
    for name in (str(other), other, other / ".mfv", f"local@{other / '.mfv'}"):
        assert metadata(name) == get_metadata() == f"local@{other / '.mfv'}"
    assert [flow.id for flow in Metaflow()] == [FLOW]
    assert demo["work"].task.data.square == 900  # a handle keeps its repository
    assert default_metadata() == f"local@{project.repository}"
    assert Run("DemoFlow/1") == demo


def test_a_choice_that_is_none_changes_nothing(project: Project, tmp_path: Path) -> None:
    with pytest.raises(MetaflowNotFound):
        metadata(tmp_path / "nowhere")
    assert get_metadata() == f"local@{project.repository}"


def test_a_repository_made_anew_in_its_place_is_read_anew(other: Path) -> None:
    metadata(other)
    assert Run(f"{FLOW}/1").data is None
    shutil.rmtree(other / ".mfv")
    repository = Repository.create(other / ".mfv")
    whole_run(repository, {"x": 2})
    whole_run(repository, {"x": 3})
    assert [run["start"].task.data.x for run in Flow(FLOW)] == [3, 2]


def test_runs_that_come_later_are_seen(other: Path) -> None:
    metadata(other)
    flow = Flow(FLOW)
    whole_run(Repository.open(other / ".mfv"), {"x": 2})
    assert flow.latest_run == Run(f"{FLOW}/2")
