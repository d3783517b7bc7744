"""What tasks read of other runs: noted here as it is read, and told by `Task.reads`."""

from __future__ import annotations

import os
from typing import NamedTuple

from mfv.manifest import records
from mfv.manifest.artifact import Artifact
from mfv.repo.reads import VARIABLE, join, notebook


class ArtifactRead(NamedTuple):
    """One artifact of another run that a task loaded through the client."""

    pathspec: str  # Flow/run/step/task/name
    sha: str  # what it was; the same as `DataArtifact.sha`
    repository: str  # id of the repository where that run was made, in hex

    @classmethod
    def of(cls, read: records.Read) -> ArtifactRead:
        return cls(read.pathspec, read.artifact.hex(), read.origin.hex())


def note(origin: bytes, path: tuple[str, ...], artifact: Artifact) -> None:
    """Notes that the artifact at `path` was read, if this is a task, or was started by one.

    `origin`: the id of the repository where the run was made.
    """
    book = notebook()
    if book is None:
        file = os.environ.get(VARIABLE)
        if not file:
            return
        book = join(file)
    flow, run, step, task, name = path
    book.note(records.Read(origin, flow, int(run), step, int(task), name, bytes(artifact.id)))
