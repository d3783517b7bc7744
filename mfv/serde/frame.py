"""Frames: the contiguous buffers that a value is stored as, and what each consists of."""

from __future__ import annotations

import sys
from typing import NamedTuple

Buffer = bytes | bytearray | memoryview


class Item(NamedTuple):
    """What one item of a frame is."""

    kind: str  # f: float, i: signed, u: unsigned integer, all little-endian; V: anything else
    size: int  # bytes


class Frame(NamedTuple):
    """One contiguous buffer, and its items where they are known."""

    data: Buffer
    item: Item | None = None


_KINDS = {
    **dict.fromkeys("efd", "f"),
    **dict.fromkeys("bhilqn", "i"),
    **dict.fromkeys("?HILQN", "u"),
}
_LITTLE = "<@=" if sys.byteorder == "little" else "<"


def item_of(format: str | None, size: int) -> Item | None:
    """The item behind `format`, as a buffer states it, and its bytes; None for plain bytes.

    A complex number counts as the two floats that it is.
    """
    code = format or "B"
    if code[0] in "<>@=!":
        little, code = code[0] in _LITTLE, code[1:]
    else:
        little = sys.byteorder == "little"
    if size < 1 or (code in ("B", "c", "s") and size == 1):
        return None
    if code in ("Zf", "Zd"):
        code, size = code[1], size // 2
    return Item(_KINDS.get(code, "V") if little or size == 1 else "V", size)
