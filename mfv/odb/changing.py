"""Memory that someone may write to while it is stored.

A blob is hashed, then cut, then its chunks are hashed, compressed and written, raw ones long after
they were hashed. Were a number changed in between, what is written would not be what was
hashed, and could never be read. So where anyone could change it, chunks are copied first, a few
at a time, and the blob's id is the hash of the copies: of what was written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator

from mfv.odb.intake import Hashed

_OURS = "mfv-"  # how the names of threads begin that write to no one's memory


def may_change() -> bool:
    """Whether a thread runs beside the caller's that could write to the memory of a blob.

    A copy and a second hash pass would be felt where there is none, which is the rule. Memory that
    another process writes to is not seen.
    """
    threading = sys.modules.get("threading")
    if threading is None:
        return False
    caller = threading.current_thread()
    return any(
        thread is not caller and not thread.name.startswith(_OURS)
        for thread in threading.enumerate()
    )


def copied(pieces: list[memoryview]) -> list[memoryview]:
    """The pieces in memory of their own."""
    return [memoryview(bytes(piece)) for piece in pieces]


def told(
    hashed: Iterable[list[Hashed]], took: Callable[[memoryview], object]
) -> Iterator[list[Hashed]]:
    """`hashed` as it is, once `took` was given the bytes of each chunk, in order."""
    for batch in hashed:
        for one in batch:
            took(one.data)
        yield batch
