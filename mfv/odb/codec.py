"""How the bytes of one object are written down: raw, or zstd, chosen by trial.

A codec is recorded beside each object by its number, so better ones can be added without a new
format; a reader that lacks one says so by name.
"""

from __future__ import annotations

import sys
from enum import IntEnum

from mfv.errors import CorruptError, FormatTooNewError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Buffer = bytes | bytearray | memoryview


class Codec(IntEnum):
    """Numbers as written in `docs/format.md`; never reused."""

    RAW = 0
    ZSTD = 1


_LEVEL = 3
_SMALLEST = 64  # bytes; below, a zstd frame saves nothing
_TRIAL_FROM = 16 * 1024  # bytes; above, a sample is compressed before the whole
_SAMPLE = 4 * 1024  # bytes
_WORTH = 0.95  # of raw: a smaller saving does not pay for the slower reading


def encode(data: memoryview) -> tuple[Codec, Buffer]:
    """The codec that pays for `data`, and its bytes under that codec (`data` itself if raw)."""
    if len(data) < _SMALLEST:
        return Codec.RAW, data
    if len(data) >= _TRIAL_FROM and not _sample_shrinks(data):
        return Codec.RAW, data
    packed = zstd.compress(data, level=_LEVEL)
    if len(packed) > len(data) * _WORTH:
        return Codec.RAW, data
    return Codec.ZSTD, packed


def decode(codec: int, stored: Buffer, size: int) -> Buffer:
    """The `size` raw bytes behind `stored`; CorruptError if they are not exactly that many.

    Never produces more than `size` bytes, whatever the frame claims of itself.
    """
    if codec == Codec.RAW:
        if len(stored) != size:
            raise CorruptError(f"an object of {len(stored)} bytes where {size} were recorded")
        return stored
    if codec == Codec.ZSTD:
        return _unzstd(stored, size)
    raise FormatTooNewError(
        f"an object is written with codec {codec}, which this mfv does not know",
        hint="install a newer mfv-store to read it",
    )


def _sample_shrinks(data: memoryview) -> bool:
    """Whether 4 KiB from the middle shrink: random bytes and packed floats do not."""
    start = (len(data) - _SAMPLE) // 2
    sample = data[start : start + _SAMPLE]
    return len(zstd.compress(sample, level=1)) < _SAMPLE * _WORTH


def _unzstd(stored: Buffer, size: int) -> bytes:
    decoder = zstd.ZstdDecompressor()
    try:
        # One byte more than wanted tells a frame that is too long from one that fits.
        data = decoder.decompress(stored, max_length=size + 1)
    except (zstd.ZstdError, MemoryError) as error:
        raise CorruptError(f"a zstd frame cannot be read: {error}") from None
    if len(data) != size or not decoder.eof or decoder.unused_data:
        raise CorruptError(f"a zstd frame does not hold exactly the {size} bytes recorded for it")
    return data
