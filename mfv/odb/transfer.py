"""Moving objects from old packs into new ones, as they are stored.

Nothing is compressed anew: a range of stored bytes is checked and copied, with all objects in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import ChunkId, ObjectId, PackId
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.pack import ALIGNMENT, Member, PackBuilder, Receipt, Record
from mfv.odb.packindex import Location, key_of, read_index
from mfv.odb.pipeline import PutStream
from mfv.storage.base import Backend, Buffer

# A pack that is full is closed where no blob is torn apart by it.
FULL = 256 << 20  # bytes
_STREAM_FROM = 8 << 20  # bytes; beyond, a pack is written while it grows
_HANDING = 1 << 20  # bytes handed over at a time, at least
# Smaller raw chunks need no alignment: nothing maps them.
_ALIGN_FROM = 4096  # bytes


class Transfer:
    """What leads out of `sources`, packs that are to go; not for use by several threads."""

    def __init__(
        self, database: Database, sources: set[PackId], prefer: Callable[[Location], Any]
    ) -> None:
        """`prefer` sorts the copies of an object: the first that is whole is kept."""
        self._database, self._sources, self._prefer = database, sources, prefer
        self._out = _Out(database)
        self._copied: set[tuple[PackId, int, bytes]] = set()
        self._safe: set[tuple[bytes, int]] = set()
        self._before = (PackId(bytes(16)), 0)  # pack and offset where the last range ended
        self.ranges = lru_cache(32)(self._ranges)
        self.relied: set[PackId] = set()  # packs that stay, for what needs no copy

    def preferred(self, object_id: bytes, kind: int) -> list[Location]:
        """The copies of one object, the one to be kept first."""
        copies = self._database.index.find(object_id)
        return sorted((copy for copy in copies if copy.record.kind == kind), key=self._prefer)

    def is_safe(self, object_id: bytes, kind: int) -> bool:
        """Whether a whole copy of the object lies outside of the sources."""
        return (object_id, kind) in self._safe

    def keep(self, object_id: bytes, kind: int) -> bool:
        """Sees to it that a whole copy lies outside of the sources; False if none is whole.

        Copies that are no chunk and such that are count as different objects, though they have
        one id: a list of chunks is of no use to whoever needs the chunk.
        """
        if (object_id, kind) in self._safe:
            return True
        for copy in self.preferred(object_id, kind):
            try:
                if copy.pack in self._sources:
                    self.copy(copy)
                else:
                    self._database.verify(copy)
                    self.relied.add(copy.pack)
            except FormatTooNewError:
                raise  # nothing can be said of what cannot be read here
            except CorruptError:
                continue
            self._safe.add((object_id, kind))
            return True
        return False

    def copy(self, location: Location) -> None:
        """Copies the range that the object lies in, with all others in it; CorruptError.

        Ranges that follow each other in a pack, copied one after another, do so in the new one.
        """
        pack, record = location
        one = record.id if record.codec != Codec.GROUP else b""
        if (pack, record.offset, one) in self._copied:
            return
        records = [record]
        if record.codec == Codec.GROUP:
            records = self._group(pack, record.offset)
        stored = self._database.read_stored(pack, records)
        members = [_member(each) for each in records]
        follows = self._before == (pack, record.offset)
        self._out.add(members, record, stored, follows=follows)
        self._before = (pack, record.offset + record.stored)
        self._copied.add((pack, record.offset, one))
        self._safe.update((each.id, each.kind) for each in records)

    def flush(self) -> list[Receipt]:
        """Writes what was copied; returns the new packs so far, durable by then."""
        self._before = (PackId(bytes(16)), 0)
        return self._out.flush()

    def abandon(self) -> None:
        """Drops what is not in a pack yet, and ends all threads."""
        self._out.abandon()

    def _ranges(self, pack: PackId) -> list[Record]:
        """The records of a pack as they lie; NotFoundError if it is gone."""
        records = read_index(self._database.backend, pack)
        return sorted(records, key=lambda one: (one.offset, one.stored, one.within))

    def _group(self, pack: PackId, offset: int) -> list[Record]:
        """The records of all members of one group, in order."""
        records = [
            one for one in self.ranges(pack) if one.offset == offset and one.codec == Codec.GROUP
        ]
        end = 0
        for one in records:
            alike = (one.stored, one.depth) == (records[0].stored, records[0].depth)
            if one.within != end or one.kind != ChunkId.kind or not alike:
                raise CorruptError(f"a group of pack {pack} is not as any writer makes one")
            end += one.size
        return records


class _Out:
    """New packs, written while they grow."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._builder = PackBuilder()
        self._stream: PutStream | None = None
        self._receipts: list[Receipt] = []

    def add(
        self, members: Sequence[Member], record: Record, stored: Buffer, *, follows: bool
    ) -> None:
        """Appends a range; `follows`: it lay right behind the one that was added last."""
        if not follows and self._builder.size > FULL:
            self._write()
        raw = record.codec == Codec.RAW and record.kind == ChunkId.kind
        align = raw and record.offset % ALIGNMENT == 0 and record.stored >= _ALIGN_FROM
        self._builder.add(members, record.codec, stored, record.depth, align=align)
        if self._builder.size > _STREAM_FROM and self._builder.waiting > _HANDING:
            if self._stream is None:
                self._stream = PutStream(self._backend, key_of(self._builder.id))
            self._stream.hand(self._builder.take())

    @property
    def _backend(self) -> Backend:
        return self._database.backend

    def flush(self) -> list[Receipt]:
        self._write()
        return list(self._receipts)

    def abandon(self) -> None:
        if self._stream is not None:
            self._stream.abandon()
            self._stream = None

    def _write(self) -> None:
        if not self._builder.records:
            return
        parts, receipt = self._builder.finish()
        if self._stream is None:
            self._backend.put(key_of(receipt.pack), parts)
        else:
            stream, self._stream = self._stream, None
            stream.hand(parts)
            stream.close()
        self._database.index.add(receipt.pack, self._builder.records)
        self._receipts.append(receipt)
        self._builder = PackBuilder()


def _member(record: Record) -> Member:
    return Member(ObjectId.checked(record.id), record.kind, record.size)
