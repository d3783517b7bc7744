"""What a person sees of a run while it goes on: one prefixed line for everything."""

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from mfv.flow.order import Order
from mfv.manifest.records import Task
from mfv.render.terminal import Paint, coloured
from mfv.render.text import escape
from mfv.render.units import count, duration

if TYPE_CHECKING:
    from mfv.flow.seams import Stream
    from mfv.launch import Result


class Progress:
    """Prints as the run goes on. A closed or full output never stops the run."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet`: only what tasks print, and what goes wrong."""
        self._quiet = quiet
        self._paint = Paint(coloured(sys.stdout))
        self._open = True

    def line(self, order: Order, pid: int, stream: "Stream", text: bytes) -> None:
        shown = escape(text.rstrip(b"\r").decode("utf-8", "surrogateescape"), keep="\t")
        self._task(order, pid, self._paint(shown, "yellow") if stream == "stderr" else shown)

    def started(self, order: Order, pid: int) -> None:
        if self._quiet:
            return
        self._task(order, pid, self._paint("started", "dim"))

    def finished(self, order: Order, pid: int, task: Task) -> None:
        took = duration((task.ended - task.started) / 1e6)
        if task.failure is None:
            if not self._quiet:
                self._task(order, pid, self._paint(f"done in {took}", "green"))
            return
        what = f"{task.failure.type}: {task.failure.message}".splitlines()
        text = f"failed after {took}: {escape(what[0] if what else '')}"
        self._task(order, pid, self._paint(text, "red"))

    def note(self, text: str) -> None:
        """A line about the run as a whole."""
        if self._quiet:
            return
        self._print(f"{self._now()} {self._paint(escape(text), 'bold')}")

    def close(self, result: "Result", seconds: float) -> None:
        """The last lines: how it went, and what to type next."""
        status = result.outcome.status
        self._quiet = self._quiet and status == "ok"
        words = {"ok": "done", "failed": "failed", "interrupted": "interrupted"}[status]
        self.note(f"run {result.name} {words} in {duration(seconds)}")
        if result.left_out:
            files = count(result.left_out, "file")
            self.note(f"{files} left out of the code snapshot (`mfv show {result.name} --code`)")
        if status != "ok":
            self.note(f"`mfv show {result.name}` has the traceback, `mfv logs` all output")

    def _task(self, order: Order, pid: int, text: str) -> None:
        where = f"{order.run}/{order.step}/{order.id}"
        who = self._paint(f"[{where} (pid {pid})]", "cyan")
        self._print(f"{self._now()} {who} {text}")

    def _now(self) -> str:
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        return self._paint(f"{stamp}.{int(now % 1 * 1000):03d}", "dim")

    def _print(self, text: str) -> None:
        if not self._open:
            return
        try:
            print(text, flush=True)
        except OSError:
            # Nobody listens any more (`flow.py run | head`); the run goes on and is recorded.
            self._open = False
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
