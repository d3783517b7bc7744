"""Ending the tasks of a run that was asked to stop: first gently, then not."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

_STEPS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_PATIENCE = (3.0, 3.0)  # seconds from each to the next


class Insistence:
    """Asks all tasks to end, and insists for as long as some are left."""

    def __init__(self, kill: Callable[[int], None]) -> None:
        """`kill` sends a signal to every task."""
        self._kill = kill
        self._asked: float | None = None  # when; None while nobody wants them to end
        self._sent = 0  # how many of the signals

    @property
    def asked(self) -> bool:
        """Whether the tasks are to end."""
        return self._asked is not None

    def ask(self) -> None:
        """Begins to ask; asked for a second time, waits no longer."""
        self._sent = 1 if self._asked is None else len(_STEPS)
        if self._asked is None:
            self._asked = time.monotonic()
        self._kill(_STEPS[self._sent - 1])

    def press(self) -> float | None:
        """Sends the next signal if its time has come.

        Returns how many seconds are left until the one after it; None if there is none to come.
        """
        while self._asked is not None and self._sent < len(_STEPS):
            left = self._asked + sum(_PATIENCE[: self._sent]) - time.monotonic()
            if left > 0:
                return left
            self._kill(_STEPS[self._sent])
            self._sent += 1
        return None
