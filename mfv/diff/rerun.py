"""A run and its repetition, task by task: what is the same, and where the two part.

Tasks are matched by their step and their place in every open foreach, never by their ids; those of
a step that is repeated stand in the same place, and are matched in the order in which they ran.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import GraphNode, Task

SAME, VALUE, DIFFERENT, MISSING, NEW = "same", "same value", "different", "missing", "new"
UNKNOWN = "bytes differ"  # and what they mean is not known without loading them
ALIKE = frozenset({SAME, VALUE})

_Place = tuple[str, tuple[int, ...], int]  # step, indices, how many stood there before


class Compared(NamedTuple):
    """One artifact on both sides, or on one."""

    name: str
    status: str
    type: str
    difference: float | None = None  # the largest between two numbers
    what: str = ""  # what is not the same, in words


class TaskRerun(NamedTuple):
    """One task on both sides."""

    step: str
    place: str  # `train`, `train[2]`
    before: int | None  # its id in the recorded run; None: it was not there
    after: int | None
    status: str  # SAME, VALUE, DIFFERENT, MISSING, NEW
    given_the_same: bool  # whether all that came before it is alike: then a difference is its own
    artifacts: tuple[Compared, ...]  # that are not SAME
    same: int  # artifacts with the same bytes
    what: str = ""  # how it ended otherwise than before


class StepRerun(NamedTuple):
    """One step."""

    name: str
    status: str
    is_origin: bool  # differs, though all that it was given is alike: it is not deterministic
    tasks: tuple[TaskRerun, ...]

    @property
    def same(self) -> int:
        """Artifacts with the same bytes."""
        return sum(task.same for task in self.tasks)

    def count(self, *statuses: str) -> int:
        """Artifacts with one of these statuses."""
        return sum(one.status in statuses for task in self.tasks for one in task.artifacts)


class Rerun(NamedTuple):
    """What came of running a run again."""

    steps: tuple[StepRerun, ...]
    ending: str = ""  # how the repetition ended otherwise; empty: as the recorded run did

    @property
    def status(self) -> str:
        """SAME: byte for byte. VALUE: the values, some in other bytes. DIFFERENT."""
        found = {step.status for step in self.steps}
        if self.ending or found - ALIKE:
            return DIFFERENT
        return VALUE if VALUE in found else SAME

    @property
    def is_alike(self) -> bool:
        """Whether all values are what they were."""
        return self.status in ALIKE

    @property
    def first_different(self) -> str | None:
        """The first step that is not deterministic; None where nothing differs."""
        origins = [step.name for step in self.steps if step.is_origin]
        others = [step.name for step in self.steps if step.status not in ALIKE]
        return next(iter([*origins, *others]), None)


class Verdict(NamedTuple):
    """A verification that is over."""

    run: str  # the recorded run
    again: str | None  # the run that repeated it; None: it was kept nowhere
    rerun: Rerun
    seconds_before: float
    seconds: float
    environment: tuple[str, ...]  # how it is not the run's, in words
    made: str = ""  # the environment that was made for it, in words


# Says how two artifacts with different bytes compare.
Look = Callable[[Artifact, Artifact], Compared]


def diff_rerun(
    graph: Sequence[GraphNode],
    before: Iterable[Task],
    after: Iterable[Task],
    look: Look,
    ending: str = "",
    *,
    partial: bool = False,
) -> Rerun:
    """Compares the last attempts of all tasks of two runs of one flow.

    `partial`: leaves out the tasks that only one of them has.
    """
    old, new = _placed(before), _placed(after)
    if partial:
        both = old.keys() & new.keys()
        old, new = ({p: t for p, t in side.items() if p in both} for side in (old, new))
    order = {name: place for place, name in enumerate(_order(graph))}
    last = len(order)
    places = sorted({*old, *new}, key=lambda p: (order.get(p[0], last), p))
    alike: dict[int, bool] = {}  # by the recorded task's id
    looked: dict[tuple[bytes, bytes], Compared] = {}

    def look_once(one: Artifact, other: Artifact) -> Compared:
        key = bytes(one.id), bytes(other.id)
        if key not in looked:
            looked[key] = look(one, other)
        return looked[key]._replace(name=one.name, type=one.type)

    steps: dict[str, list[TaskRerun]] = defaultdict(list)
    for place in _by_parents(places, old):
        task = _compare(place, old.get(place), new.get(place), alike, look_once)
        if task.before is not None:
            alike[task.before] = task.status in ALIKE and task.given_the_same
        steps[place[0]].append(task)
    names = sorted(steps, key=lambda name: order.get(name, last))
    return Rerun(tuple(_step(name, steps[name]) for name in names), ending)


def _placed(tasks: Iterable[Task]) -> dict[_Place, Task]:
    newest: dict[int, Task] = {}
    for task in tasks:
        if task.id not in newest or newest[task.id].attempt <= task.attempt:
            newest[task.id] = task
    found: dict[_Place, Task] = {}
    for number in sorted(newest):
        task, count = newest[number], 0
        indices = tuple(split.index for split in task.splits)
        while (task.step, indices, count) in found:
            count += 1
        found[task.step, indices, count] = task
    return found


def _by_parents(places: list[_Place], old: Mapping[_Place, Task]) -> list[_Place]:
    """Parents before children: by id where the recorded run has it, for ids follow the order."""
    return sorted(places, key=lambda place: old[place].id if place in old else 1 << 62)


def _compare(
    place: _Place, old: Task | None, new: Task | None, alike: Mapping[int, bool], look: Look
) -> TaskRerun:
    step, indices, count = place
    shown = step + "".join(f"[{index}]" for index in indices) + (f" #{count + 1}" if count else "")
    given = old is not None and all(alike.get(parent, True) for parent in old.parents)
    if old is None:
        after_id = None if new is None else new.id
        return TaskRerun(step, shown, None, after_id, NEW, given, (), 0, "it did not run before")
    if new is None:
        return TaskRerun(step, shown, old.id, None, MISSING, given, (), 0, "it did not run")
    before, after = _named(old), _named(new)
    found, same = [], 0
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if one is not None and other is not None:
            if one.id == other.id and one.type == other.type:
                same += 1
            else:
                found.append(look(one, other))
        elif one is not None:
            found.append(Compared(name, MISSING, one.type, what="it is not there any more"))
        elif other is not None:
            found.append(Compared(name, NEW, other.type, what="it was not there before"))
    what = _ending(old, new)
    worst = {one.status for one in found}
    status = DIFFERENT if what or worst - ALIKE else VALUE if worst else SAME
    return TaskRerun(step, shown, old.id, new.id, status, given, tuple(found), same, what)


def _named(task: Task) -> dict[str, Artifact]:
    """The artifacts of a task; those that could not be stored are not there on either side."""
    return {artifact.name: artifact for artifact in task.artifacts}


def _ending(old: Task, new: Task) -> str:
    """How a task ended otherwise than before, in words; empty if it did not."""
    # What an exception says may hold a path or a time; its type says what went wrong.
    if old.status != new.status or _raised(old) != _raised(new):
        return f"it {_ended(old)} before, and now it {_ended(new)}"
    if old.next != new.next or old.items != new.items:
        return "it led to other steps" if old.next != new.next else "it split into other parts"
    return ""


def _ended(task: Task) -> str:
    failure = task.failure or task.caught
    if failure is None:
        return "succeeded" if task.status == "ok" else "failed"
    return f"failed with {failure.type}: {failure.message}"[:200]


def _raised(task: Task) -> str | None:
    failure = task.failure or task.caught
    return None if failure is None else failure.type


def _step(name: str, tasks: list[TaskRerun]) -> StepRerun:
    found = {task.status for task in tasks}
    status = DIFFERENT if found - ALIKE else VALUE if VALUE in found else SAME
    origin = any(task.status not in ALIKE and task.given_the_same for task in tasks)
    return StepRerun(name, status, origin, tuple(tasks))


def _order(graph: Sequence[GraphNode]) -> list[str]:
    """The steps, each after those that lead to it, as far as there are no loops."""
    nodes = {node.name: node for node in graph}
    found: list[str] = []
    seen: set[str] = set()
    for first in nodes:
        stack = [(first, iter(nodes[first].next))] if first not in seen else []
        seen.add(first)
        while stack:
            name, following = stack[-1]
            step = next((one for one in following if one in nodes and one not in seen), None)
            if step is None:
                found.append(name)
                stack.pop()
            else:
                seen.add(step)
                stack.append((step, iter(nodes[step].next)))
    return found[::-1]
