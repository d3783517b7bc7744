"""Where a blob is cut: the unit of deduplication and compression.

FastCDC 2020 by `pyfastcdc`: native, takes any buffer without a copy, releases the GIL, and its
pure-Python mode cuts at the same places. Where one cuts is not part of the format: any reader
reads any cut, and another cutter costs only deduplication against what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

AVERAGE = 64 * 1024  # bytes
SMALLEST = AVERAGE // 4
LARGEST = AVERAGE * 4


@cache
def _cutter() -> FastCDC:
    # Imported at the first blob that is large enough to cut: most runs of small things never pay.
    from pyfastcdc import FastCDC

    return FastCDC(avg_size=AVERAGE, min_size=SMALLEST, max_size=LARGEST)


def cut(data: memoryview) -> Iterator[memoryview]:
    """Slices of `data` (contiguous, itemsize 1) in order; joined they are `data`.

    Equal bytes are cut alike everywhere. Nothing is copied.
    """
    if len(data) <= SMALLEST:
        if len(data):
            yield data
        return
    for chunk in _cutter().cut_buf(data):
        yield data[chunk.offset : chunk.offset + chunk.length]
