"""One task's process as the scheduler sees it: what it prints, what it reports, how it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import struct
import termios
import time
from collections.abc import Callable
from typing import Any

import msgspec

from mfv.flow.order import Order, Report, Transition
from mfv.flow.seams import Ending, Stream
from mfv.flow.spool import Spool
from mfv.flow.workers import Channels, Ended, Inbox
from mfv.manifest.records import Failure, Task

_READ = 1 << 16  # bytes a read

Show = Callable[[Order, int, Stream, bytes], None]


class Running:
    """An attempt that was asked for, until its process is gone and its work is durable."""

    def __init__(
        self, order: Order, channels: Channels, show: Show, max_log_size: int | None = None
    ) -> None:
        """`show` is told each line that the task prints.

        Of each stream at most `max_log_size` bytes are kept.
        """
        self.order, self.channels = order, channels
        self.pid = 0
        self.inbox = Inbox()
        self.spools: dict[Stream, Spool] = {
            "stdout": Spool(max_log_size),
            "stderr": Spool(max_log_size),
        }
        self.fds: dict[Stream, int] = {"stdout": channels.stdout, "stderr": channels.stderr}
        self.report: Report | None = None
        self.begun = now()
        self.deadline: float | None = None  # of the monotonic clock: when it is to be killed
        self.doom: Failure | None = None  # why the scheduler killed it
        self.ended: Ended | None = None
        self.committed = False
        self._show = show
        self._taken: dict[Stream, int] = {"stdout": 0, "stderr": 0}  # bytes

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Has the selector look at what the task says; the stream is None for its report."""
        selector.register(self.channels.line, selectors.EVENT_READ, (self, None))
        for stream, fd in self.fds.items():
            selector.register(fd, selectors.EVENT_READ, (self, stream))

    def listen(self) -> bool:
        """Takes the task's report, if it is there; False once the task says no more."""
        open_still = self.inbox.fill(self.channels.line)
        while (message := self.inbox.take()) is not None:
            if not message:
                self.deadline = None  # the step is over; storing takes the time that it takes
                continue
            self.report = msgspec.msgpack.decode(message, type=Report)
        return open_still

    def read(self, stream: Stream) -> bool:
        """Takes some output; False where there is none at the moment.

        Raises EOFError at its end.
        """
        try:
            data = os.read(self.fds[stream], _READ)
        except BlockingIOError:
            return False
        if not data:
            raise EOFError
        self._taken[stream] += len(data)
        for line in self.spools[stream].add(data, now()):
            self._show(self.order, self.pid, stream, line)
        return True

    def drain(self) -> None:
        """Takes all output that was written before now: a report comes after it."""
        for stream, fd in self.fds.items():
            # Not until there is none: a child of the task may go on to print for ever.
            (there,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))
            before = self._taken[stream]
            try:
                while self._taken[stream] - before < there and self.read(stream):
                    pass
            except EOFError:
                pass
            rest = self.spools[stream].rest()
            if rest:
                self._show(self.order, self.pid, stream, rest)
            dropped = self.spools[stream].note_dropped(now())
            if dropped:
                self._show(self.order, self.pid, stream, dropped.encode())

    def fail(self, failure: Failure) -> None:
        """Makes the report that the task did not."""
        self.report = Report(
            "failed", self.begun, now(), 0.0, 0, Transition(), (), (), (), self.doom or failure
        )

    def ending(self, flow: str) -> Ending:
        """What is to be committed of it, once there is a report."""
        report, order = self.report, self.order
        assert report is not None
        code = self.ended.code if self.ended else int(report.failure is not None)
        task = Task(
            flow=flow,
            run=order.run,
            step=order.step,
            id=order.id,
            status=report.status,
            started=report.started,
            ended=report.ended,
            attempt=order.attempt,
            pid=self.pid,
            parents=tuple(ref.id for ref in order.parents),
            splits=order.splits,
            artifacts=report.artifacts,
            inherited=report.inherited,
            dropped=report.dropped,
            failure=report.failure,
            exit_code=code,
            signal=self.ended.signal if self.ended else 0,
            cpu=report.cpu,
            peak_memory=report.peak_memory,
            next=report.transition.next,
            items=report.transition.total,
            caught=report.caught,
            reads=report.reads,
            more_reads=report.more_reads,
        )
        stdout, stderr = self.spools["stdout"].content(), self.spools["stderr"].content()
        return Ending(task, stdout, stderr, report.delivery)

    def close(self, selector: selectors.BaseSelector) -> None:
        """Lets go of everything."""
        places: list[Any] = [self.channels.line, *self.fds.values()]
        for place in places:
            ignore(selector, place)
        for fd in self.fds.values():
            os.close(fd)
        self.channels.line.close()
        for spool in self.spools.values():
            spool.close()


def ignore(selector: selectors.BaseSelector, place: Any) -> None:
    """Has the selector look no more at `place`, if it does."""
    with contextlib.suppress(KeyError, ValueError, RuntimeError):
        selector.unregister(place)


def now() -> int:
    """µs since 1970."""
    return time.time_ns() // 1000
