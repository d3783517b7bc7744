"""How the bytes of one object are written down: a number for each way, and the two directions.

A codec is recorded beside each object by its number, so better ones can be added without a new
format; a reader that lacks one says so by name. Which one pays is decided in `trial`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError
from mfv.odb import numbers, planes, zframe

Buffer = bytes | bytearray | memoryview


class Codec(IntEnum):
    """Numbers as written in `docs/format.md`; never reused."""

    RAW = 0
    ZSTD = 1
    PLANES = 2
    PCODEC = 3
    GROUP = 4  # several chunks after older ones: `delta` writes and reads it
    BUNDLE = 5  # several objects of any kind: `bundle` writes and reads it


# Those under which several objects lie in one stored range, and are read together.
SHARED = frozenset({Codec.GROUP, Codec.BUNDLE})


class Plan(NamedTuple):
    """How to write objects that are alike."""

    codec: Codec
    detail: int = 0  # bytes of an item for PLANES, the type of number for PCODEC


PLAIN = Plan(Codec.RAW)

SMALLEST = 64  # bytes; below, no codec saves anything
WORTH = 0.95  # of raw: a smaller saving does not pay for the slower reading


def encode(data: memoryview, plan: Plan) -> tuple[Codec, Buffer]:
    """The bytes of `data` under the codec of `plan`, or `data` itself, raw, if that saves nothing.

    Returns the codec that was used.
    """
    packed = _packed(data, plan) if len(data) >= SMALLEST else None
    if packed is None or len(packed) > len(data) * WORTH:
        return Codec.RAW, data
    return plan.codec, packed


def decode(codec: int, stored: Buffer, size: int) -> Buffer:
    """The `size` raw bytes behind `stored`; CorruptError if they are not exactly that many.

    Never produces more than `size` bytes, whatever `stored` claims. Raises FormatTooNewError for
    a codec that is not known here, MissingCodecError for one whose package is missing.
    """
    if codec == Codec.RAW:
        if len(stored) != size:
            raise CorruptError(f"an object of {len(stored)} bytes where {size} were recorded")
        return stored
    if codec == Codec.ZSTD:
        return zframe.decompress(stored, size)
    if codec == Codec.PLANES:
        return planes.decode(stored, size)
    if codec == Codec.PCODEC:
        return numbers.decode(stored, size)
    raise FormatTooNewError(
        f"an object is written with codec {codec}, which this mfv does not know",
        hint="install a newer mfv-store to read it",
    )


def can_read(codec: int) -> bool:
    """Whether objects of this codec can be read here: it is known, and its package is there."""
    return codec in _KNOWN and (codec != Codec.PCODEC or numbers.is_available())


_KNOWN = frozenset(Codec)


def _packed(data: memoryview, plan: Plan) -> bytes | None:
    if plan.codec == Codec.ZSTD:
        return zframe.compress(data)
    if plan.codec == Codec.PLANES:
        return planes.encode(data, plan.detail)
    if plan.codec == Codec.PCODEC:
        return numbers.encode(data, plan.detail)
    return None
