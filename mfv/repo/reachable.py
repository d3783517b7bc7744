"""Everything that a run leads to: what gc keeps and fsck looks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mfv.ids import BlobId, EnvironmentId, ObjectId, OpeningId, RunId, TaskId, TreeId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Log, Opening, Run, Task, Tree
from mfv.repo import trees
from mfv.repo.names import RunState
from mfv.repo.view import RunView


class Keeping(NamedTuple):
    """Which of a run's bytes are kept: of a swept run none but its code, of others all but some."""

    swept: bool = False
    dropped: frozenset[str] = frozenset()

    @classmethod
    def of(cls, state: RunState) -> Keeping:
        return cls(state.swept, frozenset(state.dropped))

    def keeps(self, step: str, artifact: Artifact) -> bool:
        """Whether the bytes of an artifact of that step are kept."""
        names = {artifact.name, f"{step}/{artifact.name}"}
        return not self.swept and names.isdisjoint(self.dropped)


ALL = Keeping()


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
    """The blobs that the run's records name and that are kept, some of them more than once."""
    keeping = Keeping.of(run.state)
    yield from blobs_of_tree(run.tree)
    yield from blobs_of_opening(run.opening)
    for ref in run.refs:
        yield from blobs_of_task(run.repository.task(ref), keeping)
    if run.manifest is not None:
        yield from blobs_of_manifest(run.manifest)


def sizes_of(run: RunView) -> Iterator[tuple[str, BlobId, int]]:
    """What the run's records say of the size of blobs that are kept: whose, which, how many bytes.

    CorruptError where a record is damaged.
    """
    keeping = Keeping.of(run.state)
    for file in run.tree.files:
        yield file.path.decode("utf-8", "replace"), BlobId(file.blob), file.size
    for given in run.opening.given:
        yield " ".join(given.option), BlobId(given.blob), given.size
    artifacts = [("", one) for one in (*run.opening.parameters, *run.opening.constants)]
    for ref in run.refs:
        task = run.repository.task(ref)
        artifacts += [
            (f"{ref.step}/{ref.id}/", one)
            for one in task.artifacts
            if keeping.keeps(task.step, one)
        ]
        for place, artifact in artifacts:
            for frame in artifact.frames:
                yield f"{place}{artifact.name}", frame.id, frame.size
        artifacts = []


def blobs_of_tree(tree: Tree) -> Iterator[BlobId]:
    for file in tree.files:
        yield BlobId(file.blob)


def blobs_of_opening(opening: Opening) -> Iterator[BlobId]:
    """The blobs that an opening names itself; those of its tree are not among them.

    What a run was given is small, and it takes no new run without it, so of a swept one it stays.
    """
    yield from _frames(opening.parameters)
    yield from _frames(opening.constants)
    for file in opening.given:
        yield BlobId(file.blob)


def blobs_of_task(task: Task, keeping: Keeping = ALL) -> Iterator[BlobId]:
    yield from _frames(one for one in task.artifacts if keeping.keeps(task.step, one))
    if not keeping.swept:
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
