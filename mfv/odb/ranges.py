"""Chunks that lie near each other, read by one request: each is a round trip on a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from mfv.ids import PackId
from mfv.odb.codec import SHARED, Codec
from mfv.odb.packindex import Location

_REQUEST = 2 << 20  # bytes; beyond, another round trip costs little beside the transfer
# So much that nobody asked for may lie between two: less than a round trip costs.
_GAP = 64 << 10  # bytes
# From here on a raw blob is mapped; below, a copy is cheaper than a page table entry.
_MAP_FROM = 256 * 1024  # bytes


def range_of(location: Location) -> tuple[PackId, int, bytes]:
    """What tells the stored range of an object from all others.

    What is compressed together has one range. Empty objects take no room, so that several may
    begin at one offset.
    """
    pack, record = location
    return pack, record.offset, b"" if record.codec in SHARED else record.id


def by_range(index: Iterable[Location]) -> Iterator[list[Location]]:
    """The objects of each stored range, in the order of an index: several where they share one."""
    for _, members in groupby(index, key=range_of):
        yield list(members)


def neighbours(chunks: Iterable[Location]) -> Iterator[list[Location]]:
    """The chunks in their order, in lists of those that one request may bring.

    Those of one group stay together, so that it is expanded once.
    """
    run: list[Location] = []
    size = 0  # bytes raw
    for chunk in chunks:
        if run and not _joins(run, chunk, size):
            yield run
            run, size = [], 0
        run.append(chunk)
        size += chunk.record.size
    if run:
        yield run


def span_of(run: list[Location]) -> tuple[PackId, int, int]:
    """The pack, the offset and the length of what `run` takes; nothing of groups, read by others.

    The length is 0 where there are groups alone.
    """
    plain = [record for _, record in run if record.codec not in SHARED]
    if not plain:
        return run[0].pack, 0, 0
    start = min(record.offset for record in plain)
    return run[0].pack, start, max(record.offset + record.stored for record in plain) - start


def in_one_piece(chunks: list[Location]) -> bool:
    """Whether chunks lie raw, in order and together in one pack, and are worth mapping."""
    if sum(record.size for _, record in chunks) < _MAP_FROM:
        return False
    pack, first = chunks[0]
    offset = first.offset
    for other, record in chunks:
        if (other, record.offset, record.codec) != (pack, offset, Codec.RAW):
            return False
        if record.stored != record.size:
            return False
        offset += record.size
    return True


def _joins(run: list[Location], chunk: Location, size: int) -> bool:
    last = run[-1]
    if chunk.pack != last.pack:
        return False
    one, other = last.record, chunk.record
    if (one.codec in SHARED) != (other.codec in SHARED):
        return False
    if one.codec in SHARED:
        return one.offset == other.offset
    gap = other.offset - (one.offset + one.stored)
    return 0 <= gap <= _GAP and size + other.size <= _REQUEST
