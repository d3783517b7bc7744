"""Where a blob comes from: memory as it lies, or a reader from whom it comes a window at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from mfv.ids import BlobId
from mfv.odb.chunker import cut, largest_piece
from mfv.odb.item import Item
from mfv.odb.pipeline import Hashing

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

# What a reader gives at a time is held until the last of it is written.
WINDOW = 4 << 20  # bytes

# Fills memory with what there is from an offset on; returns how many bytes, fewer only at the end.
ReadAt = Callable[[memoryview, int], int]


class Windows:
    """Memory for windows, each used again once nothing refers to it: new memory costs faults."""

    def __init__(self, size: int) -> None:
        """`size`: bytes of each."""
        self._size = size
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
        self._all.append(bytearray(self._size))
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
    item: Item | None = None,
    *,
    size: int = 0,
) -> Iterator[Piece]:
    """The pieces of what `read_at` gives, cut at the same places as they would be in memory.

    `size`: how many bytes that will be, for those that are cut more coarsely the larger they are.

    Those of items as a rule: a window may cut one or the other elsewhere.
    """
    rest = memoryview(b"")
    room = largest_piece(item, size)
    with _Ahead(read_at, room, size) as ahead:
        for buffer, filled in ahead:
            start = room - len(rest)
            buffer[start:room] = rest
            whole = filled < WINDOW
            pieces = list(cut(buffer[start : room + filled], item, size))
            # Where the last one ends is not known before one has seen what follows.
            rest = pieces.pop() if len(pieces) > 1 and not whole else rest[:0]
            window, at = buffer[start : room + filled - len(rest)], 0
            for data in pieces:
                yield Piece(data, window, at)
                at += len(data)


class _Ahead:
    """Windows full of what `read_at` gives, the next of them read while one is worked on.

    Each comes with how many bytes were read into it, behind `room`, which is left free for what is
    left of the window before. The last one is not full. A context: leaving it ends its thread.
    """

    def __init__(self, read_at: ReadAt, room: int, size: int) -> None:
        self._read_at, self._room = read_at, room
        self._windows = Windows(room + WINDOW)
        self._offset = 0
        self._pool: ThreadPoolExecutor | None = None
        if size > WINDOW:  # for less a thread costs more than it saves
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="mfv-read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[memoryview, int]]:
        coming = None if self._pool is None else self._pool.submit(self._read)
        filled = WINDOW
        while filled == WINDOW:
            buffer, filled = self._read() if coming is None else coming.result()
            if self._pool is not None and filled == WINDOW:
                coming = self._pool.submit(self._read)
            yield buffer, filled

    def _read(self) -> tuple[memoryview, int]:
        buffer = self._windows.take()
        filled = self._read_at(buffer[self._room :], self._offset)
        self._offset += filled
        return buffer, filled


class Digest:
    """The id and the size of what a reader gives, all of it in turn."""

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        # One thread: whoever stores what comes has work for the others.
        self._hasher = BlobId.hasher(threads=1)
        self.size = 0  # bytes read

    def read_at(self, into: memoryview, offset: int) -> int:
        """As the reader does; the thread that reads also hashes, for it has the bytes at hand."""
        filled = self._read_at(into, offset)
        self._hasher.update(into[:filled])
        self.size += filled
        return filled

    def id(self) -> BlobId:
        """The id of all that was read."""
        return BlobId(self._hasher.digest())


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
        windows = Windows(WINDOW)
        while filled == WINDOW:
            window = windows.take()
            filled = read_at(window, whole.size)
            whole.take(window[:filled])
        return whole.id(), whole.size
