"""The large buffers of one value on their way out of its pickle, uncopied."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from mfv.serde.frame import Buffer, Frame, Item, item_of

# Smaller buffers stay in the stream: a blob of its own would cost more than it can save
# (docs/design/012-frames.md has the curve).
OUT_OF_BAND_FROM = 16 * 1024  # bytes


class Lender:
    """Takes buffers while a value is pickled, and keeps them in order with their items."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        # By address, and kept alive, so that no address comes twice.
        self._items: dict[int, tuple[pickle.PickleBuffer, Item | None]] = {}

    def lend(self, buffer: Buffer, item: Item | None) -> pickle.PickleBuffer:
        """`buffer` as a part of what a reducer returns; its items are `item`, whatever it says."""
        lent = pickle.PickleBuffer(buffer)
        self._items[id(lent)] = lent, item
        return lent

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """The `buffer_callback` of a pickler: whether the buffer is to stay in the stream."""
        try:
            raw = buffer.raw()
        except BufferError:
            return True  # not contiguous: pickle copies it into the stream
        if raw.nbytes < OUT_OF_BAND_FROM:
            return True
        if id(buffer) in self._items:
            item = self._items[id(buffer)][1]
        else:
            with memoryview(buffer) as typed:
                item = item_of(typed.format, typed.itemsize)
        self.frames.append(Frame(raw, item))
        return False

    def keep(self, data: Buffer) -> None:
        """Takes bytes that the stream gives away."""
        self.frames.append(Frame(data))


class Call:
    """A call in the pickle; what is loaded is what it returned."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce_ex__(self, protocol: object) -> Any:
        return self.parts
