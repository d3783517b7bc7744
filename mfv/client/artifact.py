"""Artifacts: one value that a task left."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mfv.client.base import RunPart
from mfv.client.reading import note
from mfv.client.rundata import local_time
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Task, TaskRef


class DataArtifact(RunPart):
    """One value that a task left on `self`, or one of the run's parameters and constants."""

    _DEPTH = 5
    _FORM = "DataArtifact('FlowName/RunID/StepName/TaskID/ArtifactName')"

    _ref: TaskRef
    _record: Task
    _artifact: Artifact

    def __init__(self, pathspec: str, attempt: int | None = None) -> None:
        """The artifact at `pathspec`, of the newest finished attempt unless `attempt` is given."""
        self._open(pathspec, attempt)

    @property
    def data(self) -> Any:
        """The value, loaded anew each time and every byte verified.

        This is what unpickles, and so runs what the pickle names: in repositories of one's own or
        that one trusts. Raises CorruptError, LoadError where the value needs something that is
        not installed here, or UntrustedError. Inside a step the record of its task then names what
        it read: see `Task.reads`.
        """
        return self.load()

    def load(self, *, trust: bool | None = None) -> Any:
        """The value, as `data` has it.

        `trust`: True unpickles it, whosever it is; False does not, whosever it is, and gives only
        values of harmless data (numbers, text, containers, dates, arrays of numpy). Raises as
        `data`; UntrustedError names what is not harmless.
        """
        value = self._run_data.load(self._artifact, self.pathspec, trust)
        note(self._run_data.origin_id, self._path, self._artifact)
        return value

    @property
    def size(self) -> int:
        """Bytes of the value as serialized."""
        return self._artifact.size

    @property
    def type(self) -> str:
        """The dotted name of the value's class, builtins without module."""
        return self._artifact.type

    @property
    def sha(self) -> str:
        """The id of the value in hex: equal for values stored as equal bytes, in any run."""
        return str(self._artifact.id)

    @property
    def created_at(self) -> datetime:
        """When it was stored: as its task finished."""
        return local_time(self._ref.ended)

    @property
    def finished_at(self) -> datetime:
        """The same as `created_at`."""
        return self.created_at

    @property
    def origin_pathspec(self) -> str | None:
        origin = self._run_data.origin(self._record)
        return None if origin is None else f"{origin}/{self.id}"

    def _look_up(self) -> None:
        data = self._run_data
        self._ref = data.find_task(self._path[2], self._path[3], self._attempt)
        self._record = data.record(self._ref)
        self._artifact = data.find_artifact(self._record, self.id)
