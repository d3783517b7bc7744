"""New interpreters for tasks: what they are given, and that they take it up once."""

from __future__ import annotations

import os
import selectors
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mfv.errors import FlowError
from mfv.flow.order import Order
from mfv.flow.spawning import VARIABLE, Interpreter, is_task, this_interpreter
from mfv.flow.workers import Ended, TaskServer, receive, send

CODE = """
import os, sys, threading
from mfv.flow.spawning import assignment, is_task
from mfv.flow.workers import perform, receive, send

assert is_task(os.environ)
given = assignment(os.environ)
assert not is_task(os.environ)

def run(order, line):
    print(order.step, given.payload.decode(), os.getcwd())
    for fd in range(3, 300):
        try:
            print(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0], file=sys.stderr)
        except OSError:
            pass
    assert os.getpgid(0) == os.getpid()
    send(line, receive(line)[::-1])
    return order.id

perform(run, given.order, given.line)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TaskServer]:
    made = TaskServer(Interpreter((sys.executable, "-c", CODE), os.fspath(tmp_path), b"briefing"))
    yield made
    made.stop()


def read_all(fd: int) -> bytes:
    os.set_blocking(fd, True)
    with open(fd, "rb") as file:
        return file.read()


def test_a_new_interpreter_has_its_order_the_payload_a_line_and_no_other_file(
    server: TaskServer, tmp_path: Path
) -> None:
    tasks = {number: server.start(Order(1, number, f"step{number}")) for number in (3, 4)}
    for number, channels in tasks.items():
        send(channels.line, b"abc")
        assert receive(channels.line) == b"cba"
        channels.line.close()
        assert read_all(channels.stdout) == f"step{number} briefing {tmp_path}\n".encode()
        open_files = read_all(channels.stderr).decode().split()
        # Whoever runs the tests may hand down files of its own, but none of these kinds.
        kinds = ("socket", "/memfd", "anon_inode")
        assert [one for one in open_files if one in kinds] == ["socket"]  # the line
    ended = set()
    with selectors.DefaultSelector() as selector:
        selector.register(server.control, selectors.EVENT_READ)
        while len(ended) < 2:
            assert selector.select(20)
            ended |= {event for event in server.events() or () if isinstance(event, Ended)}
    assert ended == {Ended(Order(1, number, "").ticket, number, 0) for number in tasks}


def test_an_order_of_any_size_arrives(server: TaskServer) -> None:
    order = Order(1, 1, "x" * 3_000_000)
    channels = server.start(order)
    send(channels.line, b"")
    assert read_all(channels.stdout).startswith(b"x" * 3_000_000 + b" briefing")
    os.close(channels.stderr)
    channels.line.close()


def test_what_cannot_be_started_ends_its_task(tmp_path: Path) -> None:
    server = TaskServer(Interpreter((os.fspath(tmp_path / "absent"),), "/", b""))
    channels = server.start(Order(1, 1, "start"))
    assert b"cannot start a process: No such file" in read_all(channels.stderr)
    os.close(channels.stdout)
    channels.line.close()
    server.stop()


def test_a_variable_that_came_from_further_up_means_nothing() -> None:
    assert not is_task({})
    assert not is_task({VARIABLE: "1,5,6,7" if os.getppid() != 1 else "2,5,6,7"})


def test_a_flow_from_standard_input_cannot_be_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-"])
    with pytest.raises(FlowError, match="a flow that is no file"):
        this_interpreter(b"")
