"""One small value as bytes, to be carried from process to process and never stored."""

from __future__ import annotations

import pickle

LIMIT = 1024  # bytes


class _FullError(Exception):
    """More was written than is taken."""


class _Capped:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | memoryview) -> int:
        if len(self.data) + len(data) > LIMIT:
            raise _FullError
        self.data += data
        return len(data)


def pack(value: object) -> bytes:
    """`value` as at most LIMIT bytes; empty if it takes more, or cannot be pickled.

    A large value costs little: it is given up as soon as it shows.
    """
    file = _Capped()
    try:
        pickle.Pickler(file, protocol=5).dump(value)
    except Exception:  # _FullError, or whatever the value's own methods raise
        return b""
    return bytes(file.data)


def unpack(data: bytes) -> object:
    """The value that `pack` made `data` of, in this run."""
    return pickle.loads(data)
