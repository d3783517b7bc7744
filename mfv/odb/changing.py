"""Memory that someone may write to while it is stored.

A blob is hashed, then cut, then its chunks are hashed, compressed and written, raw ones long after
they were hashed. Were a number changed in between, what is written would not be what was
hashed, and could never be read. So where anyone could change it, it is copied a window at a time,
as a file is read, and the blob's id is the hash of the copies: of what was written.
"""

from __future__ import annotations

import sys

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
