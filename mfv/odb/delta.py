"""Groups: neighbouring chunks of one blob, compressed together after older bytes like them.

    4 bytes   raw size of the group
    4 bytes   number of base chunks
    32 each   their ids, in order
              one zstd frame, to be read with the base chunks' bytes, joined, as its prefix

A group is read whole, and needs its base, which may lie in groups itself. Each record tells its
depth, how many groups one leads through; bases are less deep than what builds on them, so that
reading ends, and soon.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from mfv.errors import CorruptError
from mfv.ids import ID_BYTES, ChunkId
from mfv.odb import zframe

Buffer = bytes | bytearray | memoryview

# Reading any version leads through at most so many older ones.
MAX_DEPTH = 4
# A group and its base are held in memory, whole: once to write them, and once a level to read.
GROUP = 4 << 20  # bytes raw, at most, that a writer puts together
BASE = 8 << 20  # bytes raw, at most, that it puts before them

# What a reader believes of a claim. At each depth it may have to hold a base.
CREDIBLE_DEPTH = 8
CREDIBLE_BASE = 16 << 20  # bytes raw
_CREDIBLE_GROUP = 16 << 20  # bytes raw
_CREDIBLE_COUNT = 4096  # chunks of the base

_HEAD = struct.Struct("<II")


class Group(NamedTuple):
    """A group as it lies in a pack."""

    size: int  # bytes raw
    base: list[ChunkId]
    frame: memoryview


def encode(
    data: Buffer, base: Sequence[ChunkId], before: Buffer, level: int = zframe.TRIAL_LEVEL
) -> bytes:
    """The stored bytes of the group `data` after `before`, the joined bytes of `base`."""
    head = _HEAD.pack(len(data), len(base))
    return b"".join([head, *base, zframe.compress_after(data, before, level)])


def parse(stored: Buffer) -> Group:
    """What `stored` says of itself; CorruptError where it cannot be a group."""
    view = memoryview(stored)
    if len(view) < _HEAD.size:
        raise CorruptError("a group of chunks is cut short")
    size, count = _HEAD.unpack(view[: _HEAD.size])
    end = _HEAD.size + count * ID_BYTES
    if size > _CREDIBLE_GROUP or count > _CREDIBLE_COUNT or end > len(view):
        raise CorruptError(f"a group claims {size} bytes and {count} chunks before it")
    ids = bytes(view[_HEAD.size : end])
    base = [ChunkId(ids[i : i + ID_BYTES]) for i in range(0, len(ids), ID_BYTES)]
    return Group(size, base, view[end:])


# So much of a group tells what it builds on, whatever it claims.
HEAD_BYTES = _HEAD.size + _CREDIBLE_COUNT * ID_BYTES


def decode(group: Group, before: Buffer) -> bytes:
    """The raw bytes of `group` after `before`; CorruptError if they are not what it claims."""
    if len(before) < zframe.LEAST_BEFORE:
        raise CorruptError("a group builds on nothing")
    return zframe.decompress_after(group.frame, before, group.size)
