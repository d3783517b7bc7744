"""Runs into the trash, out of it, and for good; and artifacts of which only the record is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import FLOW, MOMENT, finished, memory_repository, open_run, whole_run

from mfv.errors import ConflictError, CorruptError, NotFoundError
from mfv.maintain import gc, repack, sweep
from mfv.maintain.fsck import fsck
from mfv.maintain.marks import Marks
from mfv.maintain.retention import Policy
from mfv.repo import trash
from mfv.repo.artifacts import load
from mfv.repo.entries import SweepRuns
from mfv.repo.gone import GoneError, told_if_gone
from mfv.repo.names import RunState
from mfv.repo.repository import Repository
from mfv.repo.statenames import StateNames
from mfv.repo.view import RunView

NOW = 0.0  # seconds of grace


@pytest.fixture
def repository() -> Repository:
    """Three sealed runs; each has bytes of its own, and all have some in common."""
    made = memory_repository()
    for number in (1, 2, 3):
        whole_run(made, {"own": bytes([number]) * 5000, "shared": bytes(5000), "n": number})
    return made


def state(repository: Repository, number: int) -> RunState:
    found = repository.state.find(FLOW, number)
    assert found is not None
    return found


def value(repository: Repository, number: int, name: str) -> object:
    run = state(repository, number)
    view = RunView(repository, run)
    artifact = view.artifact(view.task("start", "1"), name)
    with told_if_gone(run, name):
        return load(repository.database, artifact)


def collect(repository: Repository) -> Repository:
    """A whole gc, and the repository as a process sees it that knows nothing."""
    planned = sweep.plan(repository, Policy(), grace=NOW)
    sweep.run(repository, planned, Policy(), grace=NOW)
    marks = Marks(repository)
    gc.run(repository, gc.plan(repository, grace=NOW, marks=marks), grace=NOW, marks=marks)
    repack.run(repository, repack.plan(repository, grace=NOW, marks=marks), grace=NOW, marks=marks)
    return memory_repository(repository.backend)


def test_a_run_in_the_trash_is_whole_and_found_by_its_number_alone(repository: Repository) -> None:
    repository.tag(add=[(state(repository, 3), "best")])
    assert trash.remove(repository, [state(repository, 3)], reason="mfv rm") == [
        state(repository, 3)
    ]
    names = StateNames(repository.state)
    newest = names.newest(FLOW, 0)
    assert newest is not None and newest.number == 2
    assert names.bearing("best", None) is None and "best" not in names.tags()
    assert [run.number for run in names.numbered(3, FLOW)] == [3]
    assert names.count(FLOW) == 2
    assert value(repository, 3, "own") == b"\x03" * 5000
    gc.run(repository, gc.plan(repository, grace=NOW), grace=NOW)
    assert value(memory_repository(repository.backend), 3, "own") == b"\x03" * 5000


def test_its_number_is_never_given_again(repository: Repository) -> None:
    trash.remove(repository, [state(repository, 3)], reason="mfv rm")
    assert whole_run(collect(repository), {}).number == 4


def test_restored_it_is_as_it_was(repository: Repository) -> None:
    repository.tag(add=[(state(repository, 2), "best")])
    before = state(repository, 2)
    trash.remove(repository, [before], reason="mfv rm")
    assert trash.restore(repository, [before]) == [state(repository, 2)]
    assert state(repository, 2) == before
    assert trash.restore(repository, [before]) == []


def test_of_a_swept_run_records_and_code_stay_and_nothing_of_others_goes(
    repository: Repository,
) -> None:
    trash.remove(repository, [state(repository, 2)], reason="mfv rm")
    after = collect(repository)
    run = RunView(after, state(after, 2))
    assert run.state.swept
    assert run.manifest is not None and run.manifest.status == "ok"
    assert [file.path for file in run.tree.files] == [b"flow.py"]
    assert value(after, 2, "n") == 2
    with pytest.raises(GoneError, match="a gc has swept it"):
        value(after, 2, "own")
    assert value(after, 2, "shared") == bytes(5000)  # others hold it too
    for number in (1, 3):
        assert value(after, number, "own") == bytes([number]) * 5000
    assert fsck(after, data=True).findings == ()


def test_a_swept_run_is_not_restored(repository: Repository) -> None:
    trash.remove(repository, [state(repository, 2)], reason="mfv rm")
    after = collect(repository)
    with pytest.raises(ConflictError, match="are gone"):
        trash.restore(after, [state(after, 2)])


def test_what_is_young_in_the_trash_is_not_swept(repository: Repository) -> None:
    trash.remove(repository, [state(repository, 2)], reason="mfv rm")
    planned = sweep.plan(repository, Policy(), grace=3600)
    assert planned.due == ()
    assert sweep.run(repository, planned, Policy(), grace=3600) == []


def test_a_run_restored_since_the_plan_is_not_swept(repository: Repository) -> None:
    trash.remove(repository, [state(repository, 1), state(repository, 2)], reason="mfv rm")
    planned = sweep.plan(repository, Policy(), grace=NOW)
    trash.restore(memory_repository(repository.backend), [state(repository, 1)])
    assert sweep.run(repository, planned, Policy(), grace=NOW) == [f"{FLOW}/2"]
    assert not state(repository, 1).swept


def test_an_open_run_is_not_removed_and_none_beside_it(repository: Repository) -> None:
    run = open_run(repository)
    chosen = [state(repository, 1), state(repository, run.number)]
    with pytest.raises(ConflictError, match="still open"):
        trash.remove(repository, chosen, reason="mfv rm")
    assert not state(repository, 1).in_trash


def test_rules_put_what_none_of_them_keeps_into_the_trash(repository: Repository) -> None:
    policy = Policy(last=1)
    planned = sweep.plan(repository, policy, grace=3600)
    assert [one.run.number for one in planned.leaving] == [2, 1]
    sweep.run(repository, planned, policy, grace=3600)
    assert [state(repository, number).in_trash for number in (1, 2, 3)] == [True, True, False]
    assert state(repository, 1).reason == "gc --keep-last 1"


def test_a_plan_with_runs_taken_for_swept_tells_what_that_would_free(
    repository: Repository,
) -> None:
    marks = Marks(repository, [(FLOW, 2)])
    marks.catch_up()
    known = Marks(repository)
    known.catch_up()
    assert marks.objects < known.objects
    assert not state(repository, 2).swept


def test_a_dropped_artifact_loses_its_bytes_and_keeps_its_record(repository: Repository) -> None:
    run = RunView(repository, state(repository, 2))
    assert trash.drop(run, ["own"]) == ("own",)
    assert trash.drop(RunView(repository, state(repository, 2)), ["own"]) == ()
    after = collect(repository)
    with pytest.raises(GoneError, match="let go"):
        value(after, 2, "own")
    view = RunView(after, state(after, 2))
    assert view.artifact(view.task("start", "1"), "own").size == 5000
    assert value(after, 2, "shared") == bytes(5000)
    assert value(after, 1, "own") == b"\x01" * 5000
    assert fsck(after, data=True).findings == ()


def test_an_artifact_is_dropped_of_one_step_alone() -> None:
    repository = memory_repository()
    run = open_run(repository)
    first = finished(repository.database, run, 1, {"x": b"a" * 5000})
    run.commit([first, finished(repository.database, run, 2, {"x": b"b" * 5000}, step="end")])
    run.seal("ok", ended=MOMENT + 10)
    view = RunView(repository, state(repository, 1))
    assert trash.drop(view, ["start/x"]) == ("start/x",)
    after = collect(repository)
    view = RunView(after, state(after, 1))
    assert load(after.database, view.artifact(view.task("end", "2"), "x")) == b"b" * 5000
    with pytest.raises(CorruptError):
        load(after.database, view.artifact(view.task("start", "1"), "x"))


def test_what_has_no_bytes_of_its_own_is_not_dropped(repository: Repository) -> None:
    run = RunView(repository, state(repository, 1))
    for name in ("n", "nix", "end/own"):
        with pytest.raises(NotFoundError):
            trash.drop(run, [name])
    with pytest.raises(NotFoundError) as caught:
        trash.drop(run, ["owm"])
    assert "'own'" in (caught.value.hint or "")


def test_a_writer_that_stores_swept_bytes_again_has_them(repository: Repository) -> None:
    trash.remove(repository, [state(repository, 2)], reason="mfv rm")
    after = collect(repository)
    whole_run(after, {"own": b"\x02" * 5000})
    assert value(after, 4, "own") == b"\x02" * 5000
    assert value(after, 2, "own") == b"\x02" * 5000  # it heals the record of the other as well


def test_a_sweep_of_a_run_that_a_writer_builds_on_takes_nothing_from_it(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv", writer="ana@host")
    whole_run(repository, {"own": b"\x07" * 5000})
    writer = Repository.open(tmp_path / ".mfv", writer="ben@host")
    run = open_run(writer)
    task = finished(writer.database, run, 1, {"own": b"\x07" * 5000})  # relies on the other's pack
    trash.remove(repository, [state(repository, 1)], reason="mfv rm")
    repository.log.append(lambda _: SweepRuns(((FLOW, 1),)))
    run.commit([task])
    marks = Marks(repository)
    gc.run(repository, gc.plan(repository, grace=NOW, marks=marks), grace=NOW, marks=marks)
    run.seal("ok", ended=MOMENT + 10)
    assert value(Repository.open(tmp_path / ".mfv"), 2, "own") == b"\x07" * 5000
