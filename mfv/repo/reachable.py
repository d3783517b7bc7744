"""Everything that a run leads to: what gc keeps and fsck looks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mfv.ids import BlobId, EnvironmentId, ObjectId, OpeningId, RunId, TaskId, TreeId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Log
from mfv.repo.view import RunView


def records_of(run: RunView) -> Iterator[ObjectId]:
    """The ids of the run's own records; CorruptError where one that leads on is damaged."""
    if run.state.opening is not None:
        yield OpeningId(run.state.opening)
    manifest = run.manifest
    if run.state.manifest is not None:
        yield RunId(run.state.manifest)
    if manifest is not None and manifest.opening != run.state.opening:
        yield OpeningId(manifest.opening)
    yield TreeId(run.opening.tree)
    yield EnvironmentId(run.opening.environment)
    for ref in run.refs:
        yield TaskId(ref.manifest)


def blobs_of(run: RunView) -> Iterator[BlobId]:
    """The blobs that the run's records name, some of them more than once."""
    for file in run.tree.files:
        yield BlobId(file.blob)
    yield from _frames(run.opening.parameters)
    yield from _frames(run.opening.constants)
    for ref in run.refs:
        task = run.repository.task(ref)
        yield from _frames(task.artifacts)
        yield from _log(task.stdout)
        yield from _log(task.stderr)
    if run.manifest is not None:
        yield from _frames(run.manifest.results)


def _frames(artifacts: Iterable[Artifact]) -> Iterator[BlobId]:
    for artifact in artifacts:
        for frame in artifact.frames:
            yield frame.id


def _log(log: Log) -> Iterator[BlobId]:
    if log.blob is not None:
        yield BlobId(log.blob)
