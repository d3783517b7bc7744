"""Writing: bytes to object ids, each object once.

A `Writer` gathers what one task or one commit adds, and ends in one of two ways: `flush` makes
packs of it, durable and receipted; `parcel` hands a small gathering over to another writer, so
that a hundred small tasks share one pack and one fsync.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from mfv.errors import CorruptError
from mfv.ids import BlobId, Buffer, ChunkId, ObjectId, PackId
from mfv.odb import codec
from mfv.odb.chunker import cut
from mfv.odb.codec import Codec, Plan
from mfv.odb.database import Database
from mfv.odb.item import Item
from mfv.odb.pack import PackBuilder, Receipt
from mfv.odb.packindex import key_of
from mfv.odb.trial import choose, segment_size

# A parcel travels through a pipe and waits in the scheduler's memory.
PARCEL_LIMIT = 256 * 1024  # bytes stored
# Compressed bytes are the writer's own; past this much of them a pack is written out.
_PACK_LIMIT = 64 * 1024 * 1024  # bytes owned
_PACK_LARGEST = 1 << 30  # bytes
# Lists of chunks and records, which every reader must be able to read.
_SMALL = Plan(Codec.ZSTD)


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """Objects on their way from one writer to another: (id, kind, codec, stored, raw size)."""

    objects: list[tuple[bytes, int, int, bytes, int]]


class Outcome(NamedTuple):
    """What a commit must know of one writer's work."""

    receipts: list[Receipt]  # packs written, durable
    relied: set[PackId]  # packs that were there and that the new objects build on


class Writer:
    """Adds objects to a database; not for use by several threads."""

    def __init__(self, database: Database, avoid: set[PackId] | None = None) -> None:
        """`avoid`: packs condemned, on which nothing new may rely."""
        self._database = database
        self._avoid = avoid or set()
        self._builder = PackBuilder()
        self._own: set[bytes] = set()
        self._owned = 0  # bytes
        self._good: set[bytes] = set()
        self._receipts: list[Receipt] = []
        self._relied: set[PackId] = set()

    def add_blob(self, data: Buffer, item: Item | None = None) -> BlobId:
        """Stores one contiguous byte string; known bytes cost one hash pass and nothing else.

        `item` says of what items it consists, where that is known: advice on where to cut and
        how to compress. The caller keeps `data` unchanged until `flush` or `parcel` returned.
        """
        view = memoryview(data).cast("B")
        blob = BlobId.of(view)
        if self._known(blob):
            return blob
        chunks: list[ChunkId] = []
        start = decided = 0  # offsets: of this piece, and to where `plan` holds
        plan = codec.PLAIN
        for piece in cut(view, item):
            whole = len(piece) == len(view)
            chunk = ChunkId(blob) if whole else ChunkId.of(piece)
            if not self._known(chunk):
                if start >= decided:
                    decided = start + segment_size(item)
                    plan = choose(view[start:decided], item)
                self._add(chunk, piece, plan, align=not chunks)
            chunks.append(chunk)
            start += len(piece)
        if len(chunks) != 1 or bytes(chunks[0]) != bytes(blob):
            self._add_small(blob, b"".join(chunks))
        return blob

    def add_record(self, record_id: ObjectId, data: bytes) -> PackId:
        """Stores the record `data` under its id; returns the pack in which it lies or will lie."""
        if not self._known(record_id):
            self._add_small(record_id, data)
            return self._builder.id
        places = self._database.index.find(record_id)
        return places[0].pack if places else self._builder.id

    def add_parcel(self, parcel: Parcel) -> None:
        """Takes over the objects of another writer."""
        for raw_id, kind, number, stored, size in parcel.objects:
            object_id = ObjectId.checked(raw_id)
            if not self._known(object_id):
                self._append(object_id, kind, number, stored, size, align=False)

    @property
    def pending(self) -> int:
        """Bytes gathered and not yet in a pack."""
        return sum(record.stored for record in self._builder.records)

    def parcel(self) -> tuple[Parcel, set[PackId]] | None:
        """What was gathered and what it relies on; None if that is too much to hand over."""
        if self._receipts or self.pending > PARCEL_LIMIT:
            return None
        builder = self._builder
        objects = [
            (record.id, record.kind, record.codec, bytes(stored), record.size)
            for record, stored in zip(builder.records, builder.stored, strict=True)
        ]
        return Parcel(objects), self._relied

    def flush(self) -> Outcome:
        """Writes what was gathered as packs; durable when this returns."""
        self._write_pack()
        return Outcome(self._receipts, self._relied)

    def _known(self, object_id: ObjectId) -> bool:
        """Whether a copy exists that a commit may rely on.

        A copy that is there counts only if it verifies now: otherwise a damaged object would
        take all later saves of the same bytes with it.
        """
        if object_id in self._own or object_id in self._good:
            return True
        for location in self._database.index.find(object_id):
            try:
                needed = {copy.pack for copy in self._database.verify(location)}
            except CorruptError:
                continue
            if needed & self._avoid:
                continue
            self._relied |= needed
            self._good.add(bytes(object_id))
            return True
        return False

    def _add_small(self, object_id: ObjectId, data: bytes) -> None:
        """Adds a record or a list of chunks: no sample is worth the trouble."""
        self._add(object_id, memoryview(data), _SMALL, align=False)

    def _add(self, object_id: ObjectId, data: memoryview, plan: Plan, *, align: bool) -> None:
        number, stored = codec.encode(data, plan)
        self._append(object_id, object_id.kind, number, stored, len(data), align=align)

    def _append(
        self, object_id: ObjectId, kind: int, number: int, stored: Buffer, size: int, *, align: bool
    ) -> None:
        if number != Codec.RAW:
            self._owned += len(stored)
        if self._owned > _PACK_LIMIT or self._builder.size > _PACK_LARGEST:
            self._write_pack()
        self._builder.add(object_id, kind, number, stored, size, align=align)
        self._own.add(bytes(object_id))

    def _write_pack(self) -> None:
        if not self._builder.records:
            return
        parts, receipt = self._builder.finish()
        self._database.backend.put(key_of(receipt.pack), parts)
        self._database.index.add(receipt.pack, self._builder.records)
        self._receipts.append(receipt)
        self._builder = PackBuilder()
        self._owned = 0
