"""Runs: one execution of a flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from mfv.client.base import RunPart
from mfv.client.code import MetaflowCode
from mfv.client.place import place_at
from mfv.client.reading import ArtifactRead
from mfv.client.rundata import local_time
from mfv.client.step import Step
from mfv.client.tags import Tag, change_tags
from mfv.client.task import Task
from mfv.client.values import MetaflowData


class Run(RunPart):
    """One execution of a flow. It contains the steps that have a finished task.

    `run['_parameters']` is a step like any other, with one task that holds the parameters and
    constants, and is not listed.
    """

    _DEPTH = 2
    _FORM = "Run('FlowName/RunID')"

    def __iter__(self) -> Iterator[Step]:
        """The steps that have a finished task, newest first."""
        names = list(self._run_data.steps())
        return (self._child(Step, name) for name in reversed(names))

    def __getitem__(self, name: str) -> Step:
        """The step of that name; KeyError, also for one of which no task has finished."""
        return self._item(Step, name)

    def _ipython_key_completions_(self) -> list[str]:
        return [step.id for step in self]

    def __contains__(self, name: object) -> bool:
        return self._has(Step, name)

    def steps(self, *tags: str) -> Iterator[Step]:
        """The steps that have a finished task, newest first; none if the run lacks a tag."""
        return (step for step in self if step._bears_all(tags))

    @property
    def status(self) -> str:
        """`open`, or how it ended: `ok`, `failed`, `interrupted` or `crashed`."""
        return self._run_data.status

    @property
    def end_task(self) -> Task | None:
        """The task of the step where the flow ends; None if the run did not come so far."""
        data = self._run_data
        end = data.end_step
        return self._child(Step, end).task if end in data.steps() else None

    @property
    def data(self) -> MetaflowData | None:
        """The values that the end task left; None if the run did not come so far."""
        end = self.end_task
        return None if end is None else end.data

    @property
    def note(self) -> str:
        """What somebody has to say of the run (`mfv note`), as of now; empty: nothing."""
        return self._run_data.state.note

    @property
    def successful(self) -> bool:
        """Whether the end task succeeded."""
        if self._run_data.state.status == "ok":
            return True  # without reading a record of it
        end = self.end_task
        return end is not None and end.successful

    @property
    def finished(self) -> bool:
        """Whether the end task came to its end; False for a run that failed, or goes on."""
        return self.successful

    @property
    def created_at(self) -> datetime:
        """When it began, in local time."""
        return local_time(self._run_data.created)

    @property
    def finished_at(self) -> datetime | None:
        """When the end task ended, in local time; None if the run did not come so far."""
        end = self.end_task
        return None if end is None else end.finished_at

    @property
    def code(self) -> MetaflowCode:
        """The code that ran, and what was around it."""
        return MetaflowCode(self._run_data)

    @property
    def origin_pathspec(self) -> str | None:
        origin = self._run_data.opening.resumed_from
        return None if origin is None else f"{self._path[0]}/{origin}"

    @property
    def reads(self) -> list[ArtifactRead]:
        """The artifacts of other runs that its tasks loaded through the client, each once."""
        data = self._run_data
        refs = [data.attempts(step, id)[-1] for step, ids in data.steps().items() for id in ids]
        found = [ArtifactRead.of(read) for ref in refs for read in data.record(ref).reads]
        return list(dict.fromkeys(found))

    @property
    def trigger(self) -> None:
        """The events that started the run: None, for people and programs start runs here."""
        return None

    def add_tag(self, tag: Tag | Iterable[Tag]) -> None:
        """Puts a tag on. Nothing happens if it is there already, as the system's or the user's.

        Raises UsageError for a name that cannot be a tag, MetaflowTaggingError past 50 of them.
        """
        change_tags(self._run_data, (), tag)

    def add_tags(self, tags: Iterable[Tag]) -> None:
        """Puts several tags on, or none if one of them cannot be put on."""
        change_tags(self._run_data, (), tags)

    def remove_tag(self, tag: Tag | Iterable[Tag]) -> None:
        """Takes a tag off. Nothing happens if it is not there; a system tag raises."""
        change_tags(self._run_data, tag, ())

    def remove_tags(self, tags: Iterable[Tag]) -> None:
        """Takes several tags off, or none if one of them is a system tag."""
        change_tags(self._run_data, tags, ())

    def replace_tag(
        self, tag_to_remove: Tag | Iterable[Tag], tag_to_add: Tag | Iterable[Tag]
    ) -> None:
        """Takes a tag off and puts another on: both, or neither."""
        change_tags(self._run_data, tag_to_remove, tag_to_add)

    def replace_tags(self, tags_to_remove: Iterable[Tag], tags_to_add: Iterable[Tag]) -> None:
        """Takes tags off, then puts others on: all of it, or nothing."""
        change_tags(self._run_data, tags_to_remove, tags_to_add)

    def _look_up(self) -> None:
        _ = self._run_data  # finds the run, or raises


def run_at(folder: Path, flow: str, number: str) -> Run:
    """The run of that number in the repository at `folder`, whatever the namespace."""
    run = Run.__new__(Run)
    run._attach(place_at(folder), (flow, number), None, None)
    return run
