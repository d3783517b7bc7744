"""Writing: bytes to object ids, each object once.

A `Writer` gathers what one task or one commit adds, and ends in one of two ways: `flush` makes
packs of it, durable and receipted; `parcel` hands a small gathering over to another writer, so
that a hundred small tasks share one pack and one fsync.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec

from mfv.errors import CorruptError
from mfv.ids import BlobId, Buffer, ChunkId, ObjectId, PackId
from mfv.odb import codec, intake
from mfv.odb.aligner import Aligner, Older
from mfv.odb.changing import may_change
from mfv.odb.chunker import cut
from mfv.odb.codec import Codec, Plan
from mfv.odb.database import Database
from mfv.odb.intake import Hashed, Packed
from mfv.odb.item import Item
from mfv.odb.pack import Member, Receipt, Record
from mfv.odb.packindex import FOLDER
from mfv.odb.packsout import PacksOut
from mfv.odb.pipeline import Lanes
from mfv.odb.source import (
    Digest,
    Piece,
    ReadAt,
    from_memory,
    from_reader,
    hash_all,
    reader_of,
)
from mfv.odb.verified import Verified
from mfv.storage.base import settle

if TYPE_CHECKING:
    from concurrent.futures import Future

# A parcel travels through a pipe and waits in the scheduler's memory.
PARCEL_LIMIT = 256 * 1024  # bytes stored
_PACK_LARGEST = 1 << 30  # bytes

# Larger blobs are hashed and compressed on two cores, in batches that outweigh the handing over.
_LANES_FROM = 4 << 20  # bytes
_COMING = 6  # batches that may be under way while the next are planned
# Lists of chunks and records, which every reader must be able to read.
_SMALL = Plan(Codec.ZSTD)
# Smaller blobs are not worth a look at what was there before.
_OLDER_FROM = 64 << 10  # bytes
# Of larger ones the lists of all chunks of several versions would take more memory than the rest.
_OLDER_UP_TO = 4 << 30  # bytes


A = TypeVar("A")
B = TypeVar("B")


class InOrder(Protocol):
    """Does work on batches and gives them back in order, as `map` does."""

    def __call__(self, work: Callable[[A], B], batches: Iterable[A], /) -> Iterator[B]: ...


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One stored range and the objects in it: (id, kind, raw size) each."""

    objects: list[tuple[bytes, int, int]]
    codec: int
    stored: bytes
    depth: int = 0


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """Objects on their way from one writer to another."""

    parts: list[Part]


class Outcome(NamedTuple):
    """What a commit must know of one writer's work."""

    receipts: list[Receipt]  # packs written, durable
    relied: set[PackId]  # packs that were there and that the new objects build on


class Writer:
    """Adds objects to a database; not for use by several threads."""

    def __init__(self, database: Database, avoid: set[PackId] | None = None) -> None:
        """`avoid`: packs condemned, on which nothing new may rely."""
        self._database = database
        database.read_anew()  # nothing new may rely on what was whole once
        self._avoid = avoid or set()
        self._verified = Verified(database.backend, database.notes)
        self._out = PacksOut(database.backend, _PACK_LARGEST, self._is_durable)
        # The objects written here: the pack of one that needs no other, None of the rest.
        self._own: dict[bytes, PackId | None] = {}
        self._lanes: Lanes | None = None
        # Batches being packed, and whether the first of one begins a blob.
        self._coming: deque[tuple[list[Packed] | Future[list[Packed]], bool]] = deque()
        self._good: dict[bytes, frozenset[PackId]] = {}  # those found whole, and what they need
        self._relied: set[PackId] = set()
        self._settled = True  # whether all that is relied on was seen to be durable

    def add_blob(
        self,
        data: Buffer,
        item: Item | None = None,
        older: Callable[[], Older | None] | None = None,
    ) -> BlobId:
        """Stores one contiguous byte string; known bytes cost one hash pass and nothing else.

        `item` says of what items it consists, where that is known: advice on where to cut and
        how to compress. `older` gives the earlier versions of it, if it may have come of any,
        after which it may be compressed; it is asked for new bytes alone. The caller keeps
        `data` unchanged until `flush` or `parcel` returned; if another thread changes it all the
        same, the id is of what was written.
        """
        view = memoryview(data).cast("B")
        blob = BlobId.of(view)
        if self._known(blob):
            return blob
        before = older() if older is not None and len(view) >= _OLDER_FROM else None
        if may_change():
            return self._add_windows(reader_of(view), len(view), before, item)[0]
        chunks = self._add_chunks(from_memory(view, item), len(view), item, before, blob)
        self._add_list(blob, chunks)
        return blob

    def add_file(
        self, read_at: ReadAt, size: int, older: Callable[[], Older | None] | None = None
    ) -> tuple[BlobId, int]:
        """Stores what `read_at` gives, to its end, in bounded memory; returns its id and its bytes.

        `size`: about how many bytes will come. The id is of what was written, whatever happens to
        the source meanwhile. `older` as for `add_blob`.
        """
        if size >= _LANES_FROM and self._begins_known(read_at, size):
            # Most probably all of it is: one hash pass tells.
            blob, length = hash_all(read_at)
            if self._known(blob):
                return blob, length
        before = older() if older is not None and size >= _OLDER_FROM else None
        return self._add_windows(read_at, size, before)

    def _add_windows(
        self, read_at: ReadAt, size: int, older: Older | None, item: Item | None = None
    ) -> tuple[BlobId, int]:
        """Stores what `read_at` gives, copied a window at a time; the id is that of the copies."""
        whole = Digest(read_at)
        pieces = from_reader(whole.read_at, item, size=size)
        chunks = self._add_chunks(pieces, size, item, older)
        blob = whole.id()
        self._add_list(blob, chunks)
        return blob, whole.size

    def _begins_known(self, read_at: ReadAt, size: int) -> bool:
        """Whether the first chunk of what `read_at` gives is stored already."""
        start = memoryview(bytearray(_LANES_FROM))
        start = start[: read_at(start, 0)]
        return any(
            self._where(ChunkId.of(piece)) is not None
            for piece in islice(cut(start, None, size), 1)
        )

    def _add_list(self, blob: BlobId, chunks: list[ChunkId]) -> None:
        """Notes of what chunks a blob consists, unless it is one."""
        if (len(chunks) != 1 or bytes(chunks[0]) != bytes(blob)) and not self._known(blob):
            self._add_small(blob, b"".join(chunks))

    def _add_chunks(
        self,
        pieces: Iterable[Piece],
        size: int,
        item: Item | None,
        older: Older | None,
        blob: BlobId | None = None,
    ) -> list[ChunkId]:
        """Stores the chunks of a blob of about `size` bytes; returns their ids in order."""
        chunks: list[ChunkId] = []
        in_order: InOrder = map
        ahead: Callable[[memoryview], Plan] | None = None
        fast = self._database.fast
        aligner = self._aligner(older, size)
        if size >= _LANES_FROM:
            lanes = self._lanes = self._lanes or Lanes()
            in_order = lanes.in_order
            if aligner is None:
                ahead = partial(intake.plan_start, item=item, fast=fast)
        hash_pieces = partial(intake.hash_pieces, self._where, blob, ahead)
        hashed = in_order(hash_pieces, intake.batches(pieces))
        if aligner is None:
            planned = intake.plan_chunks(hashed, self._is_new, item, chunks, fast=fast)
        else:
            planned = intake.plan_groups(hashed, self._is_new, item, chunks, aligner)
        pack = partial(intake.pack, self._database, self._avoid)
        first = True  # of the blob: where it lies in one piece, it can be mapped
        for batch in filter(None, planned):
            # What is packed is taken later: meanwhile the next blob is hashed.
            packed = self._lanes.submit(pack, batch) if self._lanes else pack(batch)
            self._coming.append((packed, first))
            self._take_in(leave=_COMING)
            first = False
        return chunks

    def _aligner(self, older: Older | None, size: int) -> Aligner | None:
        """What aligns a blob of `size` bytes with those of its earlier versions that are there."""
        if older is None or self._database.fast or size > _OLDER_UP_TO:
            return None
        versions, base = [], 0
        for place, blob in enumerate(older.path):
            with contextlib.suppress(CorruptError):
                versions.append(self._database.version(blob))
                base += place < older.base
        return Aligner(versions, min(base, len(versions) - 1), size) if versions else None

    def _is_new(self, chunk: Hashed) -> bool:
        """Whether the chunk must be written; from now on it counts as written."""
        if chunk.id in self._own or chunk.id in self._good:
            return False
        if chunk.packs is not None:
            self._relied |= chunk.packs
            self._good[bytes(chunk.id)] = chunk.packs
            return False
        # From now on it is ours, also for the batches that are hashed already.
        self._own[bytes(chunk.id)] = None
        return True

    def rely(self, object_id: ObjectId) -> None:
        """Builds on an object that is there; CorruptError if no whole copy of it is."""
        if not self._known(object_id):
            raise CorruptError(f"object {object_id} is missing or damaged")

    def needed(self, blob: BlobId) -> frozenset[PackId] | None:
        """All packs that a blob, added or found here, needs; None where that is not known yet.

        Those of what was written here will be there once `flush` returned, or never.
        """
        self._take_in()
        pack = self._own.get(blob)
        return self._good.get(blob) if pack is None else frozenset({pack})

    def look_at(self, packs: frozenset[PackId]) -> frozenset[bytes]:
        """What the packs are like now, for `rely_on` at a later time; less what cannot be told.

        For who verifies, after this, what they hold.
        """
        return frozenset(filter(None, map(self._verified.seen, packs)))

    def rely_on(self, packs: frozenset[PackId], seen: frozenset[bytes] = frozenset()) -> bool:
        """Builds on all that only needs `packs`, as `needed` told of it; nothing is read.

        False, and nothing is built on, unless each of them is what it was when it was written, or
        when it was `seen` (by `look_at`) and what is built on was verified.
        """
        if packs & self._avoid:
            return False
        for pack in packs:
            if not self._verified.trusts(pack) and self._verified.seen(pack) not in seen:
                return False
        self._relied |= packs
        return True

    def add_record(self, record_id: ObjectId, data: bytes) -> PackId:
        """Stores the record `data` under its id; returns the pack in which it lies or will lie."""
        if not self._known(record_id):
            self._add_small(record_id, data)
        self._take_in()
        own = self._own.get(record_id)
        if own is not None:
            return own
        places = self._database.index.find(record_id)
        return places[0].pack if places else self._out.growing.id

    def add_parcel(self, parcel: Parcel) -> None:
        """Takes over the objects of another writer."""
        self._take_in()
        for part in parcel.parts:
            members = [Member(ObjectId.checked(raw), *rest) for raw, *rest in part.objects]
            if not all(self._known(member.id) for member in members):
                self._append(Packed(members, part.codec, part.stored, part.depth), align=False)

    @property
    def pending(self) -> int:
        """Bytes gathered and not yet in a pack."""
        self._take_in()
        return self._out.growing.payload

    def parcel(self) -> tuple[Parcel, set[PackId]] | None:
        """What was gathered and what it relies on; None if that is too much to hand over."""
        self._take_in()
        if not self._out.is_in_memory or self.pending > PARCEL_LIMIT:
            return None
        self._close_lanes()
        parts: list[Part] = []
        gathered = self._out.growing
        for record, stored in zip(gathered.records, gathered.stored, strict=True):
            one = (record.id, record.kind, record.size)
            if record.within:
                parts[-1].objects.append(one)
            else:
                parts.append(Part([one], record.codec, bytes(stored), record.depth))
        return Parcel(parts), self._relied

    def flush(self) -> Outcome:
        """Writes what was gathered as packs; durable when this returns."""
        self._take_in()
        if not self._settled and self._out.is_empty:  # a new pack settles the others too
            settle(self._database.backend, FOLDER)
        receipts = self._out.flush()
        self._close_lanes()
        return Outcome(receipts, self._relied)

    def abandon(self) -> None:
        """Drops what was gathered and is not in a pack yet, and ends all threads."""
        self._out.abandon()
        self._close_lanes()
        self._coming.clear()

    def _known(self, object_id: ObjectId) -> bool:
        """Whether a copy exists that a commit may rely on.

        A copy that is there counts only if it verifies now: otherwise a damaged object would
        take all later saves of the same bytes with it.
        """
        if object_id in self._own or object_id in self._good:
            return True
        packs = self._where(object_id)
        if packs is None:
            return False
        self._relied |= packs
        self._good[bytes(object_id)] = packs
        return True

    def _where(self, object_id: ObjectId) -> frozenset[PackId] | None:
        """The packs of a copy that verifies, with all that it needs; None if there is none.

        May be called in several threads.
        """
        copies = self._database.index.find(object_id)
        for location in copies:
            trusted = self._database.needs(location, self._verified.trusts)
            if trusted is not None and not trusted & self._avoid:
                return trusted
        for location in copies:
            try:
                needed = self._database.verify(location)
            except CorruptError:
                continue
            if not needed & self._avoid:
                self._settled = False  # of a process that may have been killed just there
                return needed
        return None

    def _take_in(self, leave: int = 0) -> None:
        """Takes what was packed, in order, until at most so many batches are under way."""
        while len(self._coming) > leave:
            packed, first = self._coming.popleft()
            for one in packed if isinstance(packed, list) else packed.result():
                self._append(one, align=first)
                first = False

    def _add_small(self, object_id: ObjectId, data: bytes) -> None:
        """Adds a record or a list of chunks: no sample is worth the trouble."""
        number, stored = codec.encode(memoryview(data), _SMALL)
        self._own[bytes(object_id)] = None
        packed = Packed([Member(object_id, object_id.kind, len(data))], number, stored)
        self._coming.append(([packed], False))
        if not self._lanes:
            self._take_in()

    def _append(self, packed: Packed, *, align: bool) -> None:
        pack = self._out.add(packed, align=align)
        self._relied |= packed.relied
        for member in packed.members:
            alone = packed.depth == 0 and member.kind != BlobId.kind
            self._own[bytes(member.id)] = pack if alone else None

    def _is_durable(self, receipt: Receipt, records: list[Record]) -> None:
        self._database.index.add(receipt.pack, records)
        self._verified.note(receipt.pack)

    def _close_lanes(self) -> None:
        if self._lanes is not None:
            self._lanes.close()
            self._lanes = None
