"""The captured output of one stream: every line with its time, in bounded memory."""

from __future__ import annotations

import os
import tempfile
from typing import IO

_IN_MEMORY = 1 << 20  # bytes; more goes to an unnamed file
_SHOWN_LINE = 8192  # bytes; a longer line is shown in pieces, and kept whole


class SpoolFile:
    """A log that is too long to be held in memory, in a file; valid until its spool is closed."""

    def __init__(self, fd: int, size: int, lines: int) -> None:
        self._fd = fd
        self.size = size  # bytes
        self.lines = lines  # line ends

    def read_at(self, into: memoryview, offset: int) -> int:
        """Fills `into` from `offset` on; returns how many bytes, fewer only at the end."""
        done = 0
        while done < len(into):
            count = os.preadv(self._fd, [into[done:]], offset + done)
            if not count:
                break
            done += count
        return done

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        data = bytearray(self.size)
        return bytes(data[: self.read_at(memoryview(data), 0)])


class Spool:
    """Takes bytes as they come, gives lines to show, and keeps the log as it is recorded."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit`: bytes of output to keep, their times aside; None for all."""
        self._left = limit
        self._dropped = 0  # bytes
        self._kept = bytearray()
        self._file: IO[bytes] | None = None
        self._filed = 0  # bytes in the file
        self._lines = 0  # line ends kept
        self._line_begins = True
        self._unshown = b""

    def add(self, data: bytes, now: int) -> list[bytes]:
        """Keeps `data`, which came at `now` (µs); returns the lines that it completes."""
        if not data:
            return []
        self._keep(data if self._left is None else self._within_limit(data), now)
        text = self._unshown + data
        *lines, rest = text.split(b"\n")
        if len(rest) > _SHOWN_LINE:
            # A progress bar is one long line, drawn over and over: cut between two of its states.
            end = rest.rfind(b"\r", 1) if b"\r" in rest[1:] else len(rest)
            lines.append(rest[:end])
            rest = rest[end:]
        self._unshown = rest
        return lines

    def rest(self) -> bytes:
        """What was never followed by a line end."""
        rest, self._unshown = self._unshown, b""
        return rest

    def note_dropped(self, now: int) -> str:
        """Ends the log with a line about what was left out, and returns it; empty if nothing was.

        What is left out after this is said by the next call.
        """
        if not self._dropped:
            return ""
        text = f"[{self._dropped} bytes more were printed and are not kept: --max-log-size]"
        self._dropped = 0
        self._keep((b"" if self._line_begins else b"\n") + text.encode() + b"\n", now)
        return text

    def content(self) -> bytes | SpoolFile:
        """The whole log; valid until `close`."""
        if self._file is None:
            return bytes(self._kept)
        self._write()
        self._file.flush()
        return SpoolFile(self._file.fileno(), self._filed, self._lines)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _within_limit(self, data: bytes) -> bytes:
        assert self._left is not None
        kept = data[: self._left]
        self._left -= len(kept)
        self._dropped += len(data) - len(kept)
        return kept

    def _keep(self, data: bytes, now: int) -> None:
        if not data:
            return
        # After line feeds only: a carriage return is part of its line.
        stamp = b"%016d " % now
        ends = data.endswith(b"\n")
        body = data[:-1] if ends else data
        if self._line_begins:
            self._kept += stamp
        self._kept += body.replace(b"\n", b"\n" + stamp)
        if ends:
            self._kept += b"\n"
        self._line_begins = ends
        self._lines += data.count(b"\n")
        if len(self._kept) > _IN_MEMORY:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        view = memoryview(self._kept)
        while view:
            view = view[self._file.write(view) :]
        view.release()
        self._filed += len(self._kept)
        self._kept.clear()
