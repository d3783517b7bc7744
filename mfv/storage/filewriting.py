"""The joined bytes of many parts into one file, without a copy where that can be.

What is beyond the first gigabyte of a file goes past the page cache: bytes that nobody may ever
read again would else push out what others keep there, and on most machines taking so many fresh
pages for the cache costs more than the copy into a buffer that the disk takes from.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Iterable

from mfv.storage.base import Buffer

DIRECT_FROM = 1 << 30  # bytes of a file that go through the page cache
_WRITEV_MAX = 512  # buffers a call; Linux takes 1024, others less
_BATCH = 4 << 20  # bytes gathered for one call: parts may still be on their way
_WRITEV_BYTES = 1 << 28  # bytes a call; macOS refuses more than INT_MAX
_BLOCK = 4096  # bytes: offsets, lengths and addresses of direct writes are multiples of it
_BUFFER = 8 << 20  # bytes a direct write
_O_DIRECT: int = getattr(os, "O_DIRECT", 0)  # 0 where the system has no such thing


def write_all(fd: int, parts: Iterable[Buffer], *, direct_from: int = DIRECT_FROM) -> None:
    """Writes all `parts` to the empty file `fd`; a short write goes on where it stopped."""
    batch: list[memoryview] = []
    size = written = 0
    unread = iter(parts)
    for part in unread:
        view = memoryview(part).cast("B")
        if len(view) == 0:
            continue
        batch.append(view)
        size += len(view)
        if len(batch) >= _WRITEV_MAX or size >= _BATCH:
            _writev(fd, batch)
            batch, written, size = [], written + size, 0
            if written >= direct_from and _O_DIRECT:
                _write_on(fd, written, unread)
                return
    _writev(fd, batch)


def _write_on(fd: int, written: int, parts: Iterable[Buffer]) -> None:
    """Writes `parts` behind the `written` bytes of `fd`, past the page cache where it can be."""
    buffer = memoryview(mmap.mmap(-1, _BUFFER))  # begins on a page
    filled = 0
    # The first piece is short, so that all that follow begin on a block.
    room = _BUFFER - written % _BLOCK
    for part in parts:
        view = memoryview(part).cast("B")
        while len(view):
            taken = min(len(view), room - filled)
            buffer[filled : filled + taken] = view[:taken]
            view, filled = view[taken:], filled + taken
            if filled == room:
                _write_blocks(fd, buffer[:filled])
                filled, room = 0, _BUFFER
    _write_blocks(fd, buffer[:filled])


def _write_blocks(fd: int, data: memoryview) -> None:
    """Writes whole blocks directly and all else through the cache."""
    if len(data) % _BLOCK == 0 and _set_direct(fd, True):
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:])
                if written % _BLOCK:
                    break  # a disk that is nearly full: the rest finds out
            data = data[written:]
        except OSError as error:
            if error.errno != errno.EINVAL:  # of a file system that has larger blocks
                raise
            data = data[written:]
    if len(data):
        _set_direct(fd, False)
        _writev(fd, [data])


def _set_direct(fd: int, on: bool) -> bool:
    """Whether `fd` is now written past the page cache; False where its file system cannot."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    wanted = flags | _O_DIRECT if on else flags & ~_O_DIRECT
    if wanted == flags:
        return on
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, wanted)
    except OSError:
        return False
    return on


def _writev(fd: int, batch: list[memoryview]) -> None:
    while batch:
        written = os.writev(fd, [view[:_WRITEV_BYTES] for view in batch])
        done = 0
        while done < len(batch) and written >= len(batch[done]):
            written -= len(batch[done])
            done += 1
        batch = batch[done:]
        if batch and written:
            batch[0] = batch[0][written:]
