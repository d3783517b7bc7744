"""Reading: blob ids to verified bytes.

Every byte is hashed before it is handed out, the memory-mapped path included.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mfv.errors import CorruptError, NotFoundError
from mfv.ids import ID_BYTES, RECORD_TYPES, BlobId, Buffer, ChunkId, ObjectId, PackId
from mfv.odb import bundle, codec, delta
from mfv.odb.aligner import Old
from mfv.odb.codec import Codec
from mfv.odb.objects import Objects
from mfv.odb.pack import Record
from mfv.odb.packindex import Location, key_of
from mfv.odb.pipeline import Hashing, Lanes
from mfv.odb.ranges import in_one_piece, neighbours, span_of
from mfv.storage.base import Mappable

# What is only to be hashed is looked at in parts.
_PART = 32 << 20  # bytes
# Larger ones are read and decoded on two cores.
_LANES_FROM = 4 << 20  # bytes


class AfterBase(NamedTuple):
    """A group, and what it takes to write it again."""

    stored: Buffer
    base: list[ChunkId]
    before: Buffer  # the bytes of `base`, joined
    data: bytes


class Database(Objects):
    """All objects of one repository: single ones, and blobs made of several."""

    def read_blob(self, blob: BlobId, *, largest: int | None = None) -> memoryview:
        """The bytes of a blob, verified, as writable memory of the caller's own.

        Raw blobs that lie in one piece are mapped and not read up front; the memory never
        writes back. CorruptError if any of it is missing or damaged; and, before anything is
        read, if it has more than `largest` bytes: who names a blob may lie about its size.
        """
        return self._any_copy(blob, lambda location: self._read_blob(blob, location, largest))

    def stream_blob(
        self, blob: BlobId, *, each: bool = True, largest: int | None = None
    ) -> Iterator[Buffer]:
        """The bytes of a blob a piece at a time, in bounded memory, each verified before it comes.

        CorruptError if any of it is missing or damaged; at the end if, whole as they are, the
        pieces do not add up to the blob: only then is all of it proved. For whoever gives nothing
        away before that, `each=False` hashes all of it once instead of twice.
        """
        location = self._locate(blob)[0]
        whole = location.record.kind == ChunkId.kind
        chunks = [location] if whole else self._any_copy(blob, self._chunks)
        _check_size(chunks, largest)
        with Hashing() as hashing:
            for piece in self._in_order(self._verified if each else self._together, chunks):
                hashing.take(memoryview(piece))
                yield piece
            if hashing.id() != blob:
                raise CorruptError(
                    f"{type(blob).__name__} {blob} is damaged: its chunks do not add up to it",
                    hint="`mfv fsck` lists the runs that it touches",
                )

    def blob_size(self, blob: BlobId) -> int:
        """The size of a blob in bytes, without reading it; CorruptError if it is missing."""
        location = self._locate(blob)[0]
        if location.record.kind == ChunkId.kind:
            return location.record.size
        return self._any_copy(blob, lambda copy: sum(r.size for _, r in self._chunks(copy)))

    def chunk_ids(self, blob: BlobId) -> list[ChunkId]:
        """The chunks that a blob is made of, in order; one of the same id if it was not cut."""
        location = self._locate(blob)[0]
        if location.record.kind == ChunkId.kind:
            return [ChunkId(blob)]
        return self._any_copy(blob, lambda copy: self._recipe(copy))

    def verify(self, location: Location) -> frozenset[PackId]:
        """Reads the object at `location` and checks it; returns all packs that it needs.

        A recipe is verified by reading the blob that it describes, and needs its chunks too; a
        chunk in a group needs what the group builds on. Raises CorruptError.
        """
        record = location.record
        if record.kind == BlobId.kind:
            chunks = self._proved(BlobId(record.id), self._chunks(location))
            return frozenset({location.pack}).union(*map(self._needed, chunks))
        if object_type(record.kind).of(self._decode(location)) != record.id:
            raise CorruptError(f"{record.id.hex()[:12]} in pack {location.pack} is damaged")
        return self._needed(location)

    def read_at(self, location: Location) -> Buffer:
        """The verified bytes of the object at `location`; of a list of chunks, the list itself.

        Raises CorruptError.
        """
        data = self._decode(location)
        self._check(location.pack, location.record, data)
        return data

    def id_of(self, location: Location) -> BlobId:
        """The id of the blob that the list of chunks at `location` makes up, whatever it is called.

        CorruptError if any of them is missing or damaged.
        """
        return self._id_of([self._whole_copy(chunk) for chunk in self._chunks(location)])

    def needs(
        self, location: Location, trusts: Callable[[PackId], bool]
    ) -> frozenset[PackId] | None:
        """All packs that the object at `location` needs, as `verify` tells them, without its data.

        None unless each of them is trusted, or where one is missing or cannot be read after all.
        """
        needed: set[PackId] = set()
        waiting = [location]
        groups: set[tuple[PackId, int]] = set()
        while waiting:
            pack, record = waiting.pop()
            if not trusts(pack) or not codec.can_read(record.codec):
                return None
            needed.add(pack)
            ids: list[ChunkId] = []
            try:
                if record.kind == BlobId.kind:
                    ids = self._recipe(Location(pack, record))
                elif record.codec == Codec.GROUP and (pack, record.offset) not in groups:
                    groups.add((pack, record.offset))
                    ids = self.base_of(Location(pack, record))
            except CorruptError:
                return None
            depth = record.depth if record.codec == Codec.GROUP else delta.MAX_DEPTH + 1
            for chunk in ids:
                copy = self._trusted_copy(chunk, depth, trusts)
                if copy is None:
                    return None
                waiting.append(copy)
        return frozenset(needed)

    def _trusted_copy(
        self, chunk: ChunkId, depth: int, trusts: Callable[[PackId], bool]
    ) -> Location | None:
        for copy in self.index.find(chunk):
            record = copy.record
            if record.kind == ChunkId.kind and record.depth < depth and trusts(copy.pack):
                return copy
        return None

    def version(self, blob: BlobId) -> list[Old]:
        """The chunks of a blob, as a later version of it needs them; CorruptError if any is gone.

        Of several copies the least deep counts. Nothing is verified yet.
        """
        found = []
        for chunk in self.chunk_ids(blob):
            copies = self._locate(chunk)
            depth = min(copy.record.depth for copy in copies)
            found.append(Old(chunk, copies[0].record.size, depth))
        return found

    def needed_chunks(self, blob: BlobId, seen: set[bytes]) -> Iterator[ChunkId]:
        """All chunks without which some copy of `blob` cannot be read, unless in `seen`.

        Those that its groups build on are among them. Adds them to `seen`; CorruptError where
        it cannot be told.
        """
        waiting = self.chunk_ids(blob)
        groups: set[tuple[PackId, int]] = set()
        while waiting:
            chunk = waiting.pop()
            if chunk in seen:
                continue
            seen.add(bytes(chunk))
            yield chunk
            copies = self.index.find(chunk)
            if not copies:
                self.index.refresh()  # it may lie in a pack that came since
                copies = self.index.find(chunk)
            for pack, record in copies:
                if record.codec == Codec.GROUP and (pack, record.offset) not in groups:
                    groups.add((pack, record.offset))
                    waiting += self.base_of(Location(pack, record))

    def read_stored(self, pack: PackId, records: Sequence[Record]) -> Buffer:
        """The stored bytes of `records`, all objects of one range, each verified from these bytes.

        Of a recipe the blob is read that it describes, chunk by chunk. Raises CorruptError.
        """
        first = records[0]
        if first.codec == Codec.GROUP:
            return self.read_group(pack, records).stored
        stored = self._stored(Location(pack, first))
        if first.codec == Codec.BUNDLE:
            whole = memoryview(bundle.decode(stored))
        else:
            whole = memoryview(codec.decode(first.codec, stored, first.size))
        for one in records:
            self._check(pack, one, whole[one.within : one.within + one.size])
        return stored

    def read_group(self, pack: PackId, records: Sequence[Record]) -> AfterBase:
        """A whole group, of which `records` are all the members, each verified.

        Raises CorruptError.
        """
        stored = self._stored(Location(pack, records[0]))
        group = delta.parse(stored)
        before, _ = self.read_together(group.base, records[0].depth)
        data = delta.decode(group, before)
        whole = memoryview(data)
        for one in records:
            self._check(pack, one, whole[one.within : one.within + one.size])
        return AfterBase(stored, group.base, before, data)

    def listed(self, location: Location) -> list[ChunkId]:
        """What the list of chunks at `location` says, unverified; CorruptError if it is none."""
        return self._recipe(location)

    def one_piece(self, location: Location) -> list[Location]:
        """The chunks of the recipe at `location`, if they lie so that the blob can be mapped.

        Empty where they do not. CorruptError if one is missing.
        """
        chunks = self._chunks(location)
        return chunks if in_one_piece(chunks) else []

    def _check(self, pack: PackId, record: Record, data: Buffer) -> None:
        """Raises CorruptError unless `data` is the object of `record`; a list is read for that."""
        if record.kind == BlobId.kind:
            self._proved(BlobId(record.id), self._places(_chunk_ids(data), pack))
        elif object_type(record.kind).of(data) != record.id:
            raise CorruptError(f"{record.id.hex()[:12]} in pack {pack} is damaged")

    def _read_blob(self, blob: BlobId, location: Location, largest: int | None) -> memoryview:
        whole = location.record.kind == ChunkId.kind
        chunks = [location] if whole else self._chunks(location)
        _check_size(chunks, largest)
        return self._read_chunks(blob, chunks)

    def _read_chunks(self, blob: BlobId, chunks: list[Location]) -> memoryview:
        """The bytes of `blob`, verified."""
        try:
            data = self._mapped(chunks) or self._assembled(chunks)
            if BlobId.of(data) == blob:
                return data
        except CorruptError:
            pass  # another copy of the chunk at fault may be whole
        data = self._assembled([self._whole_copy(chunk) for chunk in chunks])
        if BlobId.of(data) != blob:
            raise CorruptError("its chunks do not add up to it")
        return data

    def _proved(self, blob: BlobId, chunks: list[Location]) -> list[Location]:
        """The copies of the chunks that make up `blob`, read and verified a part at a time."""
        with contextlib.suppress(CorruptError):
            if self._id_of(chunks) == blob:
                return chunks
        chunks = [self._whole_copy(chunk) for chunk in chunks]
        if self._id_of(chunks) != blob:
            raise CorruptError("its chunks do not add up to it")
        return chunks

    def _id_of(self, chunks: list[Location]) -> BlobId:
        hasher = BlobId.hasher()
        for part in _parts(chunks):
            # Mapped a part at a time, or all of it would be counted as this process's memory.
            mapped = self._mapped(part)
            for piece in [mapped] if mapped else self._in_order(self._together, part):
                hasher.update(piece)
        return BlobId(hasher.digest())

    def _mapped(self, chunks: list[Location]) -> memoryview | None:
        """The chunks as one mapping if they lie raw, in order and together in one pack."""
        if not isinstance(self.backend, Mappable) or not in_one_piece(chunks):
            return None
        pack, first = chunks[0]
        size = sum(record.size for _, record in chunks)
        try:
            return self.backend.view(key_of(pack), first.offset, size)
        except NotFoundError:
            raise CorruptError(f"pack {pack} is gone") from None

    def _assembled(self, chunks: list[Location]) -> memoryview:
        data = bytearray(sum(record.size for _, record in chunks))
        position = 0
        for piece in self._in_order(self._together, chunks):
            data[position : position + len(piece)] = piece
            position += len(piece)
        return memoryview(data)

    def _in_order(
        self, read: Callable[[list[Location]], list[Buffer]], chunks: list[Location]
    ) -> Iterator[Buffer]:
        """What `read` makes of neighbours at a time, in order; of much, on two cores."""
        runs = neighbours(chunks)
        if sum(record.size for _, record in chunks) < _LANES_FROM:
            for run in runs:
                yield from read(run)
            return
        lanes = Lanes()
        try:
            for pieces in lanes.in_order(read, runs):
                yield from pieces
        finally:
            lanes.close()

    def _together(self, run: list[Location]) -> list[Buffer]:
        """The bytes of each chunk of `run`, unchecked, by one request for all of them."""
        pack, start, length = span_of(run)
        stored = memoryview(self._fetch(pack, start, length))
        return [
            self._decode(location, stored[location.record.offset - start :]) for location in run
        ]

    def _verified(self, run: list[Location]) -> list[Buffer]:
        """The bytes of each chunk of `run`, checked; of another copy where one is damaged."""
        try:
            pieces = self._together(run)
            if all(
                ChunkId.of(piece) == location.record.id
                for piece, location in zip(pieces, run, strict=True)
            ):
                return pieces
        except CorruptError:
            pass
        return [self._decode(self._whole_copy(location)) for location in run]

    def _chunks(self, location: Location) -> list[Location]:
        """Where the chunks of a recipe lie, those of the recipe's own pack preferred.

        Together they are contiguous there if the blob was new as a whole.
        """
        return self._places(self._recipe(location), location.pack)

    def _places(self, chunks: list[ChunkId], pack: PackId) -> list[Location]:
        found: dict[ChunkId, Location] = {}  # one that comes again is looked up once
        for chunk in chunks:
            if chunk not in found:
                copies = self._locate(chunk)
                same = (copy for copy in copies if copy.pack == pack)
                found[chunk] = next(same, copies[0])
        return [found[chunk] for chunk in chunks]

    def _recipe(self, location: Location) -> list[ChunkId]:
        return _chunk_ids(self._decode(location))

    def _whole_copy(self, chunk: Location) -> Location:
        """`chunk`, or another copy of the same bytes where this one is damaged."""

        def check(copy: Location) -> Location:
            if copy.record.kind != ChunkId.kind:
                raise CorruptError("what bears its id is no chunk")
            self.verify(copy)
            return copy

        try:
            return check(chunk)
        except CorruptError:
            return self._any_copy(ChunkId(chunk.record.id), check)


def _chunk_ids(recipe: Buffer) -> list[ChunkId]:
    payload = bytes(recipe)
    if len(payload) % ID_BYTES:
        raise CorruptError("its list of chunks is cut short")
    ids = (ChunkId(payload[i : i + ID_BYTES]) for i in range(0, len(payload), ID_BYTES))
    once: dict[ChunkId, ChunkId] = {}  # many may be one: zeros, say
    return [once.setdefault(one, one) for one in ids]


def _check_size(chunks: list[Location], largest: int | None) -> None:
    if largest is not None:
        size = sum(record.size for _, record in chunks)
        if size > largest:
            raise CorruptError(f"it has {size} bytes, where at most {largest} were expected")


def _parts(chunks: list[Location]) -> Iterator[list[Location]]:
    """The chunks in their order, in lists of about as much as is read at a time."""
    part: list[Location] = []
    size = 0  # bytes raw
    for chunk in chunks:
        part.append(chunk)
        size += chunk.record.size
        if size >= _PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def object_type(kind: int) -> type[ObjectId]:
    """The type of id that a chunk or record of this kind has; CorruptError for no such kind."""
    try:
        return ChunkId if kind == ChunkId.kind else RECORD_TYPES[kind]
    except KeyError:
        raise CorruptError(f"an object of unknown kind {kind}") from None
