"""One layer of the lookup cache: of many objects, in which pack each probably lies.

    header     96 bytes: magic, version, sizes, two seals
    packs      16 bytes each: the ids of the packs that it covers
    starts     4 bytes each, and one more: the number of each pack's first record
    fan-out    4 bytes each, and one more: where each bucket of ids begins
    tails      4 bytes an object: bytes 1 to 4 of its id
    numbers    4 bytes an object: which record of which pack

Sorted by the first five bytes of the id; the fan-out is over its first bits, so that a bucket has
eight to sixteen entries, which native code scans faster than anything could bisect them. An answer
is a hint: who asks compares the whole id in the pack's own index. So only a false "not known" can
come of damage here. The head seal covers all up to the fan-out and is checked at each opening; the
body seal covers the rest, and is checked before a layer becomes part of another.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import ID_BYTES, PACK_ID_BYTES, Buffer, PackId, Seal

VERSION = 1
# In the machine's own byte order, so that one of the other order finds its layers foreign.
_HEADER = struct.Struct("=7sBIIIIQ")
_MAGIC = b"MFVSEEK"
_ORDER = 0x01020304
_START = _HEADER.size + 2 * ID_BYTES  # bytes
_NUMBER = 4  # bytes

KEY_BYTES = 5  # of an id, known to a layer: of ten million ids one in 100,000 is mistaken
LEAST_BITS = 8  # so that the first byte of an id is always told by its bucket
MOST_BITS = 24


class Place(NamedTuple):
    """Where an object probably lies."""

    pack: PackId
    position: int  # among the records of that pack's index


class Layer:
    """An opened layer, over mapped memory or not; immutable, safe among threads."""

    def __init__(self, data: memoryview) -> None:
        """Raises CorruptError for what is no layer, FormatTooNewError for a foreign one."""
        if len(data) < _START:
            raise CorruptError("a layer is cut short")
        magic, version, order, bits, count, _, self.objects = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise CorruptError("no layer")
        if version != VERSION or order != _ORDER:
            raise FormatTooNewError("a layer of another version or machine")
        if not LEAST_BITS <= bits <= MOST_BITS:  # before it is the exponent of anything
            raise CorruptError(f"a layer over {bits} bits of an id")
        sizes = (PACK_ID_BYTES * count, _NUMBER * (count + 1), _NUMBER * ((1 << bits) + 1))
        columns = (*sizes, _NUMBER * self.objects, _NUMBER * self.objects)
        if _START + sum(columns) != len(data):
            raise CorruptError("a layer of another size than it says")
        head = _START + sum(sizes[:2])
        seals = bytes(data[_HEADER.size : _START])
        if seals[:ID_BYTES] != _head_seal(
            data[: _HEADER.size], seals[ID_BYTES:], data[_START:head]
        ):
            raise CorruptError("a layer does not match its seal")
        self.data = data
        self.bits = bits
        parts, at = [], _START
        for size in columns:
            parts.append(data[at : at + size])
            at += size
        self._ids = parts[0]
        self._packs: dict[int, PackId] = {}  # those that somebody asked for
        starts, self.fan, self.tails, self.numbers = (part.cast("I") for part in parts[1:])
        self.starts = starts.tolist()  # bisected at every hit, three times faster than the view
        if self.starts[0] or self.starts != sorted(self.starts):
            raise CorruptError("a layer that numbers its packs out of order")
        self._count = count
        self._shift = 32 - bits
        self._body = data[head:]
        self._body_seal = seals[ID_BYTES:]

    def find(self, head: int, tail: bytes) -> Iterator[Place]:
        """Where an id may lie, of which `head` is the first four bytes and `tail` bytes 1 to 4."""
        bucket = head >> self._shift
        low = self.fan[bucket]
        tails = self.tails[low : self.fan[bucket + 1]].tobytes()
        at = tails.find(tail)
        while at >= 0:
            if not at % _NUMBER:  # else it is the end of one and the beginning of the next
                number = self.numbers[low + at // _NUMBER]
                pack = bisect_right(self.starts, number) - 1
                if pack < self._count:
                    yield Place(self.pack(pack), number - self.starts[pack])
            at = tails.find(tail, at + 1)

    def pack(self, place: int) -> PackId:
        """The pack that stands at `place`."""
        pack = self._packs.get(place)
        if pack is None:
            at = place * PACK_ID_BYTES
            pack = self._packs[place] = PackId(self._ids[at : at + PACK_ID_BYTES])
        return pack

    def packs(self) -> list[PackId]:
        """All packs that it covers, in the order of their records' numbers."""
        return [self.pack(place) for place in range(self._count)]

    def is_whole(self) -> bool:
        """Whether all of it is what was written; reads it all."""
        return Seal.of(self._body) == self._body_seal


def split(object_id: bytes) -> tuple[int, bytes]:
    """`head` and `tail` of an id, as `find` takes them."""
    return int.from_bytes(object_id[:4], "big"), object_id[1:KEY_BYTES]


def bits_for(objects: int) -> int:
    """Over how many bits of an id the fan-out of so many objects goes."""
    return min(max((objects >> 3).bit_length() - 1, LEAST_BITS), MOST_BITS)


class Blank(NamedTuple):
    """A layer whose columns are still to be filled in."""

    data: memoryview
    body: memoryview  # of it: the three columns
    fan: memoryview
    tails: memoryview
    numbers: memoryview


def blank(packs: Sequence[tuple[PackId, int]], bits: int, objects: int) -> Blank:
    """Room for a layer of so many objects; `packs` with the number of records of each."""
    starts, start = [0], 0
    for _, records in packs:
        start += records
        starts.append(start)
    head = b"".join(pack for pack, _ in packs) + struct.pack(f"={len(starts)}I", *starts)
    sizes = (_NUMBER * ((1 << bits) + 1), _NUMBER * objects, _NUMBER * objects)
    body = _START + len(head)
    data = memoryview(bytearray(body + sum(sizes)))
    data[: _HEADER.size] = _HEADER.pack(_MAGIC, VERSION, _ORDER, bits, len(packs), 0, objects)
    data[_START:body] = head
    parts, at = [], body
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return Blank(data, data[body:], *parts)


def finish(filled: Blank) -> Layer:
    """The layer in memory, sealed."""
    data = filled.data
    seal = Seal.of(filled.body)
    head = data[_START : len(data) - len(filled.body)]
    data[_HEADER.size : _START] = _head_seal(data[: _HEADER.size], seal, head) + seal
    return Layer(data)


def assemble(
    packs: Sequence[tuple[PackId, int]], bits: int, fan: Buffer, tails: Buffer, numbers: Buffer
) -> Layer:
    """A layer in memory out of its columns; `packs` as above."""
    made = blank(packs, bits, len(tails) // _NUMBER)
    made.fan[:], made.tails[:], made.numbers[:] = fan, tails, numbers
    return finish(made)


def _head_seal(fields: Buffer, body: bytes, head: Buffer) -> Seal:
    return Seal.of(b"".join((fields, body, head)))
