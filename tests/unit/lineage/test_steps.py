"""The graph of a run: what became of each step, from records alone."""

from __future__ import annotations

import pytest
from graphs import DIAMOND, DIAMOND_RAN, LOOP, SECOND, graph, node, task

from mfv.lineage.steps import RunGraph
from mfv.manifest.records import Failure, Read, Split


def statuses(made: RunGraph) -> dict[str, str]:
    return {step.name: step.status for step in made.steps}


def test_a_run_that_went_through_is_ok_at_every_step() -> None:
    made = graph(DIAMOND, DIAMOND_RAN)
    assert set(statuses(made).values()) == {"ok"}
    assert [step.name for step in made.steps] == ["start", "left", "right", "join", "end"]
    assert {(e.source, e.target): e.times for e in made.edges} == {
        ("start", "left"): 1,
        ("start", "right"): 1,
        ("left", "join"): 1,
        ("right", "join"): 1,
        ("join", "end"): 1,
    }


def test_a_foreach_leads_to_as_many_tasks_as_it_has_items_and_some_may_be_missing() -> None:
    nodes = [
        node("start", "work", kind="foreach"),
        node("work", "join"),
        node("join", "end", join=True),
        node("end"),
    ]
    split = (Split("start", "items", 0, 3, "x"),)
    tasks = [
        task("start", 1, "work", items=3),
        task("work", 2, "join", splits=split),
        task("work", 3, status="failed", failure=Failure("ValueError", "no\nmore", "")),
    ]
    made = graph(nodes, tasks, "failed")
    start, work, join, _ = made.steps
    assert (start.variable, work.tasks, work.expected, work.failed) == ("items", 2, 3, 1)
    assert work.failure is not None
    assert statuses(made) == {
        "start": "ok",
        "work": "failed",
        "join": "not reached",
        "end": "not reached",
    }
    assert (join.tasks, join.expected) == (0, 0)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("open", "running"), ("interrupted", "unfinished"), ("crashed", "unfinished")],
)
def test_what_was_led_to_and_has_not_ended_runs_or_is_unfinished(
    status: str, expected: str
) -> None:
    made = graph(DIAMOND, DIAMOND_RAN[:2], status)
    assert statuses(made)["left"] == "ok"
    assert statuses(made)["right"] == expected
    assert statuses(made)["join"] == ("waiting" if status == "open" else "not reached")
    made = graph(DIAMOND, DIAMOND_RAN[:3], status)
    assert statuses(made)["join"] == expected
    made = graph(DIAMOND, [], status)
    assert statuses(made)["start"] == expected


def test_a_switch_counts_each_way_and_what_it_never_chose_was_skipped() -> None:
    tasks = [
        task("start", 1, "body"),
        task("body", 2, "check"),
        task("check", 3, "body"),
        task("body", 4, "check"),
        task("check", 5, "end"),
        task("end", 6),
    ]
    made = graph(LOOP, tasks)
    times = {(e.source, e.target): (e.times, e.is_back) for e in made.edges}
    assert times["check", "body"] == (1, True)
    assert times["check", "end"] == (1, False)
    assert times["check", "other"] == (0, False)
    assert statuses(made)["other"] == "skipped"
    assert (made.steps[1].tasks, made.steps[1].expected, made.steps[1].status) == (2, 2, "ok")


def test_the_newest_attempt_speaks_and_the_others_are_counted() -> None:
    tasks = [task("start", 1, status="failed"), task("start", 1, "end", attempt=1), task("end", 2)]
    start = graph([node("start", "end"), node("end")], tasks).steps[0]
    assert (start.status, start.tasks, start.retried, start.failed) == ("ok", 1, 1, 0)


def test_clones_are_told_apart_and_the_time_is_of_what_ran_here() -> None:
    nodes = [node("start", "work", kind="foreach"), node("work")]
    old = {"started": 500 * SECOND, "ended": 900 * SECOND}
    tasks = [
        task("start", 1, "work", items=2, origin=(7, 1), **old),
        task("work", 2, origin=(7, 2), **old),
        task("work", 3),
    ]
    start, work = graph(nodes, tasks).steps
    assert (start.reused, start.origins, start.seconds) == (1, (7,), 400.0)
    assert (work.reused, work.origins, work.seconds) == (1, (7,), 1.0)


def test_what_a_step_read_is_gathered_by_run() -> None:
    def read(run: int, name: str) -> Read:
        return Read(bytes(16), "P", run, "end", 4, name, bytes(32))

    tasks = [task("start", 1, reads=(read(2, "b"), read(1, "a"), read(2, "a"), read(2, "b")))]
    (step,) = graph([node("start")], tasks).steps
    assert [(s.run.number, s.artifacts) for s in step.sources] == [(1, ("a",)), (2, ("a", "b"))]


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        [node("a", "a")],
        [node("a", "b"), node("b", "a")],
        [node("a", "gone"), node("a", "b"), node("b")],
        [node("start", "end"), node("end"), node("x", "y"), node("y", "x", "end")],
        [node("start", "x"), node("x", "start", "end", kind="switch"), node("end")],
    ],
)
def test_records_that_make_no_sense_make_a_graph_all_the_same(nodes: list[object]) -> None:
    made = graph(nodes, [task("elsewhere", 1, "a")], "failed")  # type: ignore[arg-type]
    names = [step.name for step in made.steps]
    assert len(names) == len(set(names))
    for edge in made.edges:
        assert edge.is_back or names.index(edge.source) < names.index(edge.target)
