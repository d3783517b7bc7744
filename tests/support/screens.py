"""What a person sees: a command run on a terminal of its own, and the screen as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte
from processes import Place

_PATIENCE = 60.0  # seconds; only a test that fails waits so long


class Screen:
    """A terminal with a command on it."""

    def __init__(self, place: Place, *words: str, width: int = 80, height: int = 24) -> None:
        """Starts `python WORDS`."""
        self._screen = pyte.HistoryScreen(width, height, history=100_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""  # all that came
        self._near, far = pty.openpty()
        self.resize(width, height)
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=place.folder,
            env={**place.environment(), "TERM": "xterm-256color", "CI": "", **place.variables},
            stdin=far,
            stdout=far,
            stderr=far,
            preexec_fn=lambda: _lead(far),
        )
        os.close(far)

    def resize(self, width: int, height: int) -> None:
        """Makes the terminal another size; what is on it stays where it is."""
        size = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(self._near, termios.TIOCSWINSZ, size)
        self._screen.resize(height, width)

    @property
    def shown(self) -> list[str]:
        """The lines of the screen that are not empty."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def everything(self) -> list[str]:
        """All lines that scrolled away, and those of the screen; long ones as they were broken."""
        above = [
            "".join(line[column].data for column in range(self._screen.columns)).rstrip()
            for line in self._screen.history.top
        ]
        return above + self.shown

    def until(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """Reads on until the screen is as wanted; returns its lines."""
        end = time.monotonic() + _PATIENCE
        while not seen(self.shown):
            if time.monotonic() > end or not self._read():
                raise AssertionError("\n".join(self.shown))
        return self.shown

    def finish(self) -> int:
        """Reads to the end; returns the exit code."""
        while self._read():
            pass
        os.close(self._near)
        return self.process.wait(_PATIENCE)

    def type(self, keys: bytes) -> None:
        """Types into the terminal, which is the command's own."""
        os.write(self._near, keys)

    def _read(self) -> bool:
        if not select.select([self._near], [], [], _PATIENCE)[0]:
            return False
        try:
            data = os.read(self._near, 1 << 16)
        except OSError:  # nobody has the other end open
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)


def _lead(terminal: int) -> None:
    """Makes this process the leader of a session on `terminal`, as a shell on it would be."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
