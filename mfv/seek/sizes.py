"""What takes the room: bytes by run, flow or artifact, stored and logical, shared and unique."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from mfv.errors import CorruptError
from mfv.found.sizes import Size
from mfv.ids import BlobId
from mfv.manifest.records import Task
from mfv.odb.ranges import by_range
from mfv.repo.reachable import Keeping, blobs_of, records_of
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

Objects = dict[bytes, int]  # bytes on disk by id


def by_run(runs: Sequence[RunView]) -> list[Size]:
    """Each run, in the order given."""
    return _sizes(runs, lambda run: run.name)


def by_flow(runs: Sequence[RunView]) -> list[Size]:
    """Each flow, the largest first."""
    return sorted(_sizes(runs, lambda run: run.flow), key=lambda size: -size.stored)


def by_artifact(runs: Sequence[RunView]) -> list[Size]:
    """Each artifact by `Flow/step/name`, the largest first, counted where it was made."""
    meter = _Meter(runs)
    logical: dict[str, int] = defaultdict(int)
    objects: dict[str, set[bytes]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for run in runs:
        keeping = Keeping.of(run.state)
        for task in _tasks(run):
            for artifact in task.artifacts:
                if artifact.name in task.inherited or not artifact.frames:
                    continue
                if not keeping.keeps(task.step, artifact):
                    continue
                name = f"{run.flow}/{task.step}/{artifact.name}"
                logical[name] += artifact.size
                counts[name] += 1
                objects[name] |= meter.behind(frame.id for frame in artifact.frames)
    found = meter.sizes(objects, logical, counts)
    return sorted(found, key=lambda size: -size.stored)


def _sizes(runs: Sequence[RunView], name_of: Callable[[RunView], str]) -> list[Size]:
    meter = _Meter(runs)
    logical: dict[str, int] = defaultdict(int)
    objects: dict[str, set[bytes]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for run in runs:
        name = name_of(run)
        counts[name] += 1
        try:
            blobs = list(blobs_of(run))
            records = {bytes(one) for one in records_of(run)}
        except CorruptError:
            objects[name] |= set()
            continue
        objects[name] |= meter.behind(blobs) | records
        logical[name] += sum(file.size for file in run.tree.files)
        keeping = Keeping.of(run.state)
        for task in _tasks(run):
            kept = (one for one in task.artifacts if keeping.keeps(task.step, one))
            logical[name] += sum(one.size for one in kept) + task.stdout.size + task.stderr.size
    return meter.sizes(objects, logical, counts)


class _Meter:
    """What each object takes on disk: its share of the pack, once however many copies there are."""

    def __init__(self, runs: Sequence[RunView]) -> None:
        self._stored: Objects = {}
        self._behind: dict[bytes, frozenset[bytes]] = {}
        self._repository: Repository | None = runs[0].repository if runs else None
        if self._repository is None:
            return
        index = self._repository.database.index
        index.load_all()
        for members in by_range(index):
            records = [location.record for location in members]
            raw = sum(record.size for record in records)
            for record in records:
                # What is compressed together shares what that takes, by size.
                share = record.stored * record.size // raw if raw else record.stored
                self._stored.setdefault(record.id, share)

    def behind(self, blobs: Iterable[BlobId]) -> set[bytes]:
        """The blobs and their chunks."""
        found: set[bytes] = set()
        assert self._repository is not None
        for blob in blobs:
            if blob not in self._behind:
                try:
                    chunks = self._repository.database.needed_chunks(blob, set())
                    self._behind[bytes(blob)] = frozenset((bytes(blob), *map(bytes, chunks)))
                except CorruptError:
                    self._behind[bytes(blob)] = frozenset((bytes(blob),))
            found |= self._behind[bytes(blob)]
        return found

    def sizes(
        self, objects: dict[str, set[bytes]], logical: dict[str, int], counts: dict[str, int]
    ) -> list[Size]:
        users: dict[bytes, int] = defaultdict(int)
        for some in objects.values():
            for one in some:
                users[one] += 1
        return [
            Size(
                name,
                logical[name],
                sum(self._stored.get(one, 0) for one in some),
                sum(self._stored.get(one, 0) for one in some if users[one] == 1),
                counts[name],
            )
            for name, some in objects.items()
        ]


def _tasks(run: RunView) -> Iterable[Task]:
    for ref in run.refs:
        try:
            yield run.repository.task(ref)
        except CorruptError:
            continue


def disk_of(repository: Repository) -> dict[str, int]:
    """Bytes of the files of a repository: `packs`, `log`."""
    backend = repository.backend
    return {
        folder: sum(backend.stat(key).size for key in backend.list(f"{folder}/"))
        for folder in ("packs", "log")
    }
