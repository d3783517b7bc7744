"""What the client says of a run's shape: parents, children, indices, in every kind of graph."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from processes import Place

from mfv.client import Run, Step, Task, default_namespace, namespace

NESTED = """
@step
def start(self):
    self.letters = ["a", "b"]
    self.next(self.outer, foreach="letters")

@step
def outer(self):
    self.numbers = [1, 2]
    self.next(self.inner, foreach="numbers")

@step
def inner(self):
    self.next(self.left, self.right)

@step
def left(self):
    self.next(self.both)

@step
def right(self):
    self.next(self.both)

@step
def both(self, inputs):
    self.next(self.gather)

@step
def gather(self, inputs):
    self.next(self.total)

@step
def total(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""

SWITCHED = """
@step
def start(self):
    self.count = 0
    self.next(self.again)

@step
def again(self):
    self.count += 1
    self.kind = "stop" if self.count == 3 else "go"
    self.next({"go": self.again, "stop": self.done, "never": self.other}, condition="kind")

@step
def other(self):
    self.next(self.end)

@step
def done(self):
    self.next(self.end)

@step
def end(self):
    pass
"""

PARALLEL = """
@step
def start(self):
    self.next(self.work, num_parallel=2)

@step
def work(self):
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture(autouse=True)
def everything(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client reads what this test makes, whoever made it."""
    monkeypatch.setenv("MFV_DIR", str(place.store))
    namespace(None)
    yield
    default_namespace()


def run_of(place: Place, body: str) -> Run:
    place.write(body)
    place.run()
    return Run("F/1")


def where(task: Task) -> tuple[str, ...]:
    """The step of a task, and its place in each foreach around it."""
    path = task.metadata_dict.get("foreach-execution-path", "")
    return (task.path_components[2], *(part.split(":")[1] for part in path.split(",") if part))


def names(steps: Iterator[Step]) -> list[str]:
    return [step.id for step in steps]


def test_every_task_is_a_child_of_its_parents_and_a_parent_of_its_children(place: Place) -> None:
    for task in [task for step in run_of(place, NESTED) for task in step]:
        assert all(task in list(parent.child_tasks) for parent in task.parent_tasks)
        assert all(task in list(child.parent_tasks) for child in task.child_tasks)
        assert [p.pathspec for p in task.parent_tasks] == list(task.parent_task_pathspecs)
        assert [c.pathspec for c in task.child_tasks] == list(task.child_task_pathspecs)


def test_in_a_nested_foreach_relatives_share_their_place(place: Place) -> None:
    run = run_of(place, NESTED)
    tasks = {where(task): task for step in run for task in step}
    assert len(tasks) == 1 + 2 + 4 * 4 + 2 + 1 + 1
    inner = tasks["inner", "1", "0"]
    assert inner.index == 0
    assert [where(one) for one in inner.parent_tasks] == [("outer", "1")]
    assert [where(one) for one in inner.child_tasks] == [("left", "1", "0"), ("right", "1", "0")]
    both = tasks["both", "1", "0"]
    assert [where(one) for one in both.parent_tasks] == [("left", "1", "0"), ("right", "1", "0")]
    gather = tasks["gather", "1"]
    assert [where(one) for one in gather.parent_tasks] == [("both", "1", "0"), ("both", "1", "1")]
    assert [where(one) for one in tasks["total",].parent_tasks] == [
        ("gather", "0"),
        ("gather", "1"),
    ]
    assert [where(one) for one in tasks["start",].child_tasks] == [("outer", "0"), ("outer", "1")]
    assert tasks["total",].index is None


def test_steps_know_their_neighbours(place: Place) -> None:
    run = run_of(place, NESTED)
    assert names(run["start"].parent_steps) == []
    assert names(run["inner"].child_steps) == ["left", "right"]
    assert names(run["both"].parent_steps) == ["left", "right"]
    assert names(run["end"].child_steps) == []


def test_at_every_level_the_newest_comes_first(place: Place) -> None:
    run = run_of(place, NESTED)
    ids = [[int(task.id) for task in step] for step in run]
    assert all(found == sorted(found, reverse=True) for found in ids)
    order = [step.id for step in run]
    assert (order[:4], order[-3:]) == (
        ["end", "total", "gather", "both"],
        ["inner", "outer", "start"],
    )


def test_through_a_switch_that_leads_back_each_task_has_the_one_before_it(place: Place) -> None:
    run = run_of(place, SWITCHED)
    rounds = list(run["again"])[::-1]
    assert [where(one)[0] for task in rounds for one in task.parent_tasks] == [
        "start",
        "again",
        "again",
    ]
    assert [one.pathspec for one in rounds[0].child_tasks] == [rounds[1].pathspec]
    assert [where(one)[0] for one in rounds[2].child_tasks] == ["done"]
    assert names(run["end"].parent_steps) == ["done"]
    assert names(run["again"].child_steps) == ["again", "done"]
    assert "other" not in run


def test_the_first_of_parallel_tasks_is_their_control_task(place: Place) -> None:
    run = run_of(place, PARALLEL)
    control = run["work"].control_task
    assert control is not None
    assert control.index == 0
    assert control.metadata_dict["internal_task_type"] == "control_task"
    assert list(run["work"].control_tasks()) == [control]
    assert list(run["work"].control_tasks("no such tag")) == []
    assert run["start"].control_task is None
    assert [task.index for task in run["join"].task.parent_tasks] == [0, 1]


def test_a_shell_is_offered_what_an_object_contains(place: Place) -> None:
    run = run_of(place, PARALLEL)
    assert run._ipython_key_completions_() == ["end", "join", "work", "start"]
    assert run["work"]._ipython_key_completions_() == ["3", "2"]


def test_no_event_triggers_a_run_here(place: Place) -> None:
    assert run_of(place, PARALLEL).trigger is None
