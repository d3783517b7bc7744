"""gc: which packs nothing leads to, and their removal in two stages.

First a log entry condemns them, then they are deleted. Commits go through the same log by the
same create-if-absent, so a commit that relies on a condemned pack is either before the entry,
and then the marking saw it, or after it, and then it stores the bytes anew. Neither a lock nor a
clock decides; `grace` only spares writers from storing twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec

from mfv.errors import ConflictError, CorruptError, NotFoundError
from mfv.ids import PackId
from mfv.odb.packindex import key_of, list_packs
from mfv.odb.whereabouts import PackIndex
from mfv.repo.entries import Condemn
from mfv.repo.names import State
from mfv.repo.reachable import blobs_of, records_of
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.local import LocalBackend

GRACE = 3600.0  # seconds


class Doomed(msgspec.Struct, frozen=True):
    """One pack that is to go."""

    pack: bytes
    size: int  # bytes
    objects: int


class GcPlan(msgspec.Struct, frozen=True):
    """What a gc would do, as of one entry of the log."""

    entry: int  # the plan holds while this is the log's last entry
    doomed: tuple[Doomed, ...]
    leftover: tuple[bytes, ...]  # condemned by an earlier gc, and still there
    spared: int  # packs that nothing leads to, younger than the grace
    kept: int  # packs that something leads to
    kept_size: int  # bytes
    dead_inside: int  # bytes of objects in kept packs that nothing leads to
    runs: int

    @property
    def size(self) -> int:
        """Bytes that come free."""
        return sum(one.size for one in self.doomed)


def plan(repository: Repository, *, grace: float = GRACE) -> GcPlan:
    """Marks everything that runs lead to, and says what is left over.

    Fails closed: raises CorruptError if any entry, record or pack index cannot be read, because
    what it would lead to is unknown.
    """
    state = repository.state
    if repository.log.damaged:
        raise CorruptError(
            f"{next(iter(repository.log.damaged.values()))}, so nothing can be deleted safely",
            hint="`mfv fsck` says what is touched",
        )
    index = repository.database.index
    index.load_all()
    _refuse_damage(index, state)
    live = set(_live(repository, state))
    objects: dict[PackId, int] = {}
    alive: set[PackId] = set()
    dead_bytes: dict[PackId, int] = {}
    for location in index:
        pack = location.pack
        objects[pack] = objects.get(pack, 0) + 1
        if location.record.id in live:
            alive.add(pack)
        else:
            dead_bytes[pack] = dead_bytes.get(pack, 0) + location.record.stored
    _refuse_damage(index, state)
    return _sort(repository, state, objects, alive, dead_bytes, grace)


def _refuse_damage(index: PackIndex, state: State) -> None:
    for pack, error in index.damaged.items():
        if pack not in state.condemned:
            raise error


def run(repository: Repository, planned: GcPlan, *, grace: float = GRACE) -> GcPlan:
    """Does what `planned` says; plans anew where the log went on meanwhile. Returns what was done.

    May be stopped anywhere and called again.
    """
    while True:
        if planned.doomed:
            doomed = tuple(one.pack for one in planned.doomed)

            def build(
                state: State, entry: int = planned.entry, packs: tuple[bytes, ...] = doomed
            ) -> Condemn:
                if state.number != entry:
                    raise ConflictError("the log went on")
                return Condemn(packs)

            try:
                repository.log.append(build)
            except ConflictError:
                planned = plan(repository, grace=grace)
                continue
        for pack in (*(one.pack for one in planned.doomed), *planned.leftover):
            repository.backend.delete(key_of(PackId(pack)))
        if isinstance(repository.backend, LocalBackend):
            repository.backend.clear_abandoned()
        return planned


def _live(repository: Repository, state: State) -> Iterator[bytes]:
    """The ids of all objects that some run leads to, chunks and what they build on included."""
    seen: set[bytes] = set()
    chunks: set[bytes] = set()
    for run_state in state:
        view = RunView(repository, run_state)
        for record in records_of(view):
            yield bytes(record)
        for blob in blobs_of(view):
            if blob not in seen:
                seen.add(bytes(blob))
                yield bytes(blob)
                yield from repository.database.needed_chunks(blob, chunks)


def _sort(
    repository: Repository,
    state: State,
    objects: dict[PackId, int],
    alive: set[PackId],
    dead_bytes: dict[PackId, int],
    grace: float,
) -> GcPlan:
    doomed, leftover, spared, kept, kept_size = [], [], 0, 0, 0
    now = time.time()
    for pack in list_packs(repository.backend):
        try:
            found = repository.backend.stat(key_of(pack))
        except NotFoundError:
            continue  # another gc was here
        if pack in state.condemned:
            leftover.append(bytes(pack))
        elif pack in alive or pack not in objects:
            kept += 1  # alive, or so new that the marking has not seen it
            kept_size += found.size
        elif grace > 0 and now - found.modified < grace:
            spared += 1
        else:
            doomed.append(Doomed(bytes(pack), found.size, objects[pack]))
    return GcPlan(
        entry=state.number,
        doomed=tuple(doomed),
        leftover=tuple(leftover),
        spared=spared,
        kept=kept,
        kept_size=kept_size,
        dead_inside=sum(
            size
            for pack, size in dead_bytes.items()
            if pack in alive and pack not in state.condemned
        ),
        runs=sum(len(numbers) for numbers in state.runs.values()),
    )
