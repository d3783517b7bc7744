"""Steps: the executions of one step of a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from mfv.client.base import RunPart
from mfv.client.rundata import PARAMETERS, local_time
from mfv.client.task import Task


class Step(RunPart):
    """One step of a run. It contains the tasks that finished; a foreach step has many."""

    _DEPTH = 3
    _FORM = "Step('FlowName/RunID/StepName')"

    def __iter__(self) -> Iterator[Task]:
        """The finished tasks, newest first."""
        ids = self._run_data.step(self.id)
        return (self._child(Task, str(id)) for id in reversed(ids))

    def __getitem__(self, task_id: str | int) -> Task:
        """The task of that id; KeyError."""
        return self._item(Task, task_id)

    def _ipython_key_completions_(self) -> list[str]:
        return [task.id for task in self]

    def __contains__(self, task_id: object) -> bool:
        return self._has(Task, task_id)

    @property
    def task(self) -> Task:
        """The task of a step that has one; of several, the newest."""
        return next(iter(self))

    def tasks(self, *tags: str) -> Iterator[Task]:
        """The finished tasks, newest first; none if the run does not bear all of `tags`."""
        return (task for task in self if task._bears_all(tags))

    @property
    def control_task(self) -> Task | None:
        """The first of the parallel tasks of a `num_parallel`; None for any other step."""
        return next(self.control_tasks(), None)

    def control_tasks(self, *tags: str) -> Iterator[Task]:
        """The first task of each group of parallel tasks, newest first; none without `tags`."""
        return (task for task in self.tasks(*tags) if task._is_control)

    @property
    def created_at(self) -> datetime:
        """When the first of its tasks began, in local time."""
        return min(task.created_at for task in self)

    @property
    def finished_at(self) -> datetime | None:
        """When the last of its tasks ended, in local time; None while this process runs one."""
        data = self._run_data
        ends = [data.attempts(self.id, id)[-1].ended for id in data.step(self.id)]
        return local_time(max(ends)) if all(ends) else None

    @property
    def environment_info(self) -> dict[str, Any]:
        """The machine, and `packages` with the version of each."""
        return self.task.environment_info

    @property
    def parent_steps(self) -> Iterator[Step]:
        """The steps that lead here, those that have a finished task."""
        return self._siblings(self._run_data.previous_steps(self.id))

    @property
    def child_steps(self) -> Iterator[Step]:
        """The steps that this one leads to, those that have a finished task."""
        return self._siblings(self._run_data.next_steps(self.id))

    @property
    def origin_pathspec(self) -> str | None:
        if self.id == PARAMETERS:
            return None
        for task in self:  # some of a foreach may have been taken over, and others run again
            origin = task.origin_pathspec
            if origin is not None:
                return origin.rpartition("/")[0]
        return None

    def _look_up(self) -> None:
        self._run_data.step(self.id)

    def _siblings(self, names: list[str]) -> Iterator[Step]:
        there = self._run_data.steps()
        for name in names:
            if name in there:
                found = Step.__new__(Step)
                found._data = self._data
                found._attach(self._place, (*self._path[:2], name), None, self._namespace)
                yield found
