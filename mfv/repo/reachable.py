"""Everything that a run leads to: what gc keeps and fsck looks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mfv.ids import BlobId, EnvironmentId, ObjectId, OpeningId, RunId, TaskId, TreeId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Log, Opening, Run, Task, Tree
from mfv.repo import trees
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
    yield from trees.ids(run.repository.database, TreeId(run.opening.tree))
    yield EnvironmentId(run.opening.environment)
    for ref in run.refs:
        yield TaskId(ref.manifest)


def blobs_of(run: RunView) -> Iterator[BlobId]:
    """The blobs that the run's records name, some of them more than once."""
    yield from blobs_of_tree(run.tree)
    yield from blobs_of_opening(run.opening)
    for ref in run.refs:
        yield from blobs_of_task(run.repository.task(ref))
    if run.manifest is not None:
        yield from blobs_of_manifest(run.manifest)


def blobs_of_tree(tree: Tree) -> Iterator[BlobId]:
    for file in tree.files:
        yield BlobId(file.blob)


def blobs_of_opening(opening: Opening) -> Iterator[BlobId]:
    """The blobs that an opening names itself; those of its tree are not among them."""
    yield from _frames(opening.parameters)
    yield from _frames(opening.constants)
    for file in opening.given:
        yield BlobId(file.blob)


def blobs_of_task(task: Task) -> Iterator[BlobId]:
    yield from _frames(task.artifacts)
    yield from _log(task.stdout)
    yield from _log(task.stderr)


def blobs_of_manifest(manifest: Run) -> Iterator[BlobId]:
    """The blobs that a sealed run names itself; those of its tasks are not among them."""
    yield from _frames(manifest.results)


def _frames(artifacts: Iterable[Artifact]) -> Iterator[BlobId]:
    for artifact in artifacts:
        for frame in artifact.frames:
            yield frame.id


def _log(log: Log) -> Iterator[BlobId]:
    if log.blob is not None:
        yield BlobId(log.blob)
