"""The captured output of one stream: every line with its time, in bounded memory."""

from __future__ import annotations

import mmap
import tempfile
from typing import IO

_IN_MEMORY = 1 << 20  # bytes; more goes to an unnamed file
_SHOWN_LINE = 8192  # bytes; a longer line is shown in pieces, and kept whole
_TRUNCATED = b"[OUTPUT TRUNCATED]\n"


class Spool:
    """Takes bytes as they come, gives lines to show, and keeps the log as it is recorded."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit`: bytes of output that are kept; what comes after is shown, and not kept."""
        self._limit, self._size = limit, 0
        self._kept = bytearray()
        self._file: IO[bytes] | None = None
        self._line_begins = True
        self._unshown = b""

    def add(self, data: bytes, now: int) -> list[bytes]:
        """Keeps `data`, which came at `now` (µs); returns the lines that it completes."""
        stamp = b"%016d " % now
        for line in _lines(self._within_limit(data)):
            if self._line_begins:
                self._keep(stamp)
            self._keep(line)
            self._line_begins = line.endswith(b"\n")
        text = self._unshown + data
        *lines, rest = text.split(b"\n")
        if len(rest) > _SHOWN_LINE:
            lines.append(rest)
            rest = b""
        self._unshown = rest
        return lines

    def rest(self) -> bytes:
        """What was never followed by a line end."""
        rest, self._unshown = self._unshown, b""
        return rest

    def content(self) -> bytes | memoryview:
        """The whole log; valid until `close`."""
        if self._file is None:
            return bytes(self._kept)
        self._file.write(self._kept)
        self._kept.clear()
        self._file.flush()
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _within_limit(self, data: bytes) -> bytes:
        """What of `data` is kept, with a last line that says so where something is not."""
        if self._limit is None:
            return data
        room = self._limit - self._size
        self._size += len(data)
        if len(data) <= room:
            return data
        if room < 0:
            return b""  # it has been said
        cut = data[:room]
        ends = cut.endswith(b"\n") if cut else self._line_begins
        return cut + (b"" if ends else b"\n") + _TRUNCATED

    def _keep(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > _IN_MEMORY:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115
            self._file.write(self._kept)
            self._kept.clear()


def _lines(data: bytes) -> list[bytes]:
    """Split after line feeds only: a carriage return is part of its line."""
    pieces = data.split(b"\n")
    lines = [piece + b"\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines
