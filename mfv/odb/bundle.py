"""Bundles: small objects of any kind, compressed together.

    4 bytes   raw size of the bundle
              one zstd frame: the objects' bytes, joined

Each record tells where in the bundle its object begins. What is alike and small, the records of a
thousand runs, say, takes a tenth of what it takes one by one. One object costs the expansion of its
bundle, so only a repack makes them, of what is read together or seldom.
"""

from __future__ import annotations

import struct

from mfv.errors import CorruptError
from mfv.odb import zframe

Buffer = bytes | bytearray | memoryview

_HEAD = struct.Struct("<I")
_CREDIBLE = 16 << 20  # bytes raw that a reader believes in


def encode(data: Buffer, level: int) -> bytes:
    """The stored bytes of a bundle of the joined objects `data`."""
    return _HEAD.pack(len(data)) + zframe.compress_hard(data, level)


def decode(stored: Buffer) -> bytes:
    """The joined objects behind `stored`; CorruptError if it is no bundle."""
    view = memoryview(stored)
    if len(view) < _HEAD.size:
        raise CorruptError("a bundle is cut short")
    (size,) = _HEAD.unpack(view[: _HEAD.size])
    if size > _CREDIBLE:
        raise CorruptError(f"a bundle claims {size} bytes")
    return zframe.decompress(view[_HEAD.size :], size)
