"""The scheduler: orders out to processes, output and reports back, commits in between.

One thread, one loop. A task counts as finished when the recorder has made it durable, and only
then do the tasks after it start.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from mfv.flow.causes import Causes
from mfv.flow.gangs import Gangs, Member
from mfv.flow.graph import Graph
from mfv.flow.insistence import Insistence
from mfv.flow.interrupts import Interrupts
from mfv.flow.order import Order, Transition
from mfv.flow.plan import Plan
from mfv.flow.policy import Policy
from mfv.flow.queue import Queue
from mfv.flow.running import Running, ignore
from mfv.flow.seams import (
    NO_LIMITS,
    Clone,
    Ending,
    Limits,
    Origin,
    Outcome,
    Output,
    Recorder,
    StoreAgainError,
    Stream,
)
from mfv.flow.workers import Ended, Started, TaskServer, send
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, Task, TaskRef

_FDS_A_TASK = 3
_FDS_ASIDE = 64  # for everything else that the scheduler has open
# An entry of the log costs some fsyncs, whatever it holds: for so long after a task ended the
# scheduler waits for others that are about to.
_GATHERING = 0.005  # seconds
# A step that ran out of time is told so from within; one that does not react is killed.
_GRACE = 5.0  # seconds


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
        policies: Mapping[str, Policy] | None = None,
        origin: Origin | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        """`interrupts`: entered by the caller, and for as long as it lasts.

        Fewer tasks than `limits` allows run at a time where the limit of open files is low; a gang
        counts as one. What `origin` has done already is cloned from it.
        """
        self._limits, max_workers = limits, limits.max_workers
        self._graph, self._flow = graph, graph.flow
        self._plan = Plan(graph, run)
        self._server, self._recorder, self._output = server, recorder, output
        self._interrupts = interrupts
        self._causes = Causes()
        self._policies, self._origin = policies or {}, origin
        fds, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._allowed = max(1, (fds - _FDS_ASIDE) // _FDS_A_TASK) if fds >= 0 else None
        self._max_workers = min(max_workers, self._allowed or max_workers)
        self._queue = Queue()
        self._queue.add([self._plan.start()])
        self._gangs = Gangs()
        self._running: dict[int, Running] = {}  # by ticket
        self._over: list[Running] = []  # to be committed
        self._over_since = 0.0  # of the monotonic clock
        self._clones: list[tuple[Order, Clone]] = []  # the same
        self._first_failure: tuple[str | None, Failure] | None = None
        self._results: tuple[Artifact, ...] = ()
        self._sealed = False
        self._stop = Insistence(server.kill)
        self._selector = selectors.DefaultSelector()
        self._selector.register(server.control, selectors.EVENT_READ, self._serve)
        self._selector.register(interrupts.fd, selectors.EVENT_READ, self._heed)

    def run(self) -> Outcome:
        """Runs every task that can run; returns when no process is left.

        After a failure nothing new starts, and what runs already may finish: its work is kept.
        An interrupt ends the tasks, first gently. A StorageError of the recorder ends all.
        """
        try:
            while self._running or (self._queue and not self._stopping):
                self._turn()
        except BaseException:
            self._server.kill(signal.SIGKILL)
            raise
        finally:
            for running in self._running.values():
                running.close(self._selector)
            self._selector.close()
        if self._sealed:
            return Outcome("ok", self._results, sealed=True)  # whatever was asked for since
        if self._stop.asked:
            step = self._first_failure[0] if self._first_failure else None
            return Outcome("interrupted", failed_step=step)
        if self._first_failure is not None:
            step, failure = self._first_failure
            return Outcome("failed", failure=failure, failed_step=step)
        return Outcome("ok", self._results)

    @property
    def _stopping(self) -> bool:
        return self._first_failure is not None or self._stop.asked

    def _turn(self) -> None:
        self._heed()
        self._start_all()
        idle = not (self._over or self._clones or self._stopping)  # a retry waits for its time
        if self._running or idle:
            for key, _ in self._selector.select(self._patience()):
                if callable(key.data):
                    key.data()
                    continue
                running, stream = key.data
                # An event before this one may have ended the task and closed its files.
                if running.order.ticket in self._running:
                    if stream is None:
                        self._listen(running)
                    else:
                        self._read(running, stream)
        self._expire()
        if self._clones or (self._over and self._gathered() <= 0):
            self._commit()

    def _patience(self) -> float | None:
        """How long the loop may sleep, in seconds; None if nothing but an event matters."""
        wanted = self._output.tick(len(self._queue))
        if self._clones:
            return 0
        moments = [running.deadline for running in self._running.values()]
        if not self._stopping and len(self._running) < self._max_workers:
            moments.append(self._queue.due())
        now = time.monotonic()
        waits = [moment - now for moment in moments if moment is not None]
        waits += [wait for wait in (self._stop.press(), wanted) if wait is not None]
        if self._over:
            waits.append(self._gathered())
        return max(0.0, min(waits)) if waits else None

    def _gathered(self) -> float:
        """How long to wait for more tasks to end before a commit, in seconds."""
        others = sum(running.report is None for running in self._running.values())
        if others <= len(self._over) or self._stopping:
            return 0.0  # few are left to wait for
        return self._over_since + _GATHERING - time.monotonic()

    def _heed(self) -> None:
        """Does what was asked for by signals."""
        for _ in range(self._interrupts.take()):
            if not self._stop.asked:
                self._output.note("interrupted: stopping the running tasks")
            self._stop.ask()

    def _start_all(self) -> None:
        """Starts, or clones, what can run and has room."""
        while len(self._running) < self._max_workers and not self._stopping:
            orders = self._queue.take(time.monotonic())
            if not orders:
                return
            clones = self._clones_of(orders)
            if clones is not None:
                self._clones += zip(orders, clones, strict=True)
                continue
            if self._allowed is not None and len(orders) > self._allowed:
                message = (
                    f"it has {len(orders)} parallel tasks, and the limit of open files "
                    f"(`ulimit -n`) allows {self._allowed}"
                )
                self._give_up(orders[0].step, Failure("limit", message, ""))
                return
            for order in orders:
                self._start(order)

    def _clones_of(self, orders: Sequence[Order]) -> list[Clone] | None:
        """All of them as the origin has them, or None."""
        if self._origin is None or orders[0].attempt:
            return None
        found = []
        for order in orders:
            clone = self._origin.clone(order)
            if clone is None:
                return None
            found.append(clone)
        return found

    def _start(self, order: Order) -> None:
        try:
            channels = self._server.start(order)
            running = Running(order, channels, self._output.line, self._limits.max_log_size)
        except ConnectionError:
            self._bereave()
            return
        self._running[order.ticket] = running
        running.channels.line.setblocking(False)

    def _serve(self) -> None:
        """Takes news from the task server."""
        events = self._server.events()
        if events is None:
            self._bereave()
            return
        for event in events:
            running = self._running.get(event.ticket)
            if running is None:
                continue
            if isinstance(event, Started):
                self._welcome(running, event.pid)
            else:
                self._bury(running, event)

    def _welcome(self, running: Running, pid: int) -> None:
        running.pid = pid
        timeout = self._policy(running.order.step).timeout
        if timeout is not None:
            running.deadline = time.monotonic() + timeout + _GRACE
        self._output.started(running.order, pid)
        # Only now: what it printed is to be shown under its number, and after this line.
        running.watch(self._selector)

    def _bury(self, running: Running, ended: Ended, failure: Failure | None = None) -> None:
        """Takes note that a task's process ended; `failure` if it is known why."""
        running.ended = ended
        running.deadline = None
        if running.committed:
            running.drain()  # of threads that it left, and of what it did at exit
            self._forget(running)
            return
        if running.report is None:
            self._listen(running)  # its last word may be on the line still
        if running.report is None:
            running.drain()
            running.fail(failure or self._cause(ended))
            self._is_over(running)

    def _bereave(self) -> None:
        """The server is gone: its tasks go as well, and no more can start."""
        ignore(self._selector, self._server.control)
        why = "the process that starts tasks was killed (out of memory? see `dmesg`)"
        failure = Failure("killed", why, "")
        if self._first_failure is None:
            self._first_failure = (None, failure)
        for running in list(self._running.values()):
            if running.pid and running.ended is None:
                with contextlib.suppress(OSError):
                    os.killpg(running.pid, signal.SIGKILL)
            self._bury(running, Ended(running.order.ticket, 0, signal.SIGKILL), failure)

    def _listen(self, running: Running) -> None:
        """Takes a task's report."""
        reported = running.report is not None
        if not running.listen():
            ignore(self._selector, running.channels.line)
        if running.report is not None and not reported:
            running.deadline = None
            running.drain()
            self._is_over(running)

    def _is_over(self, running: Running) -> None:
        if not self._over:
            self._over_since = time.monotonic()
        self._over.append(running)

    def _read(self, running: Running, stream: Stream) -> None:
        try:
            running.read(stream)
        except EOFError:
            ignore(self._selector, running.fds[stream])

    def _expire(self) -> None:
        """Kills the tasks whose time is up and that did not end by themselves."""
        for running in self._running.values():
            if running.deadline is not None and running.deadline <= time.monotonic():
                limit = self._policy(running.order.step).timeout
                message = f"it ran longer than {limit:g} s, and did not react to being told so"
                self._kill(running, Failure("timeout", message, ""), signal.SIGKILL)

    def _kill(self, running: Running, why: Failure, number: signal.Signals) -> None:
        running.doom, running.deadline = why, None
        self._server.kill(number, running.order.ticket)

    def _commit(self) -> None:
        """Makes all that is over durable with one entry, then goes on from there."""
        over, self._over = self._over, []
        clones, self._clones = self._clones, []
        endings = [running.ending(self._flow) for running in over]
        endings += [Ending(clone.task) for _, clone in clones]
        results = self._last_results(endings)
        try:
            refs = self._recorder.commit(endings, results)
        except StoreAgainError as error:
            self._clones = clones + self._clones
            self._ask_again(over, error)
            return
        self._sealed = results is not None
        for running, ending, ref in zip(over, endings, refs, strict=False):
            running.committed = True
            with contextlib.suppress(OSError):
                send(running.channels.line, b"")
            self._output.finished(running.order, running.pid, ending.task)
            if self._origin is not None:
                self._origin.ran(ending.task)
            assert running.report is not None
            self._go_on(running.order, ending.task, ref, running.report.transition)
            if running.ended is not None:
                self._forget(running)
        counts = Counter(order.step for order, _ in clones)
        for step, count in counts.items():
            self._output.note(f"took over {step}" + (f" ({count} tasks)" if count > 1 else ""))
        for (order, clone), ref in zip(clones, refs[len(over) :], strict=True):
            self._go_on(order, clone.task, ref, clone.transition)

    def _last_results(self, endings: Sequence[Ending]) -> tuple[Artifact, ...] | None:
        """What the end task left, if with `endings` the run is over and all went well."""
        new = sum(not ending.is_clone for ending in endings)
        others = sum(not running.committed for running in self._running.values()) - new
        if others or self._queue or self._stopping:
            return None
        if any(ending.task.failure is not None for ending in endings):
            return None
        ends = [ending.task for ending in endings if ending.task.step == self._graph.end]
        return ends[0].artifacts if ends else None

    def _go_on(self, order: Order, task: Task, ref: TaskRef, transition: Transition) -> None:
        """Does what follows from a task that is durable."""
        if order.gang is None:
            members = [Member(order, ref, transition, task.failure)]
        else:
            complete = self._gangs.add(Member(order, ref, transition, task.failure))
            if task.failure is not None:
                self._dissolve(order)
            if complete is None:
                return
            members = complete
        failure = self._gangs.failure(order) or task.failure
        if failure is not None:
            self._gangs.forget(order)
            self._try_again([member.order for member in members], failure)
            return
        if task.step == self._graph.end:
            self._results = task.artifacts
        for member in members:
            total, most = member.transition.total, self._limits.max_num_splits
            if most is not None and total > most:
                message = (
                    f"step {task.step!r} splits into {total} tasks, more than the {most} that this "
                    f"run may: --max-num-splits {total} allows them"
                )
                self._output.note(message)
                self._give_up(task.step, Failure("limit", message, ""))
                return
            self._queue.add(self._plan.finished(member.order, member.ref, member.transition))

    def _dissolve(self, order: Order) -> None:
        """One of a gang failed: the others, which may wait for it, are ended."""
        assert order.gang is not None
        why = Failure("killed", f"task {order.id}, which ran beside it, failed", "")
        for other in self._running.values():
            gang = other.order.gang
            if gang is None or gang.control_task_id != order.gang.control_task_id:
                continue
            if other.report is None and other.ended is None and other.doom is None:
                self._kill(other, why, signal.SIGKILL)

    def _try_again(self, orders: Sequence[Order], failure: Failure) -> None:
        """Has a task, or a gang, run once more; or gives it up, and the run with it."""
        step, attempt = orders[0].step, orders[0].attempt + 1
        policy = self._policy(step)
        if attempt >= policy.attempts or self._stopping:
            self._give_up(step, failure)
            return
        wait = policy.wait if attempt <= policy.retries else 0.0
        again = [msgspec.structs.replace(order, attempt=attempt) for order in orders]
        self._queue.add_later(again, time.monotonic() + wait)
        who = f"{step}/{orders[0].id}" if len(orders) == 1 else f"{step} ({len(orders)} tasks)"
        when = f" in {wait:g} s" if wait else ""
        if attempt <= policy.retries:
            which = f"attempt {attempt + 1} of {policy.retries + 1}"
            self._output.note(f"{who} is tried again{when}: {which}")
        else:
            self._output.note(f"{who} never came to its end: @catch takes over")

    def _give_up(self, step: str, failure: Failure) -> None:
        if self._first_failure is not None:
            return
        self._first_failure = (step, failure)
        others = sum(not other.committed for other in self._running.values())
        if others and not self._stop.asked:
            self._output.note(f"waiting for {others} running tasks (Ctrl-C stops them)")

    def _policy(self, step: str) -> Policy:
        return self._policies.get(step) or Policy()

    def _ask_again(self, over: Sequence[Running], error: StoreAgainError) -> None:
        """Has the tasks whose deliveries lean on condemned packs store them anew."""
        for running in over:
            packs = error.packs_by_task.get(running.order.id)
            if packs is None:
                self._is_over(running)
                continue
            try:
                send(running.channels.line, msgspec.msgpack.encode(sorted(packs)))
                running.report = None  # until it answers, or ends
            except OSError:
                reason = "its process died while its artifacts had to be stored anew"
                running.fail(Failure("killed", reason, ""))
                self._is_over(running)

    def _cause(self, ended: Ended) -> Failure:
        """Why a process ended without a report."""
        if self._stop.asked:
            return Failure("interrupted", "the run was interrupted", "")
        return self._causes.of(ended)

    def _forget(self, running: Running) -> None:
        del self._running[running.order.ticket]
        running.close(self._selector)
