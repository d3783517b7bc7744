"""One heap for all threads of this process."""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's mallopt


def share() -> None:
    """Has the threads that are started from now on take memory from where all others do.

    glibc gives each thread a heap of its own, of which blocks of some MB that come and go leave
    half unused. For a process of our own; elsewhere than on glibc it does nothing.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_ARENA_MAX, 1)
