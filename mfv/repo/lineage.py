"""Which earlier values an artifact is stored after: those of the same task of earlier runs.

Runs come in generations. The first of one is stored by itself; each later one builds on one of
those before, by a table that keeps both small, the distance between the two (what was changed in
between is stored) and the number of versions that reading leads through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mfv.errors import MfvError
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Split, Task, TaskRef
from mfv.repo.repository import Repository

# By place in a generation: the place that it builds on. Of all tables of this length in which no
# place leads through more than four others, none has a smaller sum of distances.
BASES = (0, 0, 0, 2, 3, 4, 0, 6, 7, 8, 6, 10, 11, 10, 13, 13)


class Lineage(NamedTuple):
    """Records of earlier values of an artifact, newest first, and which of them to build on."""

    path: tuple[Artifact, ...] = ()
    base: int = 0  # into `path`


# Asked for only by what is large and new.
Find = Callable[[], Lineage]


def ancestors(number: int) -> tuple[list[int], int]:
    """The runs by which run `number` finds what stood where, newest first, and the one to build on.

    All of one generation; none for the first of it. The second is an index into the list.
    """
    start, place = (number - 1) // len(BASES) * len(BASES) + 1, (number - 1) % len(BASES)
    if place == 0:
        return [], 0
    path = [place - 1]
    while path[-1]:
        path.append(BASES[path[-1]])
    return [start + one for one in path], path.index(BASES[place])


class Ancestry:
    """The earlier versions of one task, read when they are asked for."""

    def __init__(
        self, repository: Repository, flow: str, number: int, step: str, splits: tuple[Split, ...]
    ) -> None:
        self._repository = repository
        self._flow, self._number, self._step = flow, number, step
        self._splits = [(split.step, split.index, split.total) for split in splits]
        self._tasks: list[Task | None] | None = None

    def of(self, name: str) -> Lineage:
        """The lineage of the artifact `name`; empty where nothing is known, never an error."""
        numbers, base = ancestors(self._number)
        if self._tasks is None:
            self._tasks = [self._task(number) for number in numbers]
        found = [_artifact(task, name) for task in self._tasks]
        path = tuple(artifact for artifact in found if artifact is not None)
        return Lineage(path, sum(artifact is not None for artifact in found[:base]))

    def _task(self, number: int) -> Task | None:
        """The same task of run `number`, or None."""
        try:
            run = self._repository.state.find(self._flow, number)
            if run is None or run.swept:
                return None
            refs = [ref for ref in self._repository.tasks(run) if ref.step == self._step]
            for ref in self._candidates(refs):
                task = self._repository.task(ref)
                if [(one.step, one.index, one.total) for one in task.splits] == self._splits:
                    return task
        except MfvError:
            return None  # what cannot be read cannot be built on; `fsck` tells of it
        return None

    def _candidates(self, refs: list[TaskRef]) -> Iterator[TaskRef]:
        """Those that may be it: among the tasks of a foreach, the one in its place."""
        attempts = {ref.id: ref for ref in refs if ref.status == "ok"}
        place = 0
        for _, index, total in self._splits:
            place = place * total + index
        in_order = [attempts[key] for key in sorted(attempts)]
        yield from in_order[place : place + 1]


def _artifact(task: Task | None, name: str) -> Artifact | None:
    if task is None:
        return None
    return next((one for one in task.artifacts if one.name == name), None)
