"""Whole zstd frames: written by contexts that are kept, read with a bound.

Making a context costs more than compressing 4 KiB with it, so each thread keeps its own.
"""

from __future__ import annotations

import sys
import threading

from mfv.errors import CorruptError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Buffer = bytes | bytearray | memoryview

LEVEL = 3
TRIAL_LEVEL = 1

# Matches are hardly looked for and literals are coded by Huffman alone: for the sign and exponent
# bytes of floats this codes better than level 1, at two to three times its speed.
_HUFFMAN: dict[int, int] = {
    zstd.CompressionParameter.strategy: zstd.Strategy.fast,
    zstd.CompressionParameter.min_match: 7,
    zstd.CompressionParameter.hash_log: 6,
    zstd.CompressionParameter.search_log: 1,
    zstd.CompressionParameter.target_length: 0,
}


_LEAST_WINDOW = 10  # log2 of bytes; zstd takes no less
LEAST_BEFORE = 8  # bytes; zstd takes no less


class _Contexts(threading.local):
    def __init__(self) -> None:
        self.normal = zstd.ZstdCompressor(level=LEVEL)
        self.trial = zstd.ZstdCompressor(level=TRIAL_LEVEL)
        self.huffman = zstd.ZstdCompressor(options=_HUFFMAN)


_contexts = _Contexts()


def compress(data: Buffer) -> bytes:
    """`data` as one frame, at the level for what is kept."""
    return _contexts.normal.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def compress_quickly(data: Buffer) -> bytes:
    """`data` as one frame, at the level that tells whether more would pay."""
    return _contexts.trial.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def compress_bytewise(data: Buffer) -> bytes:
    """`data` as one frame whose literals are Huffman-coded; for bytes unequal in frequency."""
    return _contexts.huffman.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def compress_hard(data: Buffer, level: int) -> bytes:
    """`data` as one frame, at a level of which nobody waits."""
    return zstd.compress(data, level=level)


def compress_after(data: Buffer, before: Buffer, level: int = TRIAL_LEVEL) -> bytes:
    """`data` as one frame that can be read only with `before`, bytes that it resembles.

    `before` has at least `LEAST_BEFORE` bytes.
    """
    window = (len(data) + len(before) - 1).bit_length()  # to the first byte of `before`
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.window_log: max(_LEAST_WINDOW, window),
        # Without it a low level remembers only where the latest of many similar bytes were.
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    prefix = zstd.ZstdDict(before, is_raw=True).as_prefix
    encoder = zstd.ZstdCompressor(options=options, zstd_dict=prefix)
    return encoder.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def decompress_after(stored: Buffer, before: Buffer, size: int) -> bytes:
    """The `size` bytes of a frame that was compressed after `before`; CorruptError otherwise."""
    prefix = zstd.ZstdDict(before, is_raw=True).as_prefix
    return _decompress(zstd.ZstdDecompressor(zstd_dict=prefix), stored, size)


def decompress(stored: Buffer, size: int) -> bytes:
    """The `size` bytes of the frame `stored`; CorruptError if it holds anything else.

    Never produces more than one byte beyond `size`, whatever the frame claims of itself.
    """
    return _decompress(zstd.ZstdDecompressor(), stored, size)


def _decompress(decoder: zstd.ZstdDecompressor, stored: Buffer, size: int) -> bytes:
    try:
        # One byte more than wanted tells a frame that is too long from one that fits.
        data = decoder.decompress(stored, max_length=size + 1)
    except (zstd.ZstdError, MemoryError) as error:
        raise CorruptError(f"a zstd frame cannot be read: {error}") from None
    if len(data) != size or not decoder.eof or decoder.unused_data:
        raise CorruptError(f"a zstd frame does not hold exactly the {size} bytes recorded for it")
    return data
