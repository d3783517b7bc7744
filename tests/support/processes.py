"""Flows run by the real command line, and what is left of their processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, NamedTuple

from mfv.manifest.records import Task
from mfv.repo.artifacts import load
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

# The settings of whoever runs the tests must not matter.
_DROPPED = ("MFV_", "METAFLOW_", "GIT_")
_GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_PATIENCE = 150.0  # seconds; only a test that fails waits so long

HEAD = (
    "import os, sys, time\n"
    "from mfv import FlowSpec, Parameter, JSONType, current, parallel, step\n\n"
)
TAIL = '\nif __name__ == "__main__":\n    F()\n'


class Done(NamedTuple):
    """A process that ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def flow(body: str) -> str:
    """The script of a flow F with the given body."""
    return HEAD + "class F(FlowSpec):\n" + textwrap.indent(textwrap.dedent(body), "    ") + TAIL


class Place:
    """A folder with a flow in flow.py, and its repository once it has run."""

    def __init__(self, folder: Path, body: str | None = None) -> None:
        self.folder = folder
        self.store = folder / ".mfv"
        self.variables: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if body is not None:
            self.write(body)

    def write(self, body: str, name: str = "flow.py") -> Path:
        """Puts the flow F with this body into a file."""
        path = self.folder / name
        path.write_text(flow(body))
        return path

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
        # A file that is edited twice within a second would be loaded as it was compiled first.
        compiled = {"PYTHONDONTWRITEBYTECODE": "1"}
        return {**kept, **_GIT, **compiled, "MFV_USER": "ana", **self.variables}

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Starts `python WORDS` in a session of its own, with one pipe for all its output."""
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=given.pop("cwd", self.folder),
            env=self.environment(),
            text=True,
            errors="surrogateescape",
            start_new_session=True,
            **given,
        )

    def python(self, *words: str, **options: Any) -> Done:
        """Runs `python WORDS` to its end."""
        process = self.start(*words, stderr=subprocess.PIPE, **options)
        out, err = process.communicate(timeout=_PATIENCE)
        return Done(process.returncode, out, err)

    def run(self, *options: str, code: int = 0) -> Done:
        """Runs the flow to its end, which is to be `code`."""
        done = self.python("flow.py", "run", *options)
        assert done.code == code, done.text
        return done

    def mfv(self, *words: str, code: int = 0) -> Done:
        """Runs a command of mfv, which is to end with `code`."""
        done = self.python("-m", "mfv", *words)
        assert done.code == code, done.text
        return done

    def view(self, number: int = 1, flow: str = "F") -> RunView:
        """A run, read anew."""
        repository = Repository.open(self.store)
        state = repository.state.find(flow, number)
        assert state is not None, f"there is no {flow}/{number}"
        return RunView(repository, state)

    def statuses(self) -> dict[str, str]:
        """How each run stands, by name."""
        if not (self.store / "format").exists():
            return {}
        repository = Repository.open(self.store)
        return {run.name: repository.status(run) for run in repository.state}

    def task(self, step: str, place: int = 0, run: int = 1) -> Task:
        """The task of a step, by its place among its siblings."""
        return self.view(run).tasks(step)[place]

    def values(self, step: str, place: int = 0, run: int = 1) -> dict[str, Any]:
        """What a task left, by name; parameters and constants aside."""
        view = self.view(run)
        database = view.repository.database
        return {a.name: load(database, a) for a in view.tasks(step)[place].artifacts}

    def output(self, stream: str, task: Task, run: int = 1) -> bytes:
        """What a task printed, without the times."""
        log = task.stdout if stream == "stdout" else task.stderr
        if log.blob is not None:
            data = bytes(self.view(run).repository.database.read_blob(log.blob))
        else:
            data = log.text or b""
        return b"\n".join(line[17:] for line in data.split(b"\n"))


def session_of(process: subprocess.Popen[str]) -> set[int]:
    """The processes that live in the session that `process` leads or led."""
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            status = Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:
            continue
        state, _, _, session = status.rpartition(")")[2].split()[:4]
        if int(session) == process.pid and state not in "ZX":
            found.add(int(entry))
    return found


def kill_session(process: subprocess.Popen[str]) -> None:
    """Kills every process of the session at once, as a machine that goes down does."""
    while found := session_of(process):
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    process.wait()


def assert_nothing_left(process: subprocess.Popen[str]) -> None:
    """Passes once no process of the session is left; fails where one stays."""
    end = time.monotonic() + _PATIENCE / 4
    while left := session_of(process):
        if time.monotonic() > end:
            kill_session(process)
            raise AssertionError(f"{len(left)} processes were left behind")
        time.sleep(0.01)


def wait_for(path: Path, process: subprocess.Popen[str]) -> str:
    """The text of `path`, once it is there and not empty; fails if `process` ends before."""
    end = time.monotonic() + _PATIENCE
    while True:
        if path.exists() and (text := path.read_text()):
            return text
        if process.poll() is not None or time.monotonic() > end:
            out = process.communicate(timeout=5)[0] if process.stdout else ""
            raise AssertionError(f"{path.name} never came: {out}")
        time.sleep(0.005)
