"""Where a blob comes from: memory as it lies, or a reader from whom it comes a window at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mfv.ids import BlobId
from mfv.odb.chunker import cut
from mfv.odb.item import Item
from mfv.odb.pipeline import Hashing

# What a reader gives at a time is held until the last of it is written.
WINDOW = 4 << 20  # bytes

# Fills memory with what there is from an offset on; returns how many bytes, fewer only at the end.
ReadAt = Callable[[memoryview, int], int]


class Windows:
    """Memory for windows, each used again once nothing refers to it: new memory costs faults."""

    def __init__(self) -> None:
        self._all: list[bytearray] = []

    def take(self) -> memoryview:
        """A window with whatever stands in it."""
        for window in self._all:
            try:
                window.append(0)  # refused for as long as there is a view of it anywhere
            except BufferError:
                continue
            window.pop()
            return memoryview(window)
        self._all.append(bytearray(WINDOW))
        return memoryview(self._all[-1])


class Piece(NamedTuple):
    """What becomes one chunk, and what is at hand around it."""

    data: memoryview
    window: memoryview  # whole pieces, one after another
    at: int  # where in the window it begins


def from_memory(view: memoryview, item: Item | None = None) -> Iterator[Piece]:
    """The pieces of `view` (contiguous, itemsize 1), in order; all of it is one window."""
    at = 0
    for data in cut(view, item):
        yield Piece(data, view, at)
        at += len(data)


def reader_of(view: memoryview) -> ReadAt:
    """Reads from memory, to have copies of it."""

    def read_at(into: memoryview, offset: int) -> int:
        found = view[offset : offset + len(into)]
        into[: len(found)] = found
        return len(found)

    return read_at


def from_reader(
    read_at: ReadAt,
    took: Callable[[memoryview], object],
    item: Item | None = None,
    *,
    size: int = 0,
) -> Iterator[Piece]:
    """The pieces of what `read_at` gives, cut at the same places as they would be in memory.

    `size`: how many bytes that will be, for those that are cut more coarsely the larger they are.

    Those of items as a rule: a window may cut one or the other elsewhere. `took` is told of all
    bytes, in order, before any piece of them is given.
    """
    rest = memoryview(b"")
    whole, offset = False, 0
    windows = Windows()
    while not whole:
        buffer = windows.take()
        buffer[: len(rest)] = rest
        filled = len(rest) + read_at(buffer[len(rest) :], offset)
        whole = filled < WINDOW
        offset += filled - len(rest)
        took(buffer[len(rest) : filled])
        pieces = list(cut(buffer[:filled], item, size))
        # Where the last one ends is not known before one has seen what follows.
        rest = pieces.pop() if len(pieces) > 1 and not whole else rest[:0]
        window, at = buffer[: filled - len(rest)], 0
        for data in pieces:
            yield Piece(data, window, at)
            at += len(data)


def joined(pieces: Sequence[Piece]) -> memoryview:
    """The bytes of pieces that follow each other; a copy only where they lie in several windows."""
    first, last = pieces[0], pieces[-1]
    if first.window is last.window:
        return first.window[first.at : last.at + len(last.data)]
    return memoryview(b"".join(piece.data for piece in pieces))


def hash_all(read_at: ReadAt) -> tuple[BlobId, int]:
    """The id of what `read_at` gives, to its end, and how many bytes that are."""
    with Hashing() as whole:
        filled = WINDOW
        windows = Windows()
        while filled == WINDOW:
            window = windows.take()
            filled = read_at(window, whole.size)
            whole.take(window[:filled])
        return whole.id(), whole.size
