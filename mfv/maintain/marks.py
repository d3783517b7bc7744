"""What runs lead to, gathered once and then entry by entry as the log goes on.

A repack copies for minutes while runs commit every few milliseconds. What came meanwhile is marked
by the entries that brought it, at the cost of those entries alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from mfv.errors import CorruptError, NotFoundError
from mfv.ids import BlobId, ChunkId, ObjectId, OpeningId, PackId, RunId, TaskId, TreeId
from mfv.manifest.encoding import decode
from mfv.manifest.records import Opening, Run, Task, TaskRef, Tree
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.packindex import Location, read_index
from mfv.odb.whereabouts import PackIndex
from mfv.repo import trees
from mfv.repo.entries import Entry, MarkDamage, OpenRun, Repack, SealRun, Tasks
from mfv.repo.names import State
from mfv.repo.reachable import (
    ALL,
    Keeping,
    blobs_of_manifest,
    blobs_of_opening,
    blobs_of_task,
    blobs_of_tree,
)
from mfv.repo.repository import Repository

R = TypeVar("R", bound=msgspec.Struct)


def refuse_damage(index: PackIndex, state: State) -> None:
    """Raises what is wrong with the index of a pack that is not condemned."""
    for pack, error in index.damaged.items():
        if pack not in state.condemned:
            raise error


def bases_of(database: Database, pack: PackId) -> Iterator[ChunkId]:
    """The chunks that groups in `pack` build on, some more than once; none if it is gone."""
    try:
        records = read_index(database.backend, pack)
    except NotFoundError:
        return
    for record in records:
        if record.codec == Codec.GROUP and not record.within:
            yield from database.base_of(Location(pack, record))


class Marks:
    """The ids of all objects that some run leads to, chunks and what they build on included.

    They only ever become more: what is marked and needed no longer is kept once too often.
    """

    def __init__(self, repository: Repository, without: Iterable[tuple[str, int]] = ()) -> None:
        """`without`: runs that are taken to be swept, to see what that would bring."""
        self._repository = repository
        self._without = frozenset(without)
        self._forget()

    def catch_up(self) -> None:
        """Marks what all runs lead to that the log names by now.

        Fails closed: raises CorruptError if any entry or record cannot be read, because what it
        would lead to is unknown.
        """
        repository = self._repository
        while True:
            entry = repository.state.number
            try:
                self._catch_up(entry)
                return
            except CorruptError:
                # Another repack may have moved it at this moment.
                if repository.log.damaged or repository.state.number == entry:
                    raise

    def add(self, entries: Iterable[Entry]) -> list[bytes]:
        """Marks what the next entries lead to; returns what was not marked before."""
        new: list[bytes] = []
        index = self._repository.database.index
        with self._all_or_nothing():
            for entry in entries:
                # Looking for new packs would cost as much as there are old ones, at every entry.
                index.learn(PackId(one.pack) for one in getattr(entry.body, "packs", ()))
                match entry.body:
                    case OpenRun():
                        self._add_opening(entry.body.opening, entry.body.pack, new)
                    case Tasks():
                        self._add_tasks(entry.body.tasks, new, ALL)
                    case SealRun():
                        self._add_manifest(entry.body.manifest, entry.body.pack, new, ALL)
                    case Repack():
                        self._add_bases((PackId(one.pack) for one in entry.body.packs), new)
                    case MarkDamage():
                        self._lost.update(entry.body.lost)
                self.entry = entry.number
        return new

    def _catch_up(self, entry: int) -> None:
        log, index = self._repository.log, self._repository.database.index
        if log.damaged:
            raise CorruptError(
                f"{next(iter(log.damaged.values()))}, so nothing can be deleted safely",
                hint="`mfv fsck` says what is touched",
            )
        index.forget({PackId(pack) for pack in log.state.condemned})  # these may go meanwhile
        index.load_all()
        refuse_damage(index, log.state)
        if self.entry:
            self.add(log.read(self.entry + 1, entry))
            return
        new: list[bytes] = []
        with self._all_or_nothing():
            for run in log.state:
                self._lost.update(run.lost)
            for run in log.state:
                keeping = Keeping.of(run)
                if (run.flow, run.number) in self._without:
                    keeping = keeping._replace(swept=True)
                if run.opening is not None:
                    self._add_opening(run.opening, run.opening_pack, new)
                self._add_tasks(run.tasks, new, keeping)
                if run.manifest is not None:
                    self._add_manifest(run.manifest, run.pack, new, keeping)
            self.entry = entry

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What was marked half would be taken for marked, so then all is forgotten."""
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        self._chunks: set[bytes] = set()
        self._blobs: set[bytes] = set()
        self._lost: set[bytes] = set()  # of which a repair said so: what they led to is unknown
        self.objects: set[bytes] = set()
        self.entry = 0  # up to which all is marked

    def _add_opening(self, opening: bytes, pack: bytes | None, new: list[bytes]) -> None:
        record = self._record(OpeningId(opening), pack, Opening, new)
        if record is None:
            return
        self._note(record.environment, new)
        self._add_blobs(blobs_of_opening(record), new)
        self._add_tree(record.tree, new)

    def _add_tree(self, tree_id: bytes, new: list[bytes], *, is_part: bool = False) -> None:
        tree = self._record(TreeId(tree_id), None, Tree, new)
        if tree is not None:
            trees.check(tree, is_part=is_part)
            self._add_blobs(blobs_of_tree(tree), new)
            for part in tree.parts:
                self._add_tree(part, new, is_part=True)

    def _add_tasks(self, refs: Sequence[TaskRef], new: list[bytes], keeping: Keeping) -> None:
        for ref in refs:
            # A record names its run, so no other one leads to the same, and may keep more of it.
            task = self._record(TaskId(ref.manifest), ref.pack, Task, new)
            if task is not None:
                self._add_blobs(blobs_of_task(task, keeping), new)

    def _add_manifest(
        self, manifest: bytes, pack: bytes | None, new: list[bytes], keeping: Keeping
    ) -> None:
        record = self._record(RunId(manifest), pack, Run, new)
        if record is not None:
            self._add_opening(record.opening, None, new)
            self._add_tasks(record.tasks, new, keeping)
            self._add_blobs(blobs_of_manifest(record), new)

    def _add_bases(self, packs: Iterable[PackId], new: list[bytes]) -> None:
        """Marks what groups in these packs build on: a repack may have put together new ones."""
        database = self._repository.database
        for pack in packs:
            if pack not in self._repository.log.state.condemned:
                for base in bases_of(database, pack):
                    for chunk in database.needed_chunks(BlobId(base), self._chunks):
                        self._note(chunk, new)

    def _record(
        self, record_id: ObjectId, pack: bytes | None, kind: type[R], new: list[bytes]
    ) -> R | None:
        """The record, or None if what it leads to is marked already."""
        if record_id in self.objects:
            return None
        hint = None if pack is None else PackId(pack)
        try:
            record = decode(kind, self._repository.database.read_record(record_id, hint))
        except CorruptError:
            if record_id in self._lost:
                return None
            raise
        self._note(record_id, new)
        return record

    def _add_blobs(self, blobs: Iterable[BlobId], new: list[bytes]) -> None:
        for blob in blobs:
            if blob not in self._blobs:
                try:
                    for chunk in self._repository.database.needed_chunks(blob, self._chunks):
                        self._note(chunk, new)
                except CorruptError:
                    if blob not in self._lost:
                        raise
                self._note(blob, new)
                self._blobs.add(bytes(blob))

    def _note(self, object_id: bytes, new: list[bytes]) -> None:
        if object_id not in self.objects:
            self.objects.add(bytes(object_id))
            new.append(bytes(object_id))
