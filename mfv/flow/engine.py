"""The scheduler: orders out to processes, output and reports back, commits in between.

One thread, one loop. A task counts as finished when the recorder has made it durable, and only
then do the tasks after it start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import selectors
import signal
import struct
import termios
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from mfv.flow.graph import Graph
from mfv.flow.interrupts import Interrupts
from mfv.flow.order import Order, Report, Transition
from mfv.flow.plan import Plan
from mfv.flow.spool import Spool
from mfv.flow.workers import Channels, Ended, Inbox, Started, TaskServer, send
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, RunStatus, Task, TaskRef

Stream = Literal["stdout", "stderr"]

_READ = 1 << 16  # bytes a read
_FDS_A_TASK = 3
_FDS_ASIDE = 64  # for everything else that the scheduler has open
_PATIENCE = (3.0, 3.0)  # seconds from SIGINT to SIGTERM, and from there to SIGKILL


class Ending(NamedTuple):
    """One attempt that is over, to be committed."""

    task: Task  # without its logs
    stdout: bytes | memoryview
    stderr: bytes | memoryview
    delivery: bytes


class StoreAgainError(Exception):
    """A commit found that packs were condemned on which these tasks' deliveries rely."""

    def __init__(self, packs_by_task: dict[int, frozenset[bytes]]) -> None:
        super().__init__(f"{len(packs_by_task)} tasks must store again")
        self.packs_by_task = packs_by_task


class Recorder(Protocol):
    """Where finished attempts become durable."""

    def commit(
        self, endings: Sequence[Ending], results: tuple[Artifact, ...] | None = None
    ) -> list[TaskRef]:
        """Commits all of them or none; raises StoreAgainError if some must store anew.

        With `results` they are the last of a run that went well, and the same entry seals it.
        """
        ...


class Output(Protocol):
    """Where a run is told of while it goes on."""

    def line(self, order: Order, pid: int, stream: Stream, text: bytes) -> None:
        """One line that a task printed, without its end."""
        ...

    def started(self, order: Order, pid: int) -> None: ...

    def finished(self, order: Order, pid: int, task: Task) -> None: ...

    def note(self, text: str) -> None: ...


class Outcome(NamedTuple):
    """How a run ended."""

    status: RunStatus
    results: tuple[Artifact, ...] = ()  # the artifacts of the end task
    failure: Failure | None = None
    failed_step: str | None = None
    sealed: bool = False  # with its last tasks, by one entry


class _Running:
    """One task's process, as the scheduler sees it."""

    def __init__(self, order: Order, channels: Channels) -> None:
        self.order, self.channels = order, channels
        self.pid = 0
        self.inbox = Inbox()
        self.spools: dict[Stream, Spool] = {"stdout": Spool(), "stderr": Spool()}
        self.fds: dict[Stream, int] = {"stdout": channels.stdout, "stderr": channels.stderr}
        self.taken: dict[Stream, int] = {"stdout": 0, "stderr": 0}  # bytes
        self.report: Report | None = None
        self.begun = _now()
        self.ended: Ended | None = None
        self.committed = False


class Engine:
    """Runs one plan to its end."""

    def __init__(
        self,
        graph: Graph,
        run: int,
        server: TaskServer,
        recorder: Recorder,
        output: Output,
        interrupts: Interrupts,
        *,
        max_workers: int = 16,
    ) -> None:
        """`interrupts`: entered by the caller, and for as long as it lasts.

        At most `max_workers` tasks run at a time, and fewer where the limit of open files is low.
        """
        self._graph, self._flow = graph, graph.flow
        self._plan = Plan(graph, run)
        self._server, self._recorder, self._output = server, recorder, output
        self._interrupts = interrupts
        fds, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        allowed = max_workers if fds < 0 else (fds - _FDS_ASIDE) // _FDS_A_TASK
        self._max_workers = max(1, min(max_workers, allowed))
        self._waiting: deque[Order] = deque([self._plan.start()])
        self._running: dict[int, _Running] = {}
        self._over: list[_Running] = []  # to be committed
        self._first_failure: tuple[str | None, Failure] | None = None
        self._results: tuple[Artifact, ...] = ()
        self._sealed = False
        self._interrupted: float | None = None  # when; None while nobody asked to stop
        self._signals_sent = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(server.control, selectors.EVENT_READ, self._serve)
        self._selector.register(interrupts.fd, selectors.EVENT_READ, self._heed)

    def run(self) -> Outcome:
        """Runs every task that can run; returns when no process is left.

        After a failure nothing new starts, and what runs already may finish: its work is kept.
        An interrupt ends the tasks, first gently. A StorageError of the recorder ends all.
        """
        try:
            while self._running or (self._waiting and not self._stopping):
                self._turn()
        except BaseException:
            self._server.kill(signal.SIGKILL)
            raise
        finally:
            self._selector.close()
            for running in self._running.values():
                self._close(running)
        if self._sealed:
            return Outcome("ok", self._results, sealed=True)  # whatever was asked for since
        if self._interrupted is not None:
            step = self._first_failure[0] if self._first_failure else None
            return Outcome("interrupted", failed_step=step)
        if self._first_failure is not None:
            step, failure = self._first_failure
            return Outcome("failed", failure=failure, failed_step=step)
        return Outcome("ok", self._results)

    @property
    def _stopping(self) -> bool:
        return self._first_failure is not None or self._interrupted is not None

    def _turn(self) -> None:
        self._heed()
        while self._waiting and len(self._running) < self._max_workers and not self._stopping:
            self._start(self._waiting.popleft())
        if self._running:
            for key, _ in self._selector.select(0 if self._over else self._press()):
                if callable(key.data):
                    key.data()
                    continue
                running, stream = key.data
                # An event before this one may have ended the task and closed its files.
                if running.order.id in self._running:
                    if stream is None:
                        self._listen(running)
                    else:
                        self._read(running, stream)
        if self._over:
            self._commit()

    def _heed(self) -> None:
        """Does what was asked for by signals."""
        for _ in range(self._interrupts.take()):
            self._interrupt()

    def _start(self, order: Order) -> None:
        try:
            running = _Running(order, self._server.start(order))
        except ConnectionError:
            self._bereave()
            return
        self._running[order.id] = running
        running.channels.line.setblocking(False)

    def _serve(self) -> None:
        """Takes news from the task server."""
        events = self._server.events()
        if events is None:
            self._bereave()
            return
        for event in events:
            running = self._running.get(event.task)
            if running is None:
                continue
            if isinstance(event, Started):
                self._welcome(running, event.pid)
            else:
                self._bury(running, event)

    def _welcome(self, running: _Running, pid: int) -> None:
        running.pid = pid
        self._output.started(running.order, pid)
        # Only now: what it printed is to be shown under its number, and after this line.
        register = self._selector.register
        register(running.channels.line, selectors.EVENT_READ, (running, None))
        for stream, fd in running.fds.items():
            register(fd, selectors.EVENT_READ, (running, stream))

    def _bury(self, running: _Running, ended: Ended, failure: Failure | None = None) -> None:
        """Takes note that a task's process ended; `failure` if it is known why."""
        running.ended = ended
        if running.committed:
            self._forget(running)
            return
        if running.report is None:
            self._listen(running)  # its last word may be on the line still
        if running.report is None:
            self._drain(running)
            running.report = _failed(running, failure or self._cause(ended))
            self._over.append(running)

    def _bereave(self) -> None:
        """The server is gone: its tasks go as well, and no more can start."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._server.control)
        why = "the process that starts tasks was killed (out of memory? see `dmesg`)"
        failure = Failure("killed", why, "")
        if self._first_failure is None:
            self._first_failure = (None, failure)
        for running in list(self._running.values()):
            if running.pid and running.ended is None:
                with contextlib.suppress(OSError):
                    os.killpg(running.pid, signal.SIGKILL)
            self._bury(running, Ended(running.order.id, 0, signal.SIGKILL), failure)

    def _listen(self, running: _Running) -> None:
        """Takes a task's report."""
        open_still = running.inbox.fill(running.channels.line)
        message = running.inbox.take()
        if message is not None:
            running.report = msgspec.msgpack.decode(message, type=Report)
            self._drain(running)
            self._over.append(running)
        if not open_still:
            with contextlib.suppress(KeyError):
                self._selector.unregister(running.channels.line)

    def _read(self, running: _Running, stream: Stream) -> bool:
        """Takes some output; False at its end, or where there is none at the moment."""
        try:
            data = os.read(running.fds[stream], _READ)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(running.fds[stream])
            return False
        running.taken[stream] += len(data)
        for line in running.spools[stream].add(data, _now()):
            self._output.line(running.order, running.pid, stream, line)
        return True

    def _drain(self, running: _Running) -> None:
        """Takes all output that was written before now: a report comes after it."""
        for stream, fd in running.fds.items():
            # Not until there is none: a child of the task may go on to print for ever.
            (there,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))
            before = running.taken[stream]
            while running.taken[stream] - before < there and self._read(running, stream):
                pass
            rest = running.spools[stream].rest()
            if rest:
                self._output.line(running.order, running.pid, stream, rest)

    def _commit(self) -> None:
        """Makes all that is over durable with one entry, then goes on from there."""
        over, self._over = self._over, []
        endings = [self._ending(running) for running in over]
        results = self._last_results(endings)
        try:
            refs = self._recorder.commit(endings, results)
        except StoreAgainError as error:
            self._ask_again(over, error)
            return
        self._sealed = results is not None
        for running, ending, ref in zip(over, endings, refs, strict=True):
            running.committed = True
            with contextlib.suppress(OSError):
                send(running.channels.line, b"")
            self._output.finished(running.order, running.pid, ending.task)
            self._go_on(running, ending.task, ref)
            if running.ended is not None:
                self._forget(running)

    def _last_results(self, endings: Sequence[Ending]) -> tuple[Artifact, ...] | None:
        """What the end task left, if with `endings` the run is over and all went well."""
        others = sum(not running.committed for running in self._running.values()) - len(endings)
        if others or self._waiting or self._stopping:
            return None
        if any(ending.task.failure is not None for ending in endings):
            return None
        ends = [ending.task for ending in endings if ending.task.step == self._graph.end]
        return ends[0].artifacts if ends else None

    def _go_on(self, running: _Running, task: Task, ref: TaskRef) -> None:
        assert running.report is not None
        if task.failure is not None:
            if self._first_failure is None:
                self._first_failure = (task.step, task.failure)
                others = sum(not other.committed for other in self._running.values())
                if others and self._interrupted is None:
                    self._output.note(f"waiting for {others} running tasks (Ctrl-C stops them)")
            return
        if task.step == self._graph.end:
            self._results = task.artifacts
        transition = running.report.transition
        self._waiting.extend(self._plan.finished(running.order, ref, transition))

    def _ask_again(self, over: Sequence[_Running], error: StoreAgainError) -> None:
        """Has the tasks whose deliveries lean on condemned packs store them anew."""
        for running in over:
            packs = error.packs_by_task.get(running.order.id)
            if packs is None:
                self._over.append(running)
                continue
            try:
                send(running.channels.line, msgspec.msgpack.encode(sorted(packs)))
                running.report = None  # until it answers, or ends
            except OSError:
                reason = "its process died while its artifacts had to be stored anew"
                running.report = _failed(running, Failure("killed", reason, ""))
                self._over.append(running)

    def _ending(self, running: _Running) -> Ending:
        report, order = running.report, running.order
        assert report is not None
        code = running.ended.code if running.ended else int(report.failure is not None)
        task = Task(
            flow=self._flow,
            run=order.run,
            step=order.step,
            id=order.id,
            status=report.status,
            started=report.started,
            ended=report.ended,
            attempt=order.attempt,
            pid=running.pid,
            parents=tuple(ref.id for ref in order.parents),
            splits=order.splits,
            artifacts=report.artifacts,
            inherited=report.inherited,
            dropped=report.dropped,
            failure=report.failure,
            exit_code=code,
            signal=running.ended.signal if running.ended else 0,
            cpu=report.cpu,
            peak_memory=report.peak_memory,
            next=report.transition.next,
            items=report.transition.total,
        )
        spools = running.spools
        stdout, stderr = spools["stdout"].content(), spools["stderr"].content()
        return Ending(task, stdout, stderr, report.delivery)

    def _cause(self, ended: Ended) -> Failure:
        """Why a process ended without a report."""
        if self._interrupted is not None:
            return Failure("interrupted", "the run was interrupted", "")
        if ended.signal:
            try:
                name = signal.Signals(ended.signal).name
            except ValueError:  # a real-time signal between the two that have names
                name = f"signal {ended.signal}"
            why = " (out of memory? see `dmesg`)" if ended.signal == signal.SIGKILL else ""
            return Failure("killed", f"its process was ended by {name}{why}", "")
        message = f"its process ended with exit code {ended.code} before the step was over"
        return Failure("exited", message, "")

    def _interrupt(self) -> None:
        """Asks all tasks to end; asked twice, ends them."""
        if self._interrupted is None:
            self._interrupted = time.monotonic()
            self._output.note("interrupted: stopping the running tasks")
            self._server.kill(signal.SIGINT)
        else:
            self._signals_sent = len(_PATIENCE)
            self._server.kill(signal.SIGKILL)

    def _press(self) -> float | None:
        """After an interrupt: insists in steps. Returns how long the loop may sleep, seconds."""
        if self._interrupted is None or self._signals_sent >= len(_PATIENCE):
            return None
        due = self._interrupted + sum(_PATIENCE[: self._signals_sent + 1])
        left = due - time.monotonic()
        if left > 0:
            return left
        self._server.kill((signal.SIGTERM, signal.SIGKILL)[self._signals_sent])
        self._signals_sent += 1
        return self._press()

    def _forget(self, running: _Running) -> None:
        del self._running[running.order.id]
        self._close(running)

    def _close(self, running: _Running) -> None:
        places: list[Any] = [running.channels.line, *running.fds.values()]
        for place in places:
            with contextlib.suppress(KeyError, ValueError, RuntimeError):
                self._selector.unregister(place)
        for fd in running.fds.values():
            os.close(fd)
        running.channels.line.close()
        for spool in running.spools.values():
            spool.close()


def _failed(running: _Running, failure: Failure) -> Report:
    return Report("failed", running.begun, _now(), 0.0, 0, Transition(), (), (), (), failure)


def _now() -> int:
    return time.time_ns() // 1000
