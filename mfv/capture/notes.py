"""Notes in a cache folder: what took long to find out, as long as it holds. Never relied on.

A note that cannot be read, or is not what was asked for, is none; one that cannot be written is
found out again the next time.
"""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import contextlib
import os
from typing import TypeVar

import msgspec

from mfv.modes import like

T = TypeVar("T")

_FOLDER = "surroundings"
_LARGEST = 64 << 20  # bytes


def read_notes(cache: str | None, name: str, kind: type[T]) -> T | None:
    """The note `name` below the folder `cache`, as `kind`; None where there is none."""
    if cache is None:
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe is not waited for
    try:
        descriptor = os.open(f"{cache}/{_FOLDER}/{name}", flags)
        with open(descriptor, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > _LARGEST:
                return None
            return msgspec.msgpack.decode(file.readall() or b"", type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def write_notes(cache: str | None, name: str, value: object) -> None:
    """Replaces the note `name` as a whole; whoever may use the folder of `cache` may read it."""
    if cache is None:
        return
    folder = f"{cache}/{_FOLDER}"
    if os.path.islink(cache) or os.path.islink(folder):  # it would be written elsewhere
        return
    temporary = f"{folder}/{name}.{os.urandom(4).hex()}"
    try:
        modes = like(os.path.dirname(cache))
        modes.make_folders(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            modes.settle(file.fileno(), os.fstat(file.fileno()))
            file.write(msgspec.msgpack.encode(value))
        os.replace(temporary, f"{folder}/{name}")
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
