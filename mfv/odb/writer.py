"""Writing: bytes to object ids, each object once.

A `Writer` gathers what one task or one commit adds, and ends in one of two ways: `flush` makes
packs of it, durable and receipted; `parcel` hands a small gathering over to another writer, so
that a hundred small tasks share one pack and one fsync.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
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
from mfv.odb.pipeline import Lanes, PutStream
from mfv.odb.trial import choose, segment_size

# A parcel travels through a pipe and waits in the scheduler's memory.
PARCEL_LIMIT = 256 * 1024  # bytes stored
_PACK_LARGEST = 1 << 30  # bytes
# A pack that grows beyond this is written while it grows, which also bounds what waits in memory.
_STREAM_FROM = 8 << 20  # bytes
_HANDING = 1 << 20  # bytes handed over at a time, at least
# Larger blobs are hashed and compressed on two cores, in batches that outweigh the handing over.
_LANES_FROM = 4 << 20  # bytes
_BATCH = 1 << 20  # bytes
# Lists of chunks and records, which every reader must be able to read.
_SMALL = Plan(Codec.ZSTD)


# On the way through the lanes: chunks with their bytes, with a plan, with the size and codec.
_Hashed = list[tuple[ChunkId, memoryview]]
_Planned = list[tuple[ChunkId, memoryview, Plan]]
_Packed = list[tuple[ChunkId, int, Codec, Buffer]]


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
        self._stream: PutStream | None = None
        self._lanes: Lanes | None = None
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
        chunks = self._add_chunks(blob, view, item)
        if len(chunks) != 1 or bytes(chunks[0]) != bytes(blob):
            self._add_small(blob, b"".join(chunks))
        return blob

    def _add_chunks(self, blob: BlobId, view: memoryview, item: Item | None) -> list[ChunkId]:
        """Stores the chunks of a new blob; returns their ids in order."""
        chunks: list[ChunkId] = []
        hashed: Iterable[_Hashed]
        packed: Iterable[_Packed]
        if len(view) < _LANES_FROM:
            hashed = (_hash(blob, len(view), batch) for batch in _batches(cut(view, item)))
            packed = map(_pack, self._planned(hashed, view, item, chunks))
        else:
            lanes = self._lanes = self._lanes or Lanes()
            batches = _batches(cut(view, item))
            hashed = lanes.in_order(partial(_hash, blob, len(view)), batches)
            packed = lanes.in_order(_pack, self._planned(hashed, view, item, chunks))
        first = True  # of the blob: where it lies in one piece, it can be mapped
        for batch in packed:
            for chunk, size, number, stored in batch:
                self._append(chunk, chunk.kind, number, stored, size, align=first)
                first = False
        return chunks

    def _planned(
        self,
        hashed: Iterable[_Hashed],
        view: memoryview,
        item: Item | None,
        chunks: list[ChunkId],
    ) -> Iterator[_Planned]:
        """Batches of the chunks that are new, each with how to write it; notes all in `chunks`."""
        start = decided = 0  # offsets: of this piece, and to where `plan` holds
        plan = codec.PLAIN
        for batch in hashed:
            new: _Planned = []
            for chunk, piece in batch:
                if not self._known(chunk):
                    if start >= decided:
                        decided = start + segment_size(item)
                        plan = choose(view[start:decided], item)
                    # From now on it is ours, also for the batches that are hashed already.
                    self._own.add(bytes(chunk))
                    new.append((chunk, piece, plan))
                chunks.append(chunk)
                start += len(piece)
            yield new

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
        if self._receipts or self._stream is not None or self.pending > PARCEL_LIMIT:
            return None
        self._close_lanes()
        builder = self._builder
        objects = [
            (record.id, record.kind, record.codec, bytes(stored), record.size)
            for record, stored in zip(builder.records, builder.stored, strict=True)
        ]
        return Parcel(objects), self._relied

    def flush(self) -> Outcome:
        """Writes what was gathered as packs; durable when this returns."""
        self._write_pack()
        self._close_lanes()
        return Outcome(self._receipts, self._relied)

    def abandon(self) -> None:
        """Drops what was gathered and is not in a pack yet, and ends all threads."""
        if self._stream is not None:
            self._stream.abandon()
            self._stream = None
        self._close_lanes()

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
        if self._builder.size > _PACK_LARGEST:
            self._write_pack()
        self._builder.add(object_id, kind, number, stored, size, align=align)
        self._own.add(bytes(object_id))
        if self._builder.size > _STREAM_FROM and self._builder.waiting > _HANDING:
            if self._stream is None:
                key = key_of(self._builder.id)
                self._stream = PutStream(self._database.backend, key)
            self._stream.hand(self._builder.take())

    def _write_pack(self) -> None:
        if not self._builder.records:
            return
        parts, receipt = self._builder.finish()
        if self._stream is None:
            self._database.backend.put(key_of(receipt.pack), parts)
        else:
            stream, self._stream = self._stream, None
            stream.hand(parts)
            stream.close()
        self._database.index.add(receipt.pack, self._builder.records)
        self._receipts.append(receipt)
        self._builder = PackBuilder()

    def _close_lanes(self) -> None:
        if self._lanes is not None:
            self._lanes.close()
            self._lanes = None


def _batches(pieces: Iterable[memoryview]) -> Iterator[list[memoryview]]:
    """The pieces in order, in lists of at least a MiB together."""
    batch: list[memoryview] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _hash(blob: BlobId, size: int, pieces: list[memoryview]) -> _Hashed:
    """Each piece with its id; that of a blob which was not cut is the blob's own."""
    return [(ChunkId(blob) if len(p) == size else ChunkId.of(p), p) for p in pieces]


def _pack(batch: _Planned) -> _Packed:
    return [(chunk, len(piece), *codec.encode(piece, plan)) for chunk, piece, plan in batch]
