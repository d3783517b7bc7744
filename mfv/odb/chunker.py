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


@cache
def _cutter(average: int) -> FastCDC:
    # Imported at the first blob that is large enough to cut: most runs of small things never pay.
    from pyfastcdc import FastCDC

    return FastCDC(avg_size=average, min_size=average // SPREAD, max_size=average * SPREAD)


def average_for(item: Item | None) -> int:
    """The average size in bytes of the pieces of a frame of such items."""
    return NUMBERS_AVERAGE if item is not None and item[1] > 1 else AVERAGE


def cut(data: memoryview, item: Item | None = None) -> Iterator[memoryview]:
    """Slices of `data` (contiguous, itemsize 1) in order; joined they are `data`.

    Equal bytes of equal items are cut alike everywhere. Where `item` is known, each slice holds
    whole items: content says where, then the cut moves back to where that item begins. So rows
    put in before it shift it and do not change it. Nothing is copied.
    """
    average = average_for(item)
    if len(data) <= average // SPREAD:
        if len(data):
            yield data
        return
    width = item[1] if item is not None else 1
    start = 0
    for chunk in _cutter(average).cut_buf(data):
        end = chunk.offset + chunk.length
        if end < len(data):
            end -= end % width
        if end > start:  # an item may be larger than a piece
            yield data[start:end]
            start = end
