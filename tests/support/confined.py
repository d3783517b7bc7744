"""The real command line under limits: processes of their own, and what each takes is measured.

A process that has imported every command is forked for each visit, so that a hundred visits cost no
hundred starts of Python, and what one visit does is no part of what is measured of the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

MEMORY = 256 << 20  # bytes that a visit may ever hold
_SPACE = 2 << 30  # bytes of addresses: what is beyond the former is refused before it hurts anybody
SECONDS = 60  # that a visit may take at most, whatever else runs on the machine
DOCUMENTED = frozenset((0, 1, 2, 3, 4, 5))


class Done(NamedTuple):
    """One command of a visit."""

    words: tuple[str, ...]
    status: int
    out: str
    err: str


class Visit(NamedTuple):
    """All commands of one process, and what it took."""

    commands: tuple[Done, ...]
    peak: int  # bytes that were resident at most
    ended: str  # empty; else how the process ended before its time


class Confined:
    """Starts processes that run command lines; close it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**_clean(), "PYTHONPATH": os.pathsep.join(filter(None, map(_found, sys.path)))},
            text=True,
        )

    def visit(
        self,
        folder: Path,
        commands: Sequence[Sequence[str]],
        *,
        env: Mapping[str, str] | None = None,
    ) -> Visit:
        """Runs `mfv WORDS` in `folder`, one after another in one process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {
            "folder": os.fspath(folder),
            "commands": [list(words) for words in commands],
            "env": dict(env or {}),
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        done = tuple(Done(tuple(words), *rest) for words, *rest in told["commands"])
        return Visit(done, told["peak"], told["ended"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def _clean() -> dict[str, str]:
    from commands import environment

    return environment()


def _found(path: str) -> str:
    return os.path.abspath(path) if path else ""


def _serve() -> None:
    """Answers one line for each line, until there are none."""
    from mfv.cli.main import COMMANDS, load

    for name in COMMANDS:
        load(name)
    import mfv.cli.typed  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(_visited(json.loads(line))), flush=True)


def _visited(asked: dict[str, Any]) -> dict[str, Any]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with open(write, "w") as answers:
            os.setsid()
            _act(asked, answers)
        os._exit(0)
    os.close(write)
    answers = b""
    os.set_blocking(read, False)
    end = time.monotonic() + SECONDS
    ended = ""
    while True:
        with contextlib.suppress(BlockingIOError):
            piece = os.read(read, 1 << 20)
            if not piece:
                break
            answers += piece
            continue
        if time.monotonic() > end:
            ended = f"it took more than {SECONDS} s"
            os.killpg(child, signal.SIGKILL)
            break
        time.sleep(0.002)
    os.close(read)
    _, status, used = os.wait4(child, 0)
    if not ended and status:
        ended = f"its process ended with {os.waitstatus_to_exitcode(status)}"
    lines = answers.decode().splitlines()
    return {
        "commands": [json.loads(line) for line in lines if line.endswith("]")],
        "peak": used.ru_maxrss * 1024,
        "ended": ended,
    }


def _act(asked: dict[str, Any], answers: Any) -> None:
    from mfv.cli.main import main

    resource.setrlimit(resource.RLIMIT_AS, (_SPACE, _SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(asked["folder"])
    os.environ.update(asked["env"])
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for words in asked["commands"]:
        files = [os.memfd_create(name) for name in ("out", "err")]
        for number, file in enumerate(files, 1):
            os.dup2(file, number)
        streams = [open(number, "w", closefd=False) for number in (1, 2)]  # noqa: SIM115
        sys.stdout, sys.stderr = streams
        try:
            status = main(words)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 1
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.flush()
        texts = [_held(file) for file in files]
        answers.write(json.dumps([words, status, *texts]) + "\n")
        answers.flush()


def _held(file: int) -> str:
    """What was written there; of very much the beginning and the end."""
    size = os.fstat(file).st_size
    data = os.pread(file, min(size, 1 << 20), 0)
    if size > 1 << 20:
        data += os.pread(file, 4096, size - 4096)
    os.close(file)
    return data.decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    _serve()
