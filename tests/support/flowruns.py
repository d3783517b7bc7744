"""Runs of small flows, made by the real command line in processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

DEMO = '''
import sys
from mfv import FlowSpec, Parameter, step


class DemoFlow(FlowSpec):
    """Squares numbers side by side, then goes two ways at once."""

    UNITS = "metres"

    count = Parameter("count", default=3, type=int)
    fail_at = Parameter("fail_at", default="")

    def stop_here(self, step):
        if self.fail_at == step:
            raise ValueError(f"told to fail at {step}")

    @step
    def start(self):
        self.items = [10 * (i + 1) for i in range(self.count)]
        self._scratch = "not for show"
        print("first line")
        print("zweite Zeile: äöü")
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.square = self.input ** 2
        if self.index == 1:
            self.stop_here("work")
        print(f"item {self.input}", file=sys.stderr)
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.squares = [task.square for task in inputs]
        self.next(self.fork)

    @step
    def fork(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.low = min(self.squares)
        self.next(self.meet)

    @step
    def right(self):
        self.high = max(self.squares)
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.span = inputs.right.high - inputs.left.low
        self.squares = inputs.left.squares
        self.next(self.end)

    @step
    def end(self):
        self.total = float(sum(self.squares))
        self.report = {"total": self.total, "span": self.span}
        self.stop_here("end")


if __name__ == "__main__":
    DemoFlow()
'''

PLAIN = """
from mfv import FlowSpec, step


class PlainFlow(FlowSpec):
    @step
    def start(self):
        self.answer = 42
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    PlainFlow()
"""

# Its step `wait` says in which process it is, and then waits for the file `go`.
WAITING = """
import os, time
from pathlib import Path
from mfv import FlowSpec, step


class WaitingFlow(FlowSpec):
    @step
    def start(self):
        self.before = "kept"
        self.next(self.wait)

    @step
    def wait(self):
        Path("waiting").write_text(str(os.getpid()))
        while not Path("go").exists():
            time.sleep(0.01)
        self.next(self.end)

    @step
    def end(self):
        self.after = "reached"


if __name__ == "__main__":
    WaitingFlow()
"""

FLOWS = {"demo.py": DEMO, "plain.py": PLAIN, "waiting.py": WAITING}


class Project:
    """A folder with the flows of this file, and its repository once one of them has run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / ".mfv"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in FLOWS.items():
            (folder / name).write_text(text)

    def run(self, script: str, *options: str, user: str = "ana", code: int = 0) -> str:
        """Runs a flow to its end, which is to be `code`; returns the run's number."""
        process = self.start(script, *options, user=user)
        output = process.communicate()[0]
        assert process.returncode == code, output
        found = re.search(r"run \w+/(\d+) started", output)
        assert found, output
        return found[1]

    def start(self, script: str, *options: str, user: str = "ana") -> subprocess.Popen[str]:
        """Starts a flow, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, script, "run", *options],
            cwd=self.folder,
            env={**os.environ, "MFV_USER": user, "MFV_DIR": str(self.repository)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start_waiting(self) -> tuple[subprocess.Popen[str], int]:
        """Starts WaitingFlow and returns once it waits, with the process of its task."""
        for name in ("waiting", "go"):
            (self.folder / name).unlink(missing_ok=True)
        process = self.start("waiting.py")
        while True:
            marker = self.folder / "waiting"
            text = marker.read_text() if marker.exists() else ""
            if text:
                return process, int(text)
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.01)

    def let_go(self) -> None:
        """Lets a waiting flow go on to its end."""
        (self.folder / "go").touch()
