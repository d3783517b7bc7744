"""Flows, and the list of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import damage

from mfv.client import Flow, Metaflow, Run, namespace
from mfv.errors import CorruptError
from mfv.odb.packindex import key_of
from mfv.query.errors import QueryError
from mfv.repo.repository import Repository


def test_metaflow_lists_the_flows_of_the_namespace_the_latest_first() -> None:
    assert Metaflow().flows == [Flow("DemoFlow")]
    namespace(None)
    assert Metaflow().flows == [Flow("PlainFlow"), Flow("DemoFlow")]
    assert list(Metaflow()) == Metaflow().flows
    assert repr(Metaflow()) == "Metaflow()"


def test_the_latest_run_may_have_failed() -> None:
    namespace("user:ben")
    assert Flow("DemoFlow").latest_run == Run("DemoFlow/3")


def test_the_latest_successful_run_did_not() -> None:
    namespace(None)
    assert Flow("DemoFlow").latest_successful_run == Run("DemoFlow/4")


def test_there_may_be_no_successful_run() -> None:
    namespace("user:ben")
    assert Flow("DemoFlow").latest_successful_run is None


def test_runs_are_filtered_by_all_of_the_tags() -> None:
    flow = Flow("DemoFlow")
    assert [run.id for run in flow.runs()] == ["4", "2", "1"]
    assert [run.id for run in flow.runs("baseline")] == ["1"]
    assert [run.id for run in flow.runs("baseline", "team:prod")] == ["1"]
    assert list(flow.runs("baseline", "other")) == []


def test_runs_are_filtered_by_system_tags_too() -> None:
    namespace(None)
    assert [run.id for run in Flow("DemoFlow").runs("user:ben", "runtime:dev")] == ["3"]


def test_runs_are_asked_for_by_a_query() -> None:
    namespace(None)
    flow = Flow("DemoFlow")
    assert [run.id for run in flow.runs(where="status = ok")] == [
        run.id for run in flow if run.successful
    ]
    numbers = [run.id for run in flow.runs(where="number > 1 and not tag:nix", sort="number")]
    assert numbers == sorted(run.id for run in flow if int(run.id) > 1)
    assert [run.id for run in flow.runs("baseline", where="number < 3")] == ["1"]
    with pytest.raises(QueryError, match="no run has a field 'nix'"):
        flow.runs(where="nix < 3")


def test_a_flow_began_with_its_first_run_and_has_no_tags() -> None:
    flow = Flow("DemoFlow")
    assert flow.created_at == Run("DemoFlow/1").created_at
    assert flow.tags == flow.user_tags == flow.system_tags == frozenset()
    assert flow.origin_pathspec is None


def test_a_damaged_run_stays_in_the_list_and_says_so_itself(own: Path) -> None:
    repository = Repository.open(own)
    state = repository.state.find("DemoFlow", 4)
    assert state is not None and state.opening_id is not None
    (copy, *_) = repository.database.index.find(state.opening_id)
    damage(repository.backend, key_of(copy.pack), copy.record.offset)

    assert [run.id for run in Flow("DemoFlow")] == ["4", "2", "1"]
    with pytest.raises(CorruptError):
        _ = Flow("DemoFlow")["4"]["work"].parent_steps
    assert Flow("DemoFlow")["1"].data is not None
