"""Moving objects from old packs into new ones.

A range of stored bytes is checked and copied as it is, with all objects in it; or what was read
and checked is written anew, as `mfv.odb.denser` has it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import ChunkId, ObjectId, PackId
from mfv.odb import codec
from mfv.odb.codec import SHARED, Codec, Plan
from mfv.odb.database import Database
from mfv.odb.intake import Packed
from mfv.odb.pack import ALIGNMENT, Member, Receipt, Record
from mfv.odb.packindex import Location, read_index
from mfv.odb.packsout import PacksOut
from mfv.odb.ranges import range_of
from mfv.odb.verified import Verified
from mfv.storage.base import Buffer

# A pack that is full is closed where no blob is torn apart by it.
FULL = 256 << 20  # bytes


class Transfer:
    """What leads out of `sources`, packs that are to go; not for use by several threads."""

    def __init__(
        self,
        database: Database,
        sources: set[PackId],
        prefer: Callable[[Location], Any],
        salvaged: Mapping[PackId, list[Record]] | None = None,
        *,
        dense: bool = False,
    ) -> None:
        """`prefer` sorts the copies of an object: the first that is whole is kept.

        `salvaged`: the records of sources whose own index is damaged. `dense`: what is added was
        compressed as hard as pays, and the new packs say so.
        """
        self._database, self._sources, self._prefer = database, sources, prefer
        self._salvaged = salvaged or {}
        verified = Verified(database.backend)
        self._out = PacksOut(
            database.backend,
            FULL,
            lambda receipt, _: verified.note(receipt.pack),
            dense=dense,
        )
        self._copied: set[tuple[PackId, int, bytes]] = set()
        self._safe: dict[tuple[bytes, int], int] = {}  # by id and kind: the depth
        self._owed: set[bytes] = set()
        self._before = (PackId(bytes(16)), 0)  # pack and offset where the last range ended
        self.ranges = lru_cache(32)(self._ranges)
        self.relied: set[PackId] = set()  # packs that stay, for what needs no copy

    def preferred(self, object_id: bytes, kind: int) -> list[Location]:
        """The copies of one object, the one to be kept first."""
        copies = self._database.index.find(object_id)
        return sorted((copy for copy in copies if copy.record.kind == kind), key=self._prefer)

    def is_safe(self, copy: Location) -> bool:
        """Whether a copy of the object, and one no deeper, lies outside of the sources."""
        record = copy.record
        depth = self._safe.get((record.id, record.kind))
        return depth is not None and depth <= record.depth

    def owed(self) -> list[tuple[bytes, int]]:
        """What else is to be kept, by id and kind: groups that were kept build on it."""
        owed, self._owed = self._owed, set()
        return [(chunk, ChunkId.kind) for chunk in owed]

    def keep(self, object_id: bytes, kind: int) -> bool:
        """Sees to it that the least deep copy that is whole lies outside of the sources.

        False if none is whole. Copies that are no chunk and such that are count as different
        objects, though they have one id: a list of chunks is of no use to who needs the chunk.
        """
        for copy in self.preferred(object_id, kind):
            if self.is_safe(copy):
                return True
            try:
                if copy.pack in self._sources:
                    self._copy_or_take_out(copy)
                else:
                    self._database.verify(copy)
                    self._owe(copy)
                    self.relied.add(copy.pack)
            except FormatTooNewError:
                raise  # nothing can be said of what cannot be read here
            except CorruptError:
                continue
            self._note(copy.record)
            return True
        return False

    def copy(self, location: Location) -> None:
        """Copies the range that the object lies in, with all others in it; CorruptError.

        Ranges that follow each other in a pack, copied one after another, do so in the new one.
        """
        pack, record = location
        if self.is_copied(location):
            return
        records = self.sharing(location)
        stored = self._database.read_stored(pack, records)
        members = [member_of(each) for each in records]
        self._owe(location)
        follows = self._before == (pack, record.offset)
        # As it was. What follows one that is aligned stays behind it without a gap.
        raw = record.codec == Codec.RAW and record.kind == ChunkId.kind
        align = raw and record.offset % ALIGNMENT == 0
        packed = Packed(members, record.codec, stored, record.depth)
        self._out.add(packed, align=align, follows=follows)
        self._before = (pack, record.offset + record.stored)
        self.claim(location)
        for each in records:
            self._note(each)

    def take_out(self, location: Location) -> None:
        """Copies the object alone, out of a range that is damaged elsewhere; CorruptError."""
        self.add(alone(location.record, self._database.read_at(location)))

    def _copy_or_take_out(self, location: Location) -> None:
        try:
            self.copy(location)
        except FormatTooNewError:
            raise
        except CorruptError:
            if location.record.codec not in SHARED:
                raise
            self.take_out(location)

    def is_copied(self, location: Location) -> bool:
        """Whether the range that the object lies in was copied or claimed."""
        return range_of(location) in self._copied

    def claim(self, location: Location) -> None:
        """Notes that the range that the object lies in is, or will be, written anew by `add`."""
        self._copied.add(range_of(location))

    def give_up(self, location: Location) -> None:
        """Takes a claim back: nothing was written for it."""
        self._copied.discard(range_of(location))

    def add(self, packed: Packed, owing: Location | None = None) -> None:
        """Adds a range written anew, of objects that were read and found right.

        `owing`: it builds on what the object there builds on.
        """
        if owing is not None:
            self._owe(owing)
        self._out.add(packed, align=False, follows=False)
        self.relied |= packed.relied - self._sources
        for member in packed.members:
            key = (bytes(member.id), member.kind)
            self._safe[key] = min(packed.depth, self._safe.get(key, packed.depth))

    def sharing(self, location: Location) -> list[Record]:
        """The records of all objects in the stored range of the one at `location`, in order."""
        pack, record = location
        return self._group(pack, record.offset) if record.codec in SHARED else [record]

    def flush(self) -> list[Receipt]:
        """Writes what was copied; returns the new packs so far, durable by then.

        They are not made known: whoever looks for what they hold finds them.
        """
        self._before = (PackId(bytes(16)), 0)
        return list(self._out.flush())

    def abandon(self) -> None:
        """Drops what is not in a pack yet, and ends all threads."""
        self._out.abandon()

    def _note(self, record: Record) -> None:
        key = (record.id, record.kind)
        self._safe[key] = min(record.depth, self._safe.get(key, record.depth))

    def _owe(self, copy: Location) -> None:
        """Has what a group builds on kept too, should any of it lie in the sources."""
        for chunk in self._database.base_of(copy):
            if any(other.pack in self._sources for other in self._database.index.find(chunk)):
                self._owed.add(bytes(chunk))

    def _ranges(self, pack: PackId) -> list[Record]:
        """The records of a pack as they lie; NotFoundError if it is gone."""
        records = self._salvaged.get(pack) or read_index(self._database.backend, pack)
        return sorted(records, key=lambda one: (one.offset, one.stored, one.within))

    def _group(self, pack: PackId, offset: int) -> list[Record]:
        """The records of all members of one group or bundle, in order."""
        all_records = self.ranges(pack)
        start = bisect_left(all_records, offset, key=lambda one: one.offset)
        here = takewhile(lambda one: one.offset == offset, islice(all_records, start, None))
        records = [one for one in here if one.codec in SHARED]
        end = 0
        for one in records:
            alike = _shared(one) == _shared(records[0])
            right = one.codec == Codec.BUNDLE or one.kind == ChunkId.kind
            if one.within != end or not right or not alike:
                raise CorruptError(f"a group of pack {pack} is not as any writer makes one")
            end += one.size
        return records


def member_of(record: Record) -> Member:
    """The object of `record`, as a range has it; CorruptError for no id."""
    return Member(ObjectId.checked(record.id), record.kind, record.size)


def alone(record: Record, data: Buffer) -> Packed:
    """The object of `record`, of which `data` are the bytes, in a range of its own."""
    return Packed([member_of(record)], *codec.encode(memoryview(data), Plan(Codec.ZSTD)))


def _shared(record: Record) -> tuple[int, int, int]:
    """What the records of one range agree in."""
    return record.codec, record.stored, record.depth
