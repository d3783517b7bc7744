"""Many bytes into an open file, and out of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from mfv.storage.base import Buffer

# A link planted in a repository is not followed, and a planted pipe does not hang its reader.
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITEV_MAX = 512  # buffers a call; Linux takes 1024, others less
_BATCH = 4 << 20  # bytes gathered for one call: parts may still be on their way
_WRITEV_BYTES = 1 << 28  # bytes a call; macOS refuses more than INT_MAX
_WRITE_OUT = 8 << 20  # bytes after which the disk is told to begin


class DiskAhead:
    """Has the disk write what a file has grown by, so that its sync at the end finds little left.

    Left to itself, Linux begins when a tenth of all memory waits; then writer and disk wait for
    each other in turn.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._told = 0  # bytes at the file's start
        self._size = 0  # bytes

    def grown(self, size: int) -> None:
        """`size` bytes were written behind the others."""
        self._size += size
        waiting = self._size - self._told
        if waiting >= _WRITE_OUT and hasattr(os, "posix_fadvise"):
            # It drops what is on the disk already, and first sends out what is not: so all stays in
            # memory that was just written.
            # Advice: where it is refused, or a page cannot be written, the sync at the end tells.
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._fd, self._told, waiting, os.POSIX_FADV_DONTNEED)
            self._told = self._size


def write_all(fd: int, parts: Iterable[Buffer], ahead: DiskAhead | None = None) -> None:
    """Writes all `parts` without joining them; a short write goes on where it stopped."""
    batch: list[memoryview] = []
    size = 0
    for part in parts:
        view = memoryview(part).cast("B")
        if len(view) == 0:
            continue
        batch.append(view)
        size += len(view)
        if len(batch) >= _WRITEV_MAX or size >= _BATCH:
            _writev(fd, batch)
            if ahead is not None:
                ahead.grown(size)
            batch, size = [], 0
    _writev(fd, batch)


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


def pread(fd: int, size: int, start: int) -> bytes:
    data = os.pread(fd, size, start)
    if len(data) == size or not data:
        return data
    pieces = [data]  # Linux reads at most 2 GiB a call
    while data and sum(map(len, pieces)) < size:
        data = os.pread(fd, size - sum(map(len, pieces)), start + sum(map(len, pieces)))
        pieces.append(data)
    return b"".join(pieces)
