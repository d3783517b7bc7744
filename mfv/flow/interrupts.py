"""Being asked to stop, without being torn out of what is under way."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# When a signal has waited so long to be taken up, something hangs: a disk, a network.
_HANGS_AFTER = 5.0  # seconds

_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Interrupts:
    """While entered, counts the signals that ask to stop. A commit is never cut in two by one.

    Signals that are ignored stay so (`nohup`, jobs in the background). Outside of the main thread
    nothing is counted, because signals are somebody else's there. A signal raises
    KeyboardInterrupt if the one before it has waited for seconds and nobody took it up.
    """

    def __init__(self) -> None:
        self._came = self._taken = 0
        self._since = 0.0  # when the first came that was not taken up
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        self.fd, self._write = os.pipe()  # readable once a signal came
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        for number in ASKING:
            before = signal.getsignal(number)
            if before is signal.SIG_IGN:
                continue
            try:
                signal.signal(number, self._note)
            except ValueError:  # not the main thread
                break
            self._before[number] = before
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            # None: a handler that was not installed from Python, and cannot be put back.
            signal.signal(number, signal.SIG_DFL if before is None else before)
        os.close(self.fd)
        os.close(self._write)

    def take(self) -> int:
        """How many came since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)
        came = self._came
        new, self._taken = came - self._taken, came
        return new

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._came == self._taken:
            self._since = now
        self._came += 1
        if now - self._since > _HANGS_AFTER:
            raise KeyboardInterrupt
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b".")
