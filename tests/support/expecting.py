"""What a repository is to hold: kept beside it, from what was done, and never asked of it.

An object is live while a run needs it. Which objects a run needs is noted when it is written; what
a gc deletes follows from that and from what the packs say that they hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from mfv.ids import BlobId, OpeningId, PackId
from mfv.odb.codec import Codec
from mfv.odb.packindex import list_packs, read_index
from mfv.repo.names import RunState
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.storage.base import Backend

Key = tuple[str, int]  # flow and number of a run


@dataclasses.dataclass
class ExpectedTask:
    """One finished task."""

    values: dict[str, Any]
    record: bytes
    frames: dict[str, set[bytes]]  # objects that the value of a name needs


@dataclasses.dataclass
class ExpectedRun:
    """One run, and what people did to it."""

    place: int  # in the order in which runs were opened
    records: set[bytes]  # objects that it needs whatever is swept or dropped
    status: str = "open"
    sealed: Any = None
    tasks: dict[int, ExpectedTask] = dataclasses.field(default_factory=dict)
    tags: set[str] = dataclasses.field(default_factory=set)
    note: str = ""
    removed: int = 0  # µs: when it went into the trash
    swept: bool = False
    dropped: set[str] = dataclasses.field(default_factory=set)

    def kept(self, task: ExpectedTask) -> dict[str, Any]:
        """The values whose bytes are to be there."""
        return {
            name: value
            for name, value in task.values.items()
            if not task.frames[name] or not (self.swept or name in self.dropped)
        }

    def needs(self) -> set[bytes]:
        found = set(self.records)
        for task in self.tasks.values():
            found.add(task.record)
            for name in self.kept(task):
                found |= task.frames[name]
        return found

    def names_with_bytes(self) -> set[str]:
        return {name for task in self.tasks.values() for name, some in task.frames.items() if some}


def records_of(repository: Repository, run: RunRecorder) -> set[bytes]:
    """The objects that a run needs from its opening on."""
    state = repository.state.find(run.flow, run.number)
    assert state is not None and state.opening is not None
    tree = repository.tree(run.opening)
    found = {bytes(OpeningId(state.opening)), run.opening.tree, run.opening.environment}
    for file in tree.files:
        found |= objects_of(repository, file.blob)
    return found


def tasks_of(
    repository: Repository, state: RunState, values: dict[int, dict[str, Any]]
) -> dict[int, ExpectedTask]:
    """The tasks that were just committed, as they are to be from now on."""
    found = {}
    for ref in repository.tasks(state):
        if ref.id in values:
            artifacts = repository.task(ref).artifacts
            frames = {
                one.name: set[bytes]().union(
                    *(objects_of(repository, bytes(frame.blob)) for frame in one.frames)
                )
                for one in artifacts
            }
            found[ref.id] = ExpectedTask(values[ref.id], ref.manifest, frames)
    return found


def objects_of(repository: Repository, blob: bytes) -> set[bytes]:
    """A blob and the chunks that it was cut into."""
    return {bytes(blob), *map(bytes, repository.database.chunk_ids(BlobId(blob)))}


def held(backend: Backend) -> dict[PackId, set[bytes]]:
    """What each pack says that it holds."""
    return {
        pack: {record.id for record in read_index(backend, pack)} for pack in list_packs(backend)
    }


def doomed(backend: Backend, runs: Iterable[ExpectedRun], condemned: set[bytes]) -> set[PackId]:
    """The packs that a gc deletes: nothing in them is live, or they were condemned before.

    What groups of live chunks build on is live as well.
    """
    packs, database = held(backend), Repository(backend).database
    live = set[bytes]().union(*(run.needs() for run in runs))
    groups = [one for one in database.index if one.record.codec == Codec.GROUP]
    more = True
    while more:
        bases = {
            bytes(base)
            for one in groups
            if one.record.id in live and one.pack not in condemned
            for base in database.base_of(one)
        }
        more = not bases <= live
        live |= bases
    return {pack for pack, some in packs.items() if pack in condemned or not some & live}
