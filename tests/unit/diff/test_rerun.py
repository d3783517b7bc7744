"""A run and its repetition: tasks by their place, and the first step that is not deterministic."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mfv.diff.rerun import (
    DIFFERENT,
    MISSING,
    NEW,
    SAME,
    UNKNOWN,
    VALUE,
    Compared,
    Rerun,
    diff_rerun,
)
from mfv.manifest.artifact import SCALAR, Artifact, Scalar
from mfv.manifest.records import Failure, GraphNode, Split, Task


def node(name: str, *following: str) -> GraphNode:
    return GraphNode(name, "linear", following, False, 1, "")


GRAPH = [node("start", "train"), node("train", "join"), node("join", "end"), node("end")]


def task(
    step: str, id: int, parents: Sequence[int] = (), index: int | None = None, **values: Scalar
) -> Task:
    splits = () if index is None else (Split("start", "items", index, 2, ""),)
    artifacts = tuple(Artifact(name, "int", SCALAR, value) for name, value in values.items())
    more = {"parents": tuple(parents), "splits": splits, "artifacts": artifacts}
    return Task(flow="F", run=1, step=step, id=id, status="ok", started=1, ended=2, **more)


RUN = [
    task("start", 1, x=1),
    task("train", 2, [1], 0, score=10, size=1),
    task("train", 3, [1], 1, score=20, size=1),
    task("join", 4, [2, 3], best=20),
    task("end", 5, [4], best=20),
]


def look(one: Artifact, other: Artifact) -> Compared:
    """Numbers that are one apart are alike."""
    assert isinstance(one.value, int) and isinstance(other.value, int)
    near = abs(one.value - other.value) <= 1
    return Compared(one.name, VALUE if near else DIFFERENT, one.type, 1.0)


def rerun(*changes: Task, without: Sequence[int] = (), **more: bool) -> Rerun:
    """RUN beside a run of other ids, with some of its tasks as `changes`."""
    tasks = {one.id: one for one in RUN} | {one.id: one for one in changes}
    again = [
        msgspec.structs.replace(one, id=one.id + 10, run=7)
        for number, one in tasks.items()
        if number not in without
    ]
    return diff_rerun(GRAPH, RUN, reversed(again), look, **more)


def statuses(found: Rerun) -> dict[str, tuple[str, bool]]:
    return {step.name: (step.status, step.is_origin) for step in found.steps}


def test_equal_runs_are_the_same_whatever_their_ids_and_order() -> None:
    found = rerun()
    assert (found.status, found.first_different) == (SAME, None)
    assert [step.name for step in found.steps] == ["start", "train", "join", "end"]
    assert [step.same for step in found.steps] == [1, 4, 1, 1]
    assert [(t.place, t.before, t.after) for t in found.steps[1].tasks] == [
        ("train[0]", 2, 12),
        ("train[1]", 3, 13),
    ]


def test_a_step_that_was_given_other_things_is_not_to_blame() -> None:
    found = rerun(
        task("train", 3, [1], 1, score=90, size=1),
        task("join", 4, [2, 3], best=90),
        task("end", 5, [4], best=90),
    )
    assert found.first_different == "train"
    assert statuses(found) == {
        "start": (SAME, False),
        "train": (DIFFERENT, True),
        "join": (DIFFERENT, False),
        "end": (DIFFERENT, False),
    }
    assert [task.status for task in found.steps[1].tasks] == [SAME, DIFFERENT]


def test_steps_that_differ_by_themselves_are_all_named_and_the_first_is_the_first() -> None:
    graph = [node("start", "a", "b"), node("a", "end"), node("b", "end"), node("end")]
    old = [task("start", 1), task("b", 2, [1], y=1), task("a", 3, [1], x=1), task("end", 4, [2, 3])]
    new = [
        task("start", 1),
        task("a", 2, [1], x=9),
        task("b", 3, [1], y=9),
        task("end", 4, [2, 3]),
    ]
    found = diff_rerun(graph, old, new, look)
    assert [step.name for step in found.steps if step.is_origin] == ["b", "a"] or [
        step.name for step in found.steps if step.is_origin
    ] == ["a", "b"]
    assert found.first_different in ("a", "b")
    assert statuses(found)["end"] == (SAME, False)


def test_the_same_value_in_other_bytes_is_no_difference() -> None:
    found = rerun(task("train", 2, [1], 0, score=11, size=1))
    assert (found.status, found.is_alike, found.first_different) == (VALUE, True, None)
    assert found.steps[1].count(VALUE) == 1


def test_what_nobody_can_tell_counts_as_different() -> None:
    def unknown(one: Artifact, other: Artifact) -> Compared:
        return Compared(one.name, UNKNOWN, one.type)

    changed = [*RUN[:4], task("end", 5, [4], best=21)]
    found = diff_rerun(GRAPH, RUN, changed, unknown)
    assert (found.status, found.first_different) == (DIFFERENT, "end")


def test_artifacts_and_tasks_of_one_side_alone_are_differences() -> None:
    found = rerun(task("start", 1, y=1), without=[3, 5])
    assert {one.name: one.status for one in found.steps[0].tasks[0].artifacts} == {
        "x": MISSING,
        "y": NEW,
    }
    assert found.steps[1].tasks[1].status == MISSING
    assert found.steps[3].status == DIFFERENT


def test_of_a_run_that_was_cut_short_only_what_both_have_counts() -> None:
    assert diff_rerun(GRAPH, RUN[:2], RUN, look).status == DIFFERENT
    assert diff_rerun(GRAPH, RUN[:2], RUN, look, partial=True).status == SAME
    assert rerun(without=[3, 4, 5], partial=True).status == SAME


def test_another_end_of_a_task_is_a_difference() -> None:
    failed = msgspec.structs.replace(
        RUN[3], status="failed", failure=Failure("ValueError", "no data in /tmp/a", "")
    )
    found = rerun(failed)
    assert found.first_different == "join"
    assert found.steps[2].tasks[0].what == (
        "it succeeded before, and now it failed with ValueError: no data in /tmp/a"
    )
    elsewhere = msgspec.structs.replace(failed, failure=Failure("ValueError", "in /tmp/b", ""))
    assert diff_rerun(GRAPH, [failed], [elsewhere], look).status == SAME
    assert rerun(msgspec.structs.replace(RUN[0], next=("join",))).first_different == "start"
    assert rerun(msgspec.structs.replace(RUN[0], items=7)).first_different == "start"


def test_the_last_attempt_of_a_task_is_the_one_that_counts() -> None:
    first = msgspec.structs.replace(RUN[0], status="failed")
    second = msgspec.structs.replace(RUN[0], attempt=1)
    assert diff_rerun(GRAPH, [second, first, *RUN[1:]], RUN, look).status == SAME


def test_a_step_that_is_repeated_is_matched_in_its_order() -> None:
    graph = [node("start", "loop"), node("loop", "loop", "end"), node("end")]
    old = [task("start", 1), *(task("loop", n, [n - 1], x=n * 10) for n in (2, 3, 4))]
    new = [task("start", 1), *(task("loop", n, [n - 1], x=n * 10) for n in (2, 3))]
    found = diff_rerun(graph, old, [*new, task("loop", 4, [3], x=0)], look)
    assert [t.place for t in found.steps[1].tasks] == ["loop", "loop #2", "loop #3"]
    assert [t.status for t in found.steps[1].tasks] == [SAME, SAME, DIFFERENT]


def test_an_ending_that_no_task_tells_of_is_a_difference() -> None:
    found = diff_rerun(GRAPH, RUN, RUN, look, "it was interrupted")
    assert (found.status, found.first_different) == (DIFFERENT, None)


def test_the_same_two_values_are_looked_at_once() -> None:
    looked: list[str] = []

    def count(one: Artifact, other: Artifact) -> Compared:
        looked.append(one.name)
        return look(one, other)

    old = [task("start", 1, a=1, b=1), task("end", 2, [1], a=1)]
    new = [task("start", 1, a=2, b=2), task("end", 2, [1], a=2)]
    found = diff_rerun(GRAPH, old, new, count)
    assert len(looked) == 1
    assert [one.name for one in found.steps[0].tasks[0].artifacts] == ["a", "b"]
