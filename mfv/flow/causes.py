"""Why a task's process ended before it could say so itself."""

from __future__ import annotations

import signal

from mfv.flow.memory import OutOfMemory
from mfv.flow.workers import Ended
from mfv.manifest.records import Failure

_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)


class Causes:
    """Tells causes; made before the first task, so that it knows what happened since."""

    def __init__(self) -> None:
        self._out_of_memory = OutOfMemory()

    def of(self, ended: Ended) -> Failure:
        """What is known of the end of a process that made no report."""
        if ended.signal:
            return Failure("killed", self._death(ended.signal), "")
        message = f"its process ended with exit code {ended.code} before the step was over"
        return Failure("exited", message, "")

    def _death(self, number: int) -> str:
        try:
            name = signal.Signals(number).name
        except ValueError:  # a real-time signal between the two that have names
            name = f"signal {number}"
        if number == signal.SIGKILL:
            if self._out_of_memory.killed():
                return "out of memory: the kernel ended its process"
            name += " (out of memory? see `dmesg`)"
        elif number in _CRASHES:
            name += ", a crash in native code"
        return f"its process was ended by {name}"
