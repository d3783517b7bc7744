"""The real `mfv` in processes of their own, on repositories of real runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import mfv

TRAIN = '''"""A flow that trains nothing, quickly."""

import sys

from mfv import FlowSpec, Parameter, step

RATE = 3


class TrainFlow(FlowSpec):
    """Scores three candidates and keeps the best one."""

    lr = Parameter("lr", default=0.1, help="The learning rate [0 to 1].")
    note = Parameter("note", default="plain")

    @step
    def start(self):
        """Lay out the candidates."""
        self.candidates = ["linear", "forest", "tree"]
        print("three candidates")
        self.next(self.train, foreach="candidates")

    @step
    def train(self):
        self.score = self.lr * RATE * len(self.input)
        print(f"training {self.input}")
        print(f"careful with {self.input}", file=sys.stderr)
        self.next(self.pick)

    @step
    def pick(self, inputs):
        self.best = max(one.score for one in inputs)
        self.model = {"weights": [one.score for one in inputs]}
        self.next(self.end)

    @step
    def end(self):
        self.accuracy = self.best / 10
        self.picture = b"\\x89PNG\\r\\n\\x1a\\n" + bytes(40)
        self.label = "fine"


if __name__ == "__main__":
    TrainFlow()
'''

BREAK = """from mfv import FlowSpec, step


class BreakFlow(FlowSpec):
    @step
    def start(self):
        self.kept = 7
        self.next(self.middle)

    @step
    def middle(self):
        raise ValueError("there is no data")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    BreakFlow()
"""


class Ended(NamedTuple):
    """A command that is over."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed as one JSON value."""
        return msgspec.json.decode(self.out)

    @property
    def lines(self) -> list[Any]:
        """What it printed as one JSON value a line."""
        return [msgspec.json.decode(line) for line in self.out.split("\n") if line]


def environment(**more: str) -> dict[str, str]:
    """This process's environment without anything that would change what mfv does."""
    known = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MFV_", "METAFLOW_", "GIT_")) and name not in _TERMINAL
    }
    place = os.path.dirname(os.path.dirname(os.path.abspath(mfv.__file__)))
    return {**known, "PYTHONPATH": place, "MFV_USER": "ana", **more}


_TERMINAL = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PAGER", "TERM", "LESS")


def start(
    folder: Path, *words: str | bytes, env: Mapping[str, str] | None = None, **more: Any
) -> subprocess.Popen[bytes]:
    """`python WORDS` in `folder`, with its output in pipes unless `more` says otherwise."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    command = [sys.executable, *words]
    return subprocess.Popen(
        command, cwd=folder, env=environment(**(env or {})), **{**pipes, **more}
    )


def python(
    folder: Path, *words: str | bytes, env: Mapping[str, str] | None = None, **more: Any
) -> Ended:
    """`python WORDS` in `folder`, waited for."""
    process = start(folder, *words, env=env, **more)
    out, err = process.communicate(timeout=120)
    return Ended(
        process.returncode,
        (out or b"").decode("utf-8", "surrogateescape"),
        (err or b"").decode("utf-8", "surrogateescape"),
    )


def mfv_command(
    folder: Path, *words: str | bytes, env: Mapping[str, str] | None = None, **more: Any
) -> Ended:
    """`mfv WORDS` in `folder`; whatever it was, it must not end with a traceback."""
    ended = python(folder, "-m", "mfv", *words, env=env, **more)
    assert "Traceback" not in ended.err, ended.err
    return ended


def make_project(folder: Path) -> Path:
    """A project with two runs of TrainFlow that differ in code and a parameter, one that broke.

    TrainFlow/1 bears `prod`, both bear `trial`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "break.py").write_text(BREAK)
    first = python(folder, "train.py", "run", "--tag", "trial")
    assert first.status == 0, first
    (folder / "train.py").write_text(TRAIN.replace("RATE = 3", "RATE = 4"))
    second = python(folder, "train.py", "run", "--lr", "0.2", "--tag", "trial")
    assert second.status == 0, second
    broken = python(folder, "break.py", "run")
    assert broken.status == 1, broken
    assert mfv_command(folder, "tag", "prod", "TrainFlow/1").status == 0
    return folder
