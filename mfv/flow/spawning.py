"""Tasks in interpreters of their own, for what does not survive a fork.

A new interpreter is started with the very command line that this one was started with, runs the
flow's script up to its `MyFlow()`, and finds there that it is a task. So the script is `__main__`
as it always is: a class that it defines pickles as `__main__.X`, like in a forked task, and every
way to start a flow (`python flow.py`, `python -m package.flow`, `mfv run`) works alike.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from typing import NamedTuple

import msgspec

from mfv.errors import FlowError
from mfv.flow.order import Order

VARIABLE = "MFV_TASK"  # in a new interpreter: who started it, and its three files

try:
    # As this is imported with `FlowSpec`, before the flow's own lines may go elsewhere.
    _FOLDER = os.getcwd()
except FileNotFoundError:
    _FOLDER = os.sep


class Interpreter(NamedTuple):
    """How to start a task's interpreter, and what each of them is told."""

    command: tuple[str, ...]
    folder: str  # where it is started
    payload: bytes  # the same for every task; whoever runs tasks understands it


class Assignment(NamedTuple):
    """What a new interpreter is there for."""

    order: Order
    payload: bytes
    line: socket.socket  # to the scheduler


def this_interpreter(payload: bytes) -> Interpreter:
    """This process's own command line, to be started again; FlowError where there is none."""
    words = sys.orig_argv[1:]
    main = sys.modules.get("__main__")
    if not words or words == ["-"] or not (hasattr(main, "__file__") or "-c" in words):
        raise FlowError(
            "a flow that is no file cannot be run with --process spawn",
            hint="save it, and run `python FLOW.py run --process spawn`; or leave the option out",
        )
    return Interpreter((sys.executable, *words), _FOLDER, payload)


def spawn(
    interpreter: Interpreter,
    payload: int,
    order: Order,
    fds: Sequence[int],
    mask: set[int],
    environ: Mapping[str, str],
) -> int:
    """Starts a task's process; returns its id. Raises OSError.

    `payload`: a file with the interpreter's; `fds`: where its output goes and its line, which
    stay open here; `mask`: the signals that it has blocked.
    """
    stdout, stderr, line = fds
    with contextlib.ExitStack() as opened:
        told = unnamed_file(msgspec.msgpack.encode(order))
        opened.callback(os.close, told)
        null = os.open(os.devnull, os.O_RDONLY)
        opened.callback(os.close, null)
        kept = (line, told, payload)
        for fd in kept:
            os.set_inheritable(fd, True)
            opened.callback(os.set_inheritable, fd, False)
        numbers = ",".join(map(str, (os.getpid(), *kept)))
        return os.posix_spawn(
            interpreter.command[0],
            interpreter.command,
            {**environ, VARIABLE: numbers},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, stderr, 2),
            ],
            setpgroup=0,
            setsigmask=mask,
        )


def is_task(environ: Mapping[str, str]) -> bool:
    """Whether this process was started by `spawn`, and did not find out what for yet."""
    # What a task starts in its turn has the variable as well, but another parent.
    return environ.get(VARIABLE, "").partition(",")[0] == str(os.getppid())


def assignment(environ: MutableMapping[str, str]) -> Assignment:
    """Takes up what this process was started for; once only, as `is_task` is false afterwards."""
    line, told, payload = map(int, environ.pop(VARIABLE).split(",")[1:])
    order = msgspec.msgpack.decode(_taken(told), type=Order)
    os.set_inheritable(line, False)
    return Assignment(order, _taken(payload), socket.socket(fileno=line))


def unnamed_file(data: bytes) -> int:
    """An open file with `data` that no folder lists; returns its fd."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("mfv", os.MFD_CLOEXEC)
    else:
        fd, name = tempfile.mkstemp()
        os.unlink(name)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    return fd


def _taken(fd: int) -> bytes:
    """All of a file that several processes have open: their places in it are one and the same."""
    size = os.fstat(fd).st_size
    data = bytearray()
    while len(data) < size:
        piece = os.pread(fd, size - len(data), len(data))
        if not piece:
            raise EOFError(f"{size} bytes were promised, {len(data)} came")
        data += piece
    os.close(fd)
    return bytes(data)
