"""Byte planes: all first bytes of the items, then all second bytes, and so on.

The sign and exponent bytes of floats repeat and their mantissas do not: apart, the former
compress and the latter need not be tried.

Stored: the width of an item (1 byte: 2, 4 or 8); for each plane the bytes that it takes (4 bytes,
little-endian); the planes; last the bytes that make no whole item. A plane that takes as many
bytes as there are items lies there raw, one that takes fewer is a zstd frame.
"""

from __future__ import annotations

import struct
import sys

from mfv.errors import CorruptError
from mfv.odb import zframe

Buffer = bytes | bytearray | memoryview

WIDTHS = (2, 4, 8)  # bytes

_LENGTHS = {width: struct.Struct(f"<B{width}I") for width in WIDTHS}
_PROBE_FROM = 8 * 1024  # bytes; a smaller plane is its own probe
_PROBE = 2 * 1024  # bytes
_WORTH = 0.97  # of a plane: a smaller saving does not pay for the slower reading


def split(data: memoryview, width: int) -> list[Buffer]:
    """The `width` planes of the whole items in `data`.

    By numpy where it is loaded, as it is wherever arrays are stored: shifted and cut off, 6 to 18
    GB/s, and beside other threads. Else by slices with a step, which a bytearray copies in one
    native loop (3.6 GB/s; a bytes object takes 1.5, a memoryview 0.2), but holding the GIL.
    """
    whole = data[: len(data) - len(data) % width]
    numpy = sys.modules.get("numpy")
    if numpy is None:
        items = bytearray(whole)
        return [items[place::width] for place in range(width)]
    numbers = numpy.frombuffer(whole, f"<u{width}")
    return [memoryview((numbers >> (8 * place)).astype("u1")) for place in range(width)]


def _joined(planes: list[Buffer], width: int, size: int) -> Buffer:
    """`size` bytes, of which the whole items are `planes` and the rest is zeros."""
    count = size // width
    numpy = sys.modules.get("numpy")
    if numpy is None:
        data = bytearray(size)
        for place, content in enumerate(planes):
            data[place : count * width : width] = content
        return data
    joined = numpy.zeros(size, "u1")
    items = joined[: count * width].reshape(count, width)
    for place, content in enumerate(planes):
        items[:, place] = numpy.frombuffer(content, "u1")
    return memoryview(joined)


def encode(data: memoryview, width: int) -> bytes:
    """`data` as planes of items of `width` bytes."""
    planes: list[Buffer] = []
    for plane in split(data, width):
        packed = zframe.compress_bytewise(plane) if _shrinks(plane) else plane
        planes.append(packed if len(packed) < len(plane) * _WORTH else plane)
    head = _LENGTHS[width].pack(width, *map(len, planes))
    return b"".join([head, *planes, data[len(data) - len(data) % width :]])


def decode(stored: Buffer, size: int) -> Buffer:
    """The `size` bytes behind `stored`; CorruptError where it does not hold exactly them.

    Takes at most twice `size` of memory.
    """
    view = memoryview(stored)
    width = view[0] if view else 0
    if width not in _LENGTHS:
        raise CorruptError(f"byte planes of items of {width} bytes")
    head = _LENGTHS[width]
    if len(view) < head.size:
        raise CorruptError("byte planes are cut short")
    lengths = head.unpack_from(view)[1:]
    count = size // width
    if head.size + sum(lengths) + size % width != len(view) or max(lengths) > count:
        raise CorruptError(f"byte planes do not add up to the {size} bytes recorded for them")
    planes: list[Buffer] = []
    start = head.size
    for length in lengths:
        plane = view[start : start + length]
        planes.append(plane if length == count else zframe.decompress(plane, count))
        start += length
    # Last, so that a false claim of size has been refused by now.
    data = _joined(planes, width, size)
    memoryview(data)[count * width :] = view[start:]
    return data


def _shrinks(plane: Buffer) -> bool:
    """Whether 2 KiB from the middle do."""
    if len(plane) < _PROBE_FROM:
        return True
    start = (len(plane) - _PROBE) // 2
    return len(zframe.compress_bytewise(plane[start : start + _PROBE])) < _PROBE * _WORTH
