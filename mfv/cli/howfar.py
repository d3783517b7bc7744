"""How far a long command is: one line on a terminal, which goes again."""

import sys
import time
from collections.abc import Callable

from mfv.render.units import size

_EVERY = 0.1  # seconds


def how_far(what: str, total: int | None = None, *, quiet: bool = False) -> Callable[[int], None]:
    """Takes the number of bytes done so far, and says `what` was done with so many, of `total`."""
    if quiet or not sys.stderr.isatty():
        return lambda done: None
    told = 0.0

    def tell(done: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < _EVERY:
            return
        told = now
        of = "" if total is None else f" of {size(total)}"
        sys.stderr.write(f"\r\x1b[K{what} {size(done)}{of}\r")

    return tell


def no_further(*, quiet: bool = False) -> None:
    """Takes the line away."""
    if not quiet and sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
