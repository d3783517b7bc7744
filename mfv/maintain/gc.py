"""gc: which packs nothing leads to, and their removal in two stages.

First a log entry condemns them, then they are deleted. Commits go through the same log by the
same create-if-absent, so a commit that relies on a condemned pack is either before the entry,
and then the marking saw it, or after it, and then it stores the bytes anew. Neither a lock nor a
clock decides; `grace` only spares writers from storing twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from mfv.errors import ConflictError, CorruptError, NotFoundError
from mfv.ids import PackId
from mfv.maintain.marks import Marks, refuse_damage
from mfv.odb.packindex import key_of, list_packs
from mfv.odb.ranges import by_range
from mfv.repo.archive import FOLDER
from mfv.repo.entries import Condemn
from mfv.repo.names import State
from mfv.repo.repository import Repository
from mfv.storage.base import settle
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


def plan(repository: Repository, *, grace: float = GRACE, marks: Marks | None = None) -> GcPlan:
    """Marks everything that runs lead to, and says what is left over.

    `marks` are carried on where they are given. Fails closed: raises CorruptError if any entry,
    record or pack index cannot be read, because what it would lead to is unknown.
    """
    marks = marks or Marks(repository)
    marks.catch_up()
    state, index, live = repository.log.state, repository.database.index, marks.objects
    objects: dict[PackId, int] = {}
    alive: set[PackId] = set()
    dead_bytes: dict[PackId, int] = {}
    for members in by_range(index):
        pack, record = members[0]
        objects[pack] = objects.get(pack, 0) + len(members)
        if any(location.record.id in live for location in members):
            alive.add(pack)
        else:
            dead_bytes[pack] = dead_bytes.get(pack, 0) + record.stored
    refuse_damage(index, state)
    return _sort(repository, state, objects, alive, dead_bytes, grace)


def run(
    repository: Repository,
    planned: GcPlan,
    *,
    grace: float = GRACE,
    marks: Marks | None = None,
) -> GcPlan:
    """Does what `planned` says; plans anew where the log went on meanwhile. Returns what was done.

    May be stopped anywhere and called again.
    """
    while True:
        if planned.doomed:
            doomed = tuple(one.pack for one in planned.doomed)

            since = _Since(repository, marks, planned.entry, doomed)

            def build(state: State, since: _Since = since) -> Condemn:
                since.look(state)
                return Condemn(since.packs)

            try:
                repository.log.append(build)
            except ConflictError:
                planned = plan(repository, grace=grace, marks=marks)
                continue
            except _NothingLeftError:
                pass  # every pack was on its way to an entry
            left = tuple(one for one in planned.doomed if one.pack in since.packs)
            planned = msgspec.structs.replace(planned, doomed=left)
        if planned.leftover:
            settle(repository.backend, FOLDER)  # who condemned them may have been killed just there
        delete_packs(repository, [*(one.pack for one in planned.doomed), *planned.leftover])
        return planned


class _NothingLeftError(Exception):
    """All packs of a plan are needed after all."""


class _Since:
    """What came since a plan was made, and what is left of the plan.

    Beside writers that never rest a plan is always old when it is carried out, and some of its
    packs are a moment later what an entry brings in. Sparing those takes a moment; planning anew
    takes longer than the next entry needs to come.
    """

    def __init__(
        self, repository: Repository, marks: Marks | None, entry: int, packs: tuple[bytes, ...]
    ) -> None:
        """`marks`: as of `entry`, that of the plan; None if they are not at hand."""
        self._repository, self._marks, self._entry = repository, marks, entry
        self._has_looked = False
        self.packs = packs  # that may go

    def look(self, state: State) -> None:
        """Spares what the entries up to `state` may need.

        ConflictError where that cannot be told, _NothingLeftError where all of it is spared.
        """
        if state.number == self._entry:
            return
        marks, index = self._marks, self._repository.database.index
        if marks is None or marks.entry != self._entry:
            raise ConflictError("the log went on")
        if not self._has_looked:
            # Some of the packs may have come after the marking, which then knows nothing of them.
            index.learn(map(PackId, self.packs))
            self._has_looked = True
        try:
            entries = list(self._repository.log.read(self._entry + 1, state.number))
            new = marks.add(entries)
        except (CorruptError, NotFoundError):
            raise ConflictError("the log went on") from None
        self._entry = marks.entry
        needed = {one.pack for e in entries for one in getattr(e.body, "packs", ())}
        for object_id in new:
            copies = index.find(object_id)
            if not copies:
                raise ConflictError("the log went on")
            needed |= {bytes(copy.pack) for copy in copies}
        needed |= state.condemned  # by another gc meanwhile, which deletes them
        self.packs = tuple(pack for pack in self.packs if pack not in needed)
        if not self.packs:
            raise _NothingLeftError


def delete_packs(repository: Repository, packs: Iterable[bytes]) -> None:
    """Deletes packs that an entry has condemned, and files that no living writer holds."""
    for pack in packs:
        repository.backend.delete(key_of(PackId(pack)))
    if isinstance(repository.backend, LocalBackend):
        repository.backend.clear_abandoned()


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
