"""Where a blob is cut: the unit of deduplication and compression.

FastCDC 2020 by `pyfastcdc`: native, takes any buffer without a copy, releases the GIL, and its
pure-Python mode cuts at the same places. Where one cuts is not part of the format: any reader
reads any cut, and another cutter costs only deduplication against what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from mfv.odb.item import Item

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

# Averages per kind of frame, by the curves in docs/design/007-chunking.md.
AVERAGE = 64 * 1024  # bytes, of what is not numbers
NUMBERS_AVERAGE = 256 * 1024  # bytes
SPREAD = 4  # the smallest piece is an average divided, the largest one multiplied by it
# Of a huge blob the pieces are larger: what is kept of each in memory would outweigh the rest.
_PIECES = 16 * 1024  # about so many, at most …
_LARGEST_AVERAGE = 512 << 10  # … up to pieces of this size, in bytes
# Larger ones are cut: no piece may be larger than what a reader believes of a chunk.
_LARGEST_ITEM = 16 << 20  # bytes


@cache
def _cutter(average: int) -> FastCDC:
    # Imported at the first blob that is large enough to cut: most runs of small things never pay.
    from pyfastcdc import FastCDC

    return FastCDC(avg_size=average, min_size=average // SPREAD, max_size=average * SPREAD)


def average_for(item: Item | None, size: int = 0) -> int:
    """The average size in bytes of the pieces of a frame of `size` bytes of such items."""
    average = NUMBERS_AVERAGE if item is not None and item[1] > 1 else AVERAGE
    while size > average * _PIECES and average < _LARGEST_AVERAGE:
        average *= 2
    return average


def _width(item: Item | None) -> int:
    return item[1] if item is not None and item[1] <= _LARGEST_ITEM else 1


def largest_piece(item: Item | None, size: int = 0) -> int:
    """No piece of a frame of `size` bytes of such items is larger, in bytes."""
    return average_for(item, size) * SPREAD + _width(item)  # which may move a cut back


def cut(data: memoryview, item: Item | None = None, of: int | None = None) -> Iterator[memoryview]:
    """Slices of `data` (contiguous, itemsize 1) in order; joined they are `data`.

    Equal bytes of equal items are cut alike everywhere. Where `item` is known, each slice holds
    whole items: content says where, then the cut moves back to where that item begins. So rows
    put in before it shift it and do not change it. `of`: bytes of the blob, where `data` is a part
    of one. Nothing is copied.
    """
    average = average_for(item, len(data) if of is None else of)
    if len(data) <= average // SPREAD:
        if len(data):
            yield data
        return
    width = _width(item)
    start = 0
    for chunk in _cutter(average).cut_buf(data):
        end = chunk.offset + chunk.length
        if end < len(data):
            end -= end % width
        if end > start:  # an item may be larger than a piece
            yield data[start:end]
            start = end
