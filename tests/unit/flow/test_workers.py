"""The task server: real processes, their output, their ends, and nothing left behind."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mfv.flow.order import Order
from mfv.flow.workers import (
    Channels,
    Ended,
    Inbox,
    Run,
    Started,
    TaskServer,
    receive,
    send,
)

PATIENCE = 20.0  # seconds; only a test that fails waits so long
Serve = Callable[[Run], TaskServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, which are stopped at the end."""
    servers: list[TaskServer] = []

    def start(run: Run) -> TaskServer:
        servers.append(TaskServer(run))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def events_until_end(server: TaskServer, tasks: int = 1) -> list[Started | Ended]:
    """What the server says until so many tasks ended."""
    found: list[Started | Ended] = []
    end = time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as selector:
        selector.register(server.control, selectors.EVENT_READ)
        while sum(isinstance(event, Ended) for event in found) < tasks:
            assert time.monotonic() < end, found
            if selector.select(0.1):
                news = server.events()
                assert news is not None
                found += news
    return found


def read_all(fd: int) -> bytes:
    os.set_blocking(fd, True)
    data = b""
    while piece := os.read(fd, 1 << 16):
        data += piece
    return data


def gone(pid: int) -> bool:
    """Whether a process has ended, waiting for it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def order(number: int = 1, step: str = "start") -> Order:
    return Order(1, number, step)


def close(channels: Channels) -> None:
    os.close(channels.stdout)
    os.close(channels.stderr)
    channels.line.close()


def test_a_task_runs_in_a_process_of_its_own_and_its_exit_code_comes_back(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        print("in", os.getpid(), order.step)
        print("to stderr", file=sys.stderr)
        return 7

    server = serve(run)
    channels = server.start(order(3))
    started, ended = events_until_end(server)
    assert isinstance(started, Started)
    assert started.ticket == order(3).ticket
    assert started.pid not in (os.getpid(), server.pid)
    assert ended == Ended(order(3).ticket, 7, 0)
    assert read_all(channels.stdout) == b"in %d start\n" % started.pid
    assert read_all(channels.stderr) == b"to stderr\n"
    close(channels)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1, signal.SIGTERM])
def test_the_signal_that_ended_a_task_comes_back(serve: Serve, number: signal.Signals) -> None:
    def run(order: Order, line: socket.socket) -> int:
        os.kill(os.getpid(), number)
        return 0

    server = serve(run)
    close(server.start(order()))
    assert events_until_end(server)[-1] == Ended(order(1).ticket, 0, number)


def test_an_error_outside_of_any_step_is_told_on_stderr(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        raise LookupError("what is this")

    server = serve(run)
    channels = server.start(order())
    assert events_until_end(server)[-1] == Ended(order(1).ticket, 1, 0)
    assert b"LookupError: what is this" in read_all(channels.stderr)
    close(channels)


def test_output_is_complete_also_of_children_and_without_a_last_newline(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        for number in range(5000):
            print("line", number)
        sys.stdout.flush()
        subprocess.run(["echo", "child"], check=True)
        print("end", end="")
        return 0

    server = serve(run)
    channels = server.start(order())
    data = read_all(channels.stdout)
    assert data == b"".join(b"line %d\n" % n for n in range(5000)) + b"child\nend"
    assert events_until_end(server)[-1] == Ended(order(1).ticket, 0, 0)
    close(channels)


def test_a_task_has_nothing_to_read_and_may_print_any_text(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        print(repr(sys.stdin.read()), "ä\udcff")
        return 0

    server = serve(run)
    channels = server.start(order())
    assert read_all(channels.stdout) == "'' ä\\udcff\n".encode()
    close(channels)


def test_the_line_carries_messages_of_any_size_both_ways(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        while message := receive(line):
            send(line, message[::-1])
        return 0 if message == b"" else 1

    server = serve(run)
    channels = server.start(order())
    for message in (b"abc", b"\x00" * 100_000, os.urandom(3_000_000)):
        send(channels.line, message)
        assert receive(channels.line) == message[::-1]
    send(channels.line, b"")
    assert events_until_end(server)[-1] == Ended(order(1).ticket, 0, 0)
    close(channels)


def test_messages_arrive_whole_however_they_are_cut() -> None:
    near, far = socket.socketpair()
    far.setblocking(False)
    inbox = Inbox()
    message = os.urandom(1000)
    data = len(message).to_bytes(4, "little") + message
    data += (0).to_bytes(4, "little")
    for piece in (data[:2], data[2:6], data[6:999]):
        near.sendall(piece)
        assert inbox.fill(far)
        assert inbox.take() is None
    near.sendall(data[999:])
    assert inbox.fill(far)
    assert inbox.take() == message
    assert inbox.take() == b""
    assert inbox.take() is None
    near.close()
    assert not inbox.fill(far)
    far.close()


def test_many_tasks_at_once_are_told_apart(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        print(order.step)
        return order.id % 5

    server = serve(run)
    channels = {number: server.start(order(number, f"step{number}")) for number in range(1, 31)}
    events = events_until_end(server, tasks=30)
    assert {e.ticket >> 8: e.code for e in events if isinstance(e, Ended)} == {
        number: number % 5 for number in range(1, 31)
    }
    assert len({event.pid for event in events if isinstance(event, Started)}) == 30
    for number, channel in channels.items():
        assert read_all(channel.stdout) == b"step%d\n" % number
        close(channel)


def first_line(fd: int) -> bytes:
    os.set_blocking(fd, True)
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(fd, 1)
        assert piece, data
        data += piece
    return data


def waits(order: Order, line: socket.socket) -> int:
    child = subprocess.Popen(["sleep", "600"])
    print(os.getpid(), child.pid)
    time.sleep(600)
    return 0


def start_waiting(server: TaskServer, count: int) -> tuple[list[Channels], list[int]]:
    """Tasks that wait, and the processes of theirs and of what they started."""
    channels = [server.start(order(number)) for number in range(1, count + 1)]
    pids = [int(word) for one in channels for word in first_line(one.stdout).split()]
    return channels, pids


def test_a_signal_reaches_every_task_and_what_it_started(serve: Serve) -> None:
    server = serve(waits)
    channels, pids = start_waiting(server, 2)
    server.kill(signal.SIGTERM)
    ended = [event for event in events_until_end(server, 2) if isinstance(event, Ended)]
    assert {event.signal for event in ended} == {signal.SIGTERM}
    assert all(gone(pid) for pid in pids)
    for one in channels:
        close(one)


def test_a_task_gets_sigint_as_a_keyboard_interrupt_and_the_server_lives_on(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        try:
            print("ready")
            time.sleep(PATIENCE)
        except KeyboardInterrupt:
            return 9
        return 0

    server = serve(run)
    channels = server.start(order())
    first_line(channels.stdout)
    os.kill(server.pid, signal.SIGINT)
    server.kill(signal.SIGINT)
    assert events_until_end(server)[-1] == Ended(order(1).ticket, 9, 0)
    close(channels)
    close(server.start(order(2)))


def test_a_task_that_was_only_just_started_is_not_missed_by_a_signal(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        # Not in one go: Python looks for a signal before it sleeps, and one that comes between the
        # look and the sleep is seen after it.
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(0.05)
        return 0

    server = serve(run)
    for number in range(1, 11):
        close(server.start(order(number)))
        server.kill(signal.SIGINT)
        ended = events_until_end(server)[-1]
        assert isinstance(ended, Ended)
        assert ended.code == 1


def test_stopping_ends_every_task_and_the_server(serve: Serve) -> None:
    server = TaskServer(waits)
    channels, pids = start_waiting(server, 2)
    server.stop()
    assert all(gone(pid) for pid in [*pids, server.pid])
    for one in channels:
        close(one)


def test_a_server_that_was_killed_has_no_more_events_and_takes_no_more_orders() -> None:
    server = TaskServer(lambda order, line: 0)
    os.kill(server.pid, signal.SIGKILL)
    with selectors.DefaultSelector() as selector:
        selector.register(server.control, selectors.EVENT_READ)
        assert selector.select(PATIENCE)
    assert server.events() is None
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConnectionError):
        server.start(order())
    assert len(os.listdir("/proc/self/fd")) == before
    server.stop()


def test_when_the_scheduler_is_killed_no_task_and_no_server_is_left() -> None:
    told, tell = os.pipe()
    scheduler = os.fork()
    if scheduler == 0:
        server = TaskServer(waits)
        _, pids = start_waiting(server, 2)
        os.write(tell, (" ".join(map(str, [server.pid, *pids])) + "\n").encode())
        signal.pause()
        os._exit(0)
    pids = [int(word) for word in first_line(told).split()]
    os.kill(scheduler, signal.SIGKILL)
    os.waitpid(scheduler, 0)
    assert len(pids) == 5
    assert all(gone(pid) for pid in pids)
    os.close(told)
    os.close(tell)


def test_a_task_does_not_inherit_what_the_scheduler_has_open(serve: Serve) -> None:
    def run(order: Order, line: socket.socket) -> int:
        print(len(os.listdir("/proc/self/fd")))
        return 0

    server = serve(run)
    kept = [server.start(order(number)) for number in range(1, 6)]
    counts = [int(first_line(one.stdout)) for one in kept]
    assert len(set(counts)) == 1  # what one task was given is not there in the next
    for one in kept:
        close(one)
