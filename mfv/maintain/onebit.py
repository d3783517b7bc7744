"""The commonest damage of all, undone: one bit that turned over at rest or on its way.

What is sealed or hashed says itself when it is right again, so each bit is tried in turn.
"""

from __future__ import annotations

from collections.abc import Callable

LARGEST = 8 << 10  # bytes: 65,536 tries, about a second where each is a hash of as much


def mended(data: bytes, is_right: Callable[[bytes], bool]) -> bytes | None:
    """`data` with the one bit turned back that makes it right; None where no single one does."""
    if len(data) > LARGEST:
        return None
    tried = bytearray(data)
    for at in range(len(data)):
        for bit in range(8):
            tried[at] ^= 1 << bit
            if is_right(bytes(tried)):
                return bytes(tried)
            tried[at] ^= 1 << bit
    return None
