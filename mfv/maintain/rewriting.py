"""One rewriting of packs: what runs need of them is copied, then one entry condemns them."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import msgspec

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError
from mfv.ids import BlobId, PackId
from mfv.maintain.checking import Progress
from mfv.maintain.marks import Marks, bases_of
from mfv.maintain.survey import preference
from mfv.odb.codec import Codec
from mfv.odb.denser import Denser
from mfv.odb.likeness import Likeness
from mfv.odb.pack import Record
from mfv.odb.packindex import Location, is_dense
from mfv.odb.transfer import Transfer
from mfv.repo.entries import Entry, PackMade, Repack
from mfv.repo.names import State
from mfv.repo.repository import Repository


class Source(msgspec.Struct, frozen=True):
    """One pack that is to be rewritten."""

    pack: bytes
    size: int  # bytes
    kept: int  # bytes of it that are to be copied


class RepackPlan(msgspec.Struct, frozen=True):
    """What a repack would do, as of one entry of the log."""

    entry: int
    sources: tuple[Source, ...]  # oldest first
    staying: int  # packs that are left as they are

    @property
    def size(self) -> int:
        """Bytes of the packs that are to be rewritten."""
        return sum(one.size for one in self.sources)

    @property
    def kept(self) -> int:
        """Bytes that are to be copied."""
        return sum(one.kept for one in self.sources)


class Damaged(NamedTuple):
    """An object that runs need and of which no copy is whole."""

    object: bytes
    packs: tuple[bytes, ...]  # those that stay as they are for its sake


class Repacked(NamedTuple):
    """What a repack did."""

    planned: RepackPlan  # the plan that held in the end
    condemned: tuple[bytes, ...]
    freed: int  # bytes of the packs that were deleted
    written: tuple[PackMade, ...]
    damaged: tuple[Damaged, ...]


class StaleError(Exception):
    """Another gc condemned a pack that was planned on."""


class _MoreError(Exception):
    """Entries came that need more of the old packs: (id, kind) of each object."""

    def __init__(self, objects: list[tuple[bytes, int]]) -> None:
        self.objects = objects


class Rewriting:
    """What `planned` says, done once."""

    def __init__(
        self,
        repository: Repository,
        planned: RepackPlan,
        marks: Marks,
        likeness: Likeness,
        progress: Progress,
    ) -> None:
        self._repository, self._planned, self._marks = repository, planned, marks
        self._progress = progress
        self._sizes = {PackId(one.pack): one.size for one in planned.sources}  # oldest first
        self._sources = set(self._sizes)
        marks.catch_up()
        self._raise_if_stale(repository.log.state)
        # What lies in a pack that stays need not be copied.
        dense = not repository.database.fast
        preferred = preference(self._sources, {})
        self._transfer = Transfer(repository.database, self._sources, preferred, dense=dense)
        self._denser: Denser | None = None
        if dense:
            self._denser = Denser(
                repository.database, self._transfer, marks.objects, self._bases(), likeness
            )
        self._damaged: dict[tuple[bytes, int], set[PackId]] = {}
        self._together: set[bytes] = set()  # blobs that lie in one piece in a new pack

    def _bases(self) -> set[bytes]:
        """The chunks that groups of any pack build on."""
        database, bases = self._repository.database, set[bytes]()
        for location in database.index:
            if location.record.codec == Codec.GROUP and not location.record.within:
                # What cannot tell what it builds on cannot be read either; or it is gone by now.
                with contextlib.suppress(CorruptError):
                    bases.update(map(bytes, database.base_of(location)))
        return bases

    def run(self) -> Repacked:
        """Copies and commits; StaleError or CondemnedError where a plan must be made anew."""
        try:
            self._copy_packs()
            return self._commit()
        except BaseException:
            if self._denser is not None:
                self._denser.close()
            self._transfer.abandon()
            raise

    def _copy_packs(self) -> None:
        """Copies what is needed in the order in which it lies, then what is left of it."""
        left: list[tuple[bytes, int]] = []
        done = 0  # bytes of packs gone through
        for pack in self._sizes:
            self._progress(done)
            done += self._sizes[pack]
            records = self._records(pack)
            mapped = self._mapped(pack, records)
            parts = self._parts(pack, records)
            dense = self._is_dense(pack)
            for record in records:
                if record.id not in self._marks.objects:
                    continue
                self._progress(done - self._sizes[pack] + record.offset)
                here = Location(pack, record)
                copies = self._transfer.preferred(record.id, record.kind)
                if record.offset in mapped or copies[:1] == [here]:
                    try:
                        if not self._made_dense(here, parts, record.offset in mapped, dense):
                            self._transfer.copy(here)
                        continue
                    except FormatTooNewError:
                        raise
                    except CorruptError:
                        pass  # another copy may be whole
                left.append((record.id, record.kind))
        if self._denser is not None:
            self._denser.finish()
            left += [
                (one.id, one.kind) for one in self._denser.damaged if one.id in self._marks.objects
            ]
        self._keep_all(left)

    def _is_dense(self, pack: PackId) -> bool:
        try:
            return is_dense(self._repository.backend, pack)
        except NotFoundError:
            self._raise_if_stale(self._repository.state)
            raise

    def _made_dense(self, here: Location, parts: set[bytes], mapped: bool, dense: bool) -> bool:
        """Whether the object will be written in another form, so that it need not be copied."""
        if self._denser is None or mapped:
            return False
        return self._denser.take(here, is_part=here.record.id in parts, is_dense=dense)

    def _parts(self, pack: PackId, records: list[Record]) -> set[bytes]:
        """The chunks of the larger blobs of which the lists lie in `pack`."""
        database, parts = self._repository.database, set[bytes]()
        for record in records if self._denser is not None else ():
            if record.kind == BlobId.kind and record.id in self._marks.objects:
                with contextlib.suppress(CorruptError):  # told when the list is copied
                    parts.update(map(bytes, database.listed(Location(pack, record))))
        return parts

    def _records(self, pack: PackId) -> list[Record]:
        try:
            return self._transfer.ranges(pack)
        except (NotFoundError, CorruptError):
            self._raise_if_stale(self._repository.state)
            raise

    def _mapped(self, pack: PackId, records: list[Record]) -> set[int]:
        """Offsets of the raw chunks in `pack` that make up whole blobs, and are to stay together.

        Their copies elsewhere may lie anywhere.
        """
        database, found = self._repository.database, set[int]()
        for record in records:
            if record.kind != BlobId.kind or record.id not in self._marks.objects:
                continue
            pieces: list[Location] = []
            with contextlib.suppress(CorruptError):  # one is missing: told when the list is copied
                pieces = database.one_piece(Location(pack, record))
            if pieces and self._denser is not None and not self._stays_raw(pieces):
                continue
            if pieces and pieces[0].pack == pack and record.id not in self._together:
                self._together.add(record.id)
                found.update(piece.record.offset for piece in pieces)
        return found

    def _stays_raw(self, pieces: list[Location]) -> bool:
        assert self._denser is not None
        with contextlib.suppress(CorruptError):
            return self._denser.stays_raw(pieces)
        return True  # as it is, it is told what is damaged

    def _keep_all(self, objects: list[tuple[bytes, int]]) -> None:
        """Keeps these, and what they build on."""
        while objects:
            for object_id, kind in objects:
                if not self._transfer.keep(object_id, kind):
                    copies = self._transfer.preferred(object_id, kind)
                    packs = {copy.pack for copy in copies} & self._sources
                    self._damaged[object_id, kind] = packs
            objects = self._transfer.owed()

    def _commit(self) -> Repacked:
        log = self._repository.log
        while True:
            written = self._transfer.flush()
            packs = tuple(PackMade.of(receipt) for receipt in written)
            condemned = self._sources.difference(*self._damaged.values())
            body = Repack(tuple(sorted(map(bytes, condemned))), packs)
            if not condemned:
                self._raise_if_stale(self._repository.state)
                return self._result(body)

            def build(state: State, body: Repack = body) -> Repack:
                self._look_at_what_came(state)
                return body

            try:
                log.append(build, receipts=written, relied=self._transfer.relied)
                return self._result(body)
            except _MoreError as error:
                self._keep_all(error.objects)

    def _look_at_what_came(self, state: State) -> None:
        """Marks the entries since; raises _MoreError if they need more of the old packs."""
        if state.number == self._marks.entry:
            return
        self._raise_if_stale(state)
        try:
            entries = list(self._repository.log.read(self._marks.entry + 1, state.number))
            new = self._marks.add(entries)
            new += self._built_on(entries)
        except CorruptError:
            # Another repack may have moved it at this moment. Marking anew tells, or fails as well.
            raise StaleError from None
        more = [
            (copy.record.id, copy.record.kind)
            for object_id in new
            for copy in self._repository.database.index.find(object_id)
            if copy.pack in self._sources and not self._transfer.is_safe(copy)
        ]
        if more:
            raise _MoreError(more)

    def _built_on(self, entries: list[Entry]) -> list[bytes]:
        """What groups that came build on, and would find only deeper than they may."""
        deepened = self._denser.deepened if self._denser is not None else frozenset[bytes]()
        if not deepened:
            return []
        database = self._repository.database
        packs = {PackId(one.pack) for e in entries for one in getattr(e.body, "packs", ())}
        return [base for pack in packs for base in bases_of(database, pack) if base in deepened]

    def _raise_if_stale(self, state: State) -> None:
        if any(pack in state.condemned for pack in self._sources):
            raise StaleError

    def _result(self, body: Repack) -> Repacked:
        damaged = [
            Damaged(object_id, tuple(sorted(map(bytes, packs))))
            for (object_id, _), packs in self._damaged.items()
        ]
        freed = sum(self._sizes[PackId(pack)] for pack in body.condemned)
        return Repacked(self._planned, body.condemned, freed, body.packs, tuple(damaged))
