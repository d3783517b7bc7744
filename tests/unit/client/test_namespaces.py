"""Namespaces: one tag by which everything is filtered."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mfv.client import (
    DataArtifact,
    Flow,
    Metaflow,
    MetaflowNamespaceMismatch,
    Run,
    Step,
    Task,
    default_namespace,
    get_namespace,
    namespace,
)
from mfv.client.base import MetaflowObject


def test_the_default_is_ones_own_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_namespace() == "user:ana"
    monkeypatch.setenv("MFV_USER", "ben")
    assert default_namespace() == get_namespace() == "user:ben"


def test_the_default_is_found_when_it_is_first_needed() -> None:
    look = "import mfv; print(mfv.get_namespace(), mfv.Flow('DemoFlow').latest_run)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "user:ana Run('DemoFlow/4')\n"


@pytest.mark.parametrize("variable", ["METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"])
def test_who_one_is_is_told_by_the_same_variables_as_for_a_run(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MFV_USER", "METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"):
        monkeypatch.delenv(name, raising=False)
    assert default_namespace() == "user:unknown"
    monkeypatch.setenv(variable, "eve")
    assert default_namespace() == "user:eve"


def test_a_namespace_is_any_tag() -> None:
    assert namespace("team:prod") == get_namespace() == "team:prod"
    assert [run.id for run in Flow("DemoFlow")] == ["1"]
    namespace("baseline")
    assert [run.id for run in Flow("DemoFlow")] == ["3", "1"]


def test_without_a_namespace_everything_shows() -> None:
    assert namespace(None) is get_namespace() is None
    assert [run.id for run in Flow("DemoFlow")] == ["4", "3", "2", "1"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Flow, "PlainFlow"),
        (Run, "PlainFlow/1"),
        (Step, "PlainFlow/1/start"),
        (Task, "PlainFlow/1/start/1"),
        (DataArtifact, "PlainFlow/1/start/1/answer"),
    ],
)
def test_what_is_somebody_elses_is_refused(kind: type[MetaflowObject], path: str) -> None:
    with pytest.raises(MetaflowNamespaceMismatch, match="user:ana") as caught:
        kind(path)
    assert "namespace(None)" in str(caught.value.hint)
    namespace(None)
    assert kind(path).pathspec == path


def test_a_mismatch_by_index_is_no_key_error() -> None:
    flow = Flow("DemoFlow")
    assert "3" in flow
    with pytest.raises(MetaflowNamespaceMismatch):
        flow["3"]
    with pytest.raises(MetaflowNamespaceMismatch):
        Metaflow()["PlainFlow"]


def test_handles_keep_the_namespace_in_which_they_were_made() -> None:
    mine = Flow("DemoFlow")
    namespace(None)
    everybodys = Flow("DemoFlow")
    namespace("user:nobody")
    assert len(list(mine)) == 3
    assert len(list(everybodys)) == 4
    assert Metaflow().flows == []


def test_a_handle_knows_whether_it_is_in_the_namespace_of_now() -> None:
    run = Run("DemoFlow/1")
    handles = [Flow("DemoFlow"), run, run["work"], run["work"].task, run["work"].task["square"]]
    assert all(handle.is_in_namespace() for handle in handles)
    namespace("user:nobody")
    assert not any(handle.is_in_namespace() for handle in handles)
    namespace(None)
    assert all(handle.is_in_namespace() for handle in handles)
