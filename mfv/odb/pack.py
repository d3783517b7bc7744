"""One pack: an immutable file of many objects, its index, and a seal over both.

    header   64 bytes: magic, pack id, whether a repack made it dense, zeros
    payload  the objects' stored bytes; a frame's first chunk starts at a multiple of 64
    index    64 bytes an object, sorted by id; what is compressed together shares its stored bytes
    trailer  64 bytes: index offset, object count, zeros, seal

The seal covers header, index and trailer; the index holds the hash of every object. So every
byte that matters is covered once, and writing costs no second hash pass over the payload.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import ID_BYTES, ChunkId, ObjectId, PackId, Seal

Buffer = bytes | bytearray | memoryview

MAGIC = b"MFVPACK"
VERSION = 1
ALIGNMENT = 64  # bytes
HEADER = struct.Struct("<7sB16sB39x")
RECORD = struct.Struct("<32sBBBxIQQQ")
TRAILER = struct.Struct("<QQ16x32s")

# Larger claims are refused before anything is allocated.
MAX_CHUNK = 1 << 25  # bytes raw
MAX_OBJECT = 1 << 26  # bytes raw, of records and of lists of chunks

# A writer begins a new pack behind so many objects, so that an index is read as a whole.
PACK_OBJECTS = 1 << 20


class Record(NamedTuple):
    """One object of a pack."""

    id: bytes
    kind: int
    codec: int
    offset: int  # bytes from the start of the pack
    stored: int  # bytes in the pack
    size: int  # bytes raw
    depth: int = 0  # how many groups of chunks must be expanded one after another to read it
    within: int = 0  # bytes from the start of its group, where it has one


class Member(NamedTuple):
    """One of several objects that are stored together."""

    id: ObjectId
    kind: int
    size: int  # bytes raw


class Receipt(NamedTuple):
    """Proof that a pack is durable; what the log wants to see before it names one."""

    pack: PackId
    size: int  # bytes
    seal: Seal


class PackBuilder:
    """Collects objects and lays them out; nothing is copied, so keep what was added unchanged."""

    def __init__(self, *, dense: bool = False) -> None:
        """`dense`: what goes into it was compressed as hard as pays."""
        self.id = PackId.new()
        self._dense = dense
        self.records: list[Record] = []
        self.stored: list[Buffer] = []  # beside `records`; empty where `take` gave it away
        self.size = HEADER.size  # bytes so far, without index and trailer
        self.payload = 0  # bytes of the objects alone
        self._taken = 0  # records
        self._end = 0  # bytes taken

    def add(
        self,
        members: Sequence[Member],
        codec: int,
        stored: Buffer,
        depth: int = 0,
        *,
        align: bool = False,
    ) -> None:
        """Appends one stored range with the objects in it, in their order.

        Several only where `codec` packs them together; `align` starts it at a multiple of 64.
        """
        if align:
            self.size += -self.size % ALIGNMENT
        within, length = 0, len(stored)
        for object_id, kind, size in members:
            place = (self.size, length, size, depth, within)
            self.records.append(Record(bytes(object_id), kind, codec, *place))
            self.stored.append(b"" if within else stored)
            within += size
        self.size += length
        self.payload += length

    @property
    def waiting(self) -> int:
        """Bytes that `take` would give."""
        return self.size - self._end

    def take(self) -> list[Buffer]:
        """The parts of the file from where the last call ended, for writing while more is added."""
        parts: list[Buffer] = [] if self._end else [self._header()]
        self._end = self._end or HEADER.size
        for place in range(self._taken, len(self.records)):
            record = self.records[place]
            if record.offset < self._end:
                continue  # a further member of a group
            if record.offset > self._end:
                parts.append(bytes(record.offset - self._end))
            parts.append(self.stored[place])
            self.stored[place] = b""
            self._end = record.offset + record.stored
        self._taken = len(self.records)
        return parts

    def finish(self) -> tuple[list[Buffer], Receipt]:
        """The parts that are left, to the end of the file, and the receipt for all of it."""
        parts = self.take()
        index = b"".join(
            RECORD.pack(r.id, r.kind, r.codec, r.depth, r.within, r.offset, r.stored, r.size)
            for r in sorted(self.records)
        )
        head = TRAILER.pack(self._end, len(self.records), bytes(ID_BYTES))[:-ID_BYTES]
        seal = _seal(self._header(), index, head)
        parts += [index, head + seal]
        return parts, Receipt(self.id, self._end + len(index) + TRAILER.size, seal)

    def _header(self) -> bytes:
        return HEADER.pack(MAGIC, VERSION, self.id, self._dense)


def index_range(trailer: bytes, size: int) -> tuple[int, int]:
    """Offset and length of the index that `trailer` (the last 64 of `size` bytes) claims."""
    offset, count, _ = TRAILER.unpack(trailer)
    length = count * RECORD.size
    if offset < HEADER.size or offset + length + TRAILER.size != size:
        raise CorruptError("its trailer does not fit its size")
    return offset, length


def check_index(pack: PackId, header: bytes, index: bytes, trailer: bytes) -> int:
    """Checks seal and name of a pack's index; returns where its payload ends.

    Raises CorruptError, or FormatTooNewError for a later version. The records themselves are
    checked one by one as they are parsed.
    """
    if len(header) != HEADER.size or len(trailer) != TRAILER.size:
        raise CorruptError("it is cut short")
    magic, version, name, _ = HEADER.unpack(header)
    if magic != MAGIC:
        raise CorruptError("it does not start as a pack does")
    if version > VERSION:
        raise FormatTooNewError(
            f"pack {pack} has version {version}", hint="install a newer mfv-store to read it"
        )
    if version != VERSION:
        raise CorruptError(f"it has version {version}, which never was")
    if name != pack:
        raise CorruptError("it bears another pack's name inside")
    payload_end, _, seal = TRAILER.unpack(trailer)
    if seal != _seal(header, index, trailer[:-ID_BYTES]):
        raise CorruptError("its index does not match its seal")
    return int(payload_end)


def is_dense(header: bytes) -> bool:
    """Whether the pack of this header was made by a repack that left nothing to be compressed."""
    return len(header) == HEADER.size and bool(HEADER.unpack(header)[-1])


def parse_record(index: Buffer, at: int, payload_end: int) -> Record:
    """The record that starts at byte `at` of `index`; CorruptError if it leaves the payload."""
    object_id, kind, codec, depth, within, offset, stored, size = RECORD.unpack_from(index, at)
    if offset < HEADER.size or offset + stored > payload_end:
        raise CorruptError("an object lies outside its payload")
    if size > MAX_OBJECT or (size > MAX_CHUNK and kind == ChunkId.kind):
        raise CorruptError(f"an object claims {size} bytes")
    return Record(object_id, kind, codec, offset, stored, size, depth, within)


def parse_index(pack: PackId, header: bytes, index: bytes, trailer: bytes) -> list[Record]:
    """The records of a pack, checked: seal, name, order and that no object leaves the payload.

    Raises CorruptError, or FormatTooNewError for a later version.
    """
    return parse_records(index, check_index(pack, header, index, trailer))


def parse_records(index: bytes, payload_end: int) -> list[Record]:
    """The records of an index whose seal was checked; CorruptError as from `parse_index`."""
    records = [parse_record(index, at, payload_end) for at in range(0, len(index), RECORD.size)]
    before = b""
    for record in records:
        if record.id < before:
            raise CorruptError("its index is not sorted")
        before = record.id
    return records


def _seal(header: bytes, index: bytes, trailer_head: bytes) -> Seal:
    return Seal.of(header + index + trailer_head)
