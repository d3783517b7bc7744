"""Artifacts: one value that a task left, and the bundle of all of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mfv.client.taskref import origin_of

from mfv.client.base import RunPart
from mfv.client.rundata import local_time
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Task, TaskRef


class DataArtifact(RunPart):
    """One value that a task left on `self`, or one of the run's parameters and constants."""

    _DEPTH = 5
    _FORM = "DataArtifact('FlowName/RunID/StepName/TaskID/ArtifactName')"

    _artifact: Artifact | None = None
    _ref: TaskRef
    _record: Task

    def __init__(self, pathspec: str, attempt: int | None = None) -> None:
        """The artifact at `pathspec`, of the newest attempt unless `attempt` says which."""
        self._attempt_wanted = attempt
        super().__init__(pathspec)

    @property
    def data(self) -> Any:
        """The value, loaded anew each time and every byte verified.

        This is what unpickles, and so runs what the pickle names. Raises CorruptError, or
        LoadError where the value needs something that is not installed here.
        """
        return self._run_data.load(self._found)

    @property
    def size(self) -> int:
        """Bytes of the value as serialized."""
        return self._found.size

    @property
    def sha(self) -> str:
        """The id of the value: equal for equal stored bytes, whatever run they are of."""
        return str(self._found.id)

    @property
    def created_at(self) -> datetime:
        """When its task finished, for then it was stored."""
        return local_time(self._ref.ended)

    @property
    def finished_at(self) -> datetime:
        """The same as `created_at`."""
        return self.created_at

    @property
    def origin_pathspec(self) -> str | None:
        origin = origin_of(self._record, self._path)
        return None if origin is None else f"{origin}/{self.id}"

    @property
    def _found(self) -> Artifact:
        assert self._artifact is not None
        return self._artifact
