"""What a person sees of a run while it goes on: prefixed lines, and on a terminal how far it is."""

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

from mfv.flow.order import Order
from mfv.manifest.records import Task
from mfv.render.progress import StepCounts, replace, status
from mfv.render.terminal import Paint, coloured
from mfv.render.text import escape
from mfv.render.units import count, duration

if TYPE_CHECKING:
    from mfv.flow.seams import Stream
    from mfv.launch import Result

_DRAW_EVERY = 0.1  # seconds, at most
_TICK = 1.0  # seconds after which the clock is drawn anew, whatever happened
_BUFFER = 1 << 16  # characters that wait to be written
# A step of more tasks than this shows their output and failures, and only counts the rest.
_MANY = 50


class Progress:
    """Prints as the run goes on. A closed or full output never stops the run."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet`: only what tasks print, and what goes wrong."""
        self._told: set[str] = set()  # why tasks failed
        self._paint = Paint(coloured(sys.stdout))
        self._open, self._quiet = True, quiet
        self._pending: list[str] = []
        self._size = 0  # characters of it
        self._live = not quiet and _is_live(sys.stdout)
        self._steps: dict[str, _Step] = {}
        self._begun = time.monotonic()
        self._drawn: list[str] = []
        self._drawn_at = 0.0  # when the lines at the bottom were drawn
        self._changed = False  # since then
        self._counted = False  # whether some tasks were only told by counts
        self._waiting = 0
        self._stamp, self._stamp_of = "", -1
        self._heads: dict[int, str] = {}  # what stands before the lines of each running task

    def line(self, order: Order, pid: int, stream: "Stream", text: bytes) -> None:
        if b"\r" in text:
            # A progress bar, drawn over and over: what a terminal would show in the end.
            text = text.rstrip(b"\r").rpartition(b"\r")[2]
        shown = escape(text.decode("utf-8", "surrogateescape"), keep="\t")
        self._task(order, pid, self._paint(shown, "yellow") if stream == "stderr" else shown)

    def started(self, order: Order, pid: int) -> None:
        step = self._steps.setdefault(order.step, _Step(order.step))
        step.start(order)
        self._changed = True
        if not (self._quiet or self._is_told_by_counts(step)):
            self._task(order, pid, self._paint("started", "dim"))

    def finished(self, order: Order, pid: int, task: Task) -> None:
        step = self._steps.setdefault(order.step, _Step(order.step))
        step.finish(order, failed=task.failure is not None)
        self._changed = True
        took = duration((task.ended - task.started) / 1e6)
        if task.failure is not None:
            self._told.add(task.failure.message)
            what = f"{task.failure.type}: {task.failure.message}".splitlines()
            text = f"failed after {took}: {escape(what[0] if what else '')}"
            self._task(order, pid, self._paint(text, "red"))
        elif not (self._quiet or self._is_told_by_counts(step)):
            self._task(order, pid, self._paint(f"done in {took}", "green"))
        self._heads.pop(order.id, None)

    def note(self, text: str) -> None:
        """A line about the run as a whole, printed at once."""
        if not self._quiet:
            self._say(text)

    def tick(self, waiting: int) -> float | None:
        """Shows what came since the last call, as far as it is time for that.

        Called before the scheduler sleeps, with the number of tasks that could start. Returns in
        how many seconds it wants to be called again; None for not before something happened.
        """
        self._waiting = waiting
        if not self._live:
            self._flush()
            return None
        now = time.monotonic()
        since = now - self._drawn_at
        if since < (_DRAW_EVERY if self._changed or self._pending else _TICK):
            return (_DRAW_EVERY if self._changed or self._pending else _TICK) - since
        self._draw(now)
        return _TICK

    def stop(self) -> None:
        """Takes the lines at the bottom away; from now on there are none."""
        if self._live:
            self._live = False
            self._write(replace(self._drawn, _size()[0], "", []))
            self._drawn = []
        self._flush()

    def close(self, result: "Result", seconds: float) -> None:
        """The last lines: how it went, and what to type next."""
        self.stop()
        status = result.outcome.status
        self._quiet = self._quiet and status == "ok"
        failure = result.outcome.failure
        if failure is not None and failure.message not in self._told:  # of no task's own
            step = result.outcome.failed_step
            self.note(f"step {step}: {failure.message}" if step else failure.message)
        words = {"ok": "done", "failed": "failed", "interrupted": "interrupted"}[status]
        done = sum(step.done for step in self._steps.values())
        tasks = f", {count(done, 'task')}" if self._counted else ""
        self.note(f"run {result.name} {words} in {duration(seconds)}{tasks}")
        if result.left_out:
            files = count(result.left_out, "file")
            self.note(f"{files} left out of the code snapshot (`mfv show {result.name} --code`)")
        if status != "ok":
            self.note(f"`mfv show {result.name}` has the traceback, `mfv logs` all output")

    def _is_told_by_counts(self, step: "_Step") -> bool:
        if not self._live or step.total <= _MANY:
            return False
        self._counted = True
        return True

    def _say(self, text: str) -> None:
        self._add(f"{self._now()} {self._paint(escape(text), 'bold')}\n")
        if self._live and self._drawn:
            self._draw(time.monotonic())
        else:
            self._flush()

    def _task(self, order: Order, pid: int, text: str) -> None:
        head = self._heads.get(order.id)
        if head is None:
            where = f"{order.run}/{order.step}/{order.id}"
            head = self._heads[order.id] = self._paint(f"[{where} (pid {pid})]", "cyan")
        self._add(f"{self._now()} {head} {text}\n")

    def _now(self) -> str:
        now = time.time_ns() // 1_000_000
        if now != self._stamp_of:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now / 1000))
            self._stamp_of = now
            self._stamp = self._paint(f"{stamp}.{now % 1000:03d}", "dim")
        return self._stamp

    def _add(self, text: str) -> None:
        self._pending.append(text)
        self._size += len(text)
        if self._size > _BUFFER:
            if self._live and self._drawn:
                self._draw(time.monotonic(), anew=False)
            else:
                self._flush()

    def _taken(self) -> str:
        text = "".join(self._pending)
        self._pending.clear()
        self._size = 0
        return text

    def _flush(self) -> None:
        if self._pending:
            self._write(self._taken())

    def _draw(self, now: float, *, anew: bool = True) -> None:
        """Writes what is pending, and the lines at the bottom below it."""
        width, height = _size()
        lines = self._drawn
        if anew or any(len(line) > width for line in lines):
            counts = [step.counts() for step in self._steps.values()]
            seconds = now - self._begun
            lines = status(
                counts, self._waiting, seconds, width=width, height=height, paint=self._paint
            )
            self._drawn_at, self._changed = now, False
        self._write(replace(self._drawn, width, self._taken(), lines))
        self._drawn = lines

    def _write(self, text: str) -> None:
        if not self._open:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            # Nobody listens any more (`flow.py run | head`); the run goes on and is recorded.
            self._open = self._live = False
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _Step:
    """What is known of one step's tasks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done = 0
        self.total = 0
        self._splits: set[int] = set()  # the tasks whose foreach leads here
        self._seen: set[int] = set()
        self._running: set[int] = set()
        self._failed: set[int] = set()

    def start(self, order: Order) -> None:
        self._running.add(order.id)
        self._failed.discard(order.id)  # it is tried again
        self._seen.add(order.id)
        last = order.frames[-1] if order.frames else None
        if last is not None and last.variable is not None and last.task not in self._splits:
            self._splits.add(last.task)
            self.total += last.total
        self.total = max(self.total, len(self._seen))

    def finish(self, order: Order, *, failed: bool) -> None:
        self._running.discard(order.id)
        if failed:
            self._failed.add(order.id)
        else:
            self.done += 1

    def counts(self) -> StepCounts:
        return StepCounts(self.name, self.total, self.done, len(self._failed), len(self._running))


def _is_live(stream: TextIO) -> bool:
    """Whether lines can be drawn over: a terminal that can, with a person before it."""
    if os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("CI"):
        return False
    return stream.isatty()


def _size() -> tuple[int, int]:
    """Columns and lines of the terminal as it is now, whatever the environment says."""
    try:
        found = os.get_terminal_size(1)
    except OSError:
        return 80, 24
    # Some terminals say that they have none.
    return found.columns or 80, found.lines or 24
