"""The task server: a process that has imported the flow and forks one process for each task.

The scheduler never runs user code, and a task costs a fork, not an interpreter start. Whatever
happens to the scheduler, the server sees its end of the line close and takes all tasks with it.
Where forks would do harm, the server starts a new interpreter for each task instead.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import fcntl
import gc
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import msgspec

from mfv.errors import MfvError
from mfv.flow.order import Order
from mfv.flow.randomness import State, after_fork, before_fork
from mfv.flow.spawning import Interpreter, spawn, unnamed_file

_LENGTH = struct.Struct("<I")
# Held back while a process is forked, until it has said what it does about them.
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Run = Callable[[Order, socket.socket], int]


class Started(msgspec.Struct, frozen=True, tag="started"):
    """A task's process was forked."""

    ticket: int  # of its order
    pid: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A task's process ended: by itself with `code`, or by `signal` (else 0)."""

    ticket: int  # of its order
    code: int
    signal: int


class _Kill(msgspec.Struct, frozen=True, tag="kill"):
    signal: int
    ticket: int | None  # None: every task, and what they leave behind from now on


class _Start(msgspec.Struct, frozen=True, tag="start"):
    order: Order


class Channels(NamedTuple):
    """The scheduler's ends of one task: its output, and the line to talk to it."""

    stdout: int  # fds
    stderr: int
    line: socket.socket


class TaskServer:
    """The scheduler's handle of the server. Start it before threads and locks exist."""

    def __init__(self, run: Run | Interpreter, warm: Callable[[], None] = lambda: None) -> None:
        """Forks the server; `run(order, line)` is called in each task's process.

        What `run` returns is the process's exit code. It talks to the scheduler over `line` with
        `send` and `receive`. Given an Interpreter, the server starts that for each task, and
        `perform` is called there. `warm` is called once in the server, and does what would else
        be done in every task that is forked.
        """
        _occupy_standard_fds()
        self.control, far = socket.socketpair()
        flush()
        randomness = before_fork()  # of this process: the server's own is reseeded by its fork
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                code = 1
                try:
                    self.control.close()
                    _Server(far, run, mask, randomness).serve(warm)
                    code = 0
                finally:
                    os._exit(code)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        far.close()
        self._inbox = Inbox()
        self.control.setblocking(False)

    def start(self, order: Order) -> Channels:
        """Asks for a process for `order`; `Started` follows on `events`.

        Raises ConnectionError if the server is gone.
        """
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        near, far = socket.socketpair()
        data = msgspec.msgpack.encode(_Start(order))
        self.control.setblocking(True)
        try:
            fds = [out_write, err_write, far.fileno()]
            socket.send_fds(self.control, [_LENGTH.pack(len(data))], fds)
            self.control.sendall(data)
        except ConnectionError:
            os.close(out_read)
            os.close(err_read)
            near.close()
            raise
        finally:
            self.control.setblocking(False)
            os.close(out_write)
            os.close(err_write)
            far.close()
        os.set_blocking(out_read, False)
        os.set_blocking(err_read, False)
        return Channels(out_read, err_read, near)

    def kill(self, number: int, ticket: int | None = None) -> None:
        """Sends a signal to one task, or to every task, and everything that it started.

        After one for every task, what a task leaves behind when it ends is killed.
        """
        data = msgspec.msgpack.encode(_Kill(number, ticket))
        self.control.setblocking(True)
        with contextlib.suppress(OSError):
            self.control.sendall(_LENGTH.pack(len(data)) + data)
        self.control.setblocking(False)

    def events(self) -> list[Started | Ended] | None:
        """What happened since the last call; None if the server is gone."""
        open_still = self._inbox.fill(self.control)
        found = []
        while (message := self._inbox.take()) is not None:
            found.append(msgspec.msgpack.decode(message, type=Started | Ended))
        return found if found or open_still else None

    def stop(self) -> None:
        """Ends the server and every task that is left; returns when it is gone."""
        self.control.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def send(line: socket.socket, message: bytes) -> None:
    """Sends one whole message."""
    line.sendall(_LENGTH.pack(len(message)) + message)


def receive(line: socket.socket) -> bytes | None:
    """Waits for one whole message; None if the other side is gone."""
    head = _exactly(line, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    return _exactly(line, length)


class Inbox:
    """Whole messages out of a socket that never blocks."""

    def __init__(self) -> None:
        self._data = bytearray()

    def fill(self, line: socket.socket) -> bool:
        """Takes what is there; False once the other side is gone."""
        while True:
            try:
                data = line.recv(1 << 16)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not data:
                return False
            self._data += data

    def take(self) -> bytes | None:
        """The next whole message, or None while there is none."""
        if len(self._data) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._data)
        end = _LENGTH.size + length
        if len(self._data) < end:
            return None
        message = bytes(self._data[_LENGTH.size : end])
        del self._data[:end]
        return message


class _Server:
    """Runs in the server's process."""

    def __init__(
        self,
        control: socket.socket,
        run: Run | Interpreter,
        mask: set[int],
        randomness: State | None,
    ) -> None:
        """`mask`: the signals that are blocked outside of a fork."""
        self._control, self._run = control, run
        self._mask, self._randomness = mask, randomness
        self._tasks: dict[int, int] = {}  # pid -> ticket
        self._killing = False
        self._wake_read, self._wake_write = os.pipe()

    def serve(self, warm: Callable[[], None]) -> None:
        # A group of its own: Ctrl-C at the terminal is the scheduler's to answer.
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)
        # Not SIG_IGN: a signal for a task that was just forked would be lost on some systems.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        if isinstance(self._run, Interpreter):
            with contextlib.suppress(OSError):  # it is gone; an absolute path works all the same
                os.chdir(self._run.folder)
            self._payload = unnamed_file(self._run.payload)
        else:
            warm()
            # A collection in a task would write to every page that it shares with the server.
            gc.collect()
            gc.freeze()
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(self._wake_read, selectors.EVENT_READ)
        try:
            while self._step(selector):
                pass
        finally:
            self._kill(signal.SIGKILL)

    def _step(self, selector: selectors.BaseSelector) -> bool:
        for key, _ in selector.select():
            if key.fileobj is self._control:
                if not self._obey():
                    return False
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
                self._reap()
        return True

    def _obey(self) -> bool:
        head, fds, _, _ = socket.recv_fds(self._control, _LENGTH.size, 3)
        for fd in fds:
            os.set_inheritable(fd, False)  # as Python does for every file but those received
        if not head:
            return False
        if len(head) < _LENGTH.size:
            head += _exactly(self._control, _LENGTH.size - len(head)) or b""
        data = _exactly(self._control, *_LENGTH.unpack(head))
        if data is None:
            return False
        message = msgspec.msgpack.decode(data, type=_Start | _Kill)
        if isinstance(message, _Kill):
            self._killing = self._killing or message.ticket is None
            self._kill(message.signal, message.ticket)
            return True
        order = message.order
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            if isinstance(self._run, Interpreter):
                pid = spawn(self._run, self._payload, order, fds, self._mask, os.environ)
            else:
                pid = os.fork()
                if pid == 0:
                    self._become_task(self._run, order, fds)
        except OSError as error:  # no memory, or no process left
            os.write(fds[1], f"cannot start a process: {error.strerror}\n".encode())
            self._tell(Ended(order.ticket, 1, 0))
            return True
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            for fd in fds:
                os.close(fd)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._tasks[pid] = order.ticket
        self._tell(Started(order.ticket, pid))
        return True

    def _become_task(self, run: Run, order: Order, fds: list[int]) -> None:
        try:
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            self._control.close()
            atexit._clear()  # what was registered before the fork is for the scheduler to do
            _redirect(fds[0], fds[1])
            after_fork(self._randomness)
            perform(run, order, socket.socket(fileno=fds[2]))
        except BaseException:
            traceback.print_exc()
        finally:
            flush()
            os._exit(1)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ticket = self._tasks.pop(pid, None)
            if ticket is None:
                continue
            died_of = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            if self._killing or died_of:
                # What it started has nobody now who waits for it. The task's number is that of
                # its group for as long as anything is left of that.
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
            self._tell(Ended(ticket, 0 if died_of else os.WEXITSTATUS(status), died_of))

    def _kill(self, number: int, only: int | None = None) -> None:
        for pid, ticket in self._tasks.items():
            if only is not None and only != ticket:
                continue
            with contextlib.suppress(OSError):
                os.killpg(pid, number)

    def _tell(self, event: Started | Ended) -> None:
        with contextlib.suppress(OSError):
            send(self._control, msgspec.msgpack.encode(event))


def perform(run: Run, order: Order, line: socket.socket) -> NoReturn:
    """Runs a task in this process, which is there for nothing else, and ends it."""
    code = 1
    try:
        flush()
        _open_streams()
        faulthandler.enable(sys.stderr)  # a crash in native code says in which line of Python
        code = run(order, line)
    except MfvError as error:  # of the repository, before the step or behind it
        print(f"error: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        _wind_up()
        flush()
        os._exit(code)


def _wind_up() -> None:
    """Waits for threads and does what is to be done at exit, as every Python process does."""
    threading = sys.modules.get("threading")
    if threading is not None:
        left = [one for one in threading.enumerate() if not one.daemon]
        with contextlib.suppress(BaseException):
            if len(left) > 1:
                names = ", ".join(one.name for one in left if one is not threading.main_thread())
                print(f"waiting for threads that the step left: {names}", file=sys.stderr)
            threading._shutdown()
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()


def _occupy_standard_fds() -> None:
    """Where they were closed (`>&-`), a pipe of ours would get their number, and then their use."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)


def _redirect(stdout: int, stderr: int) -> None:
    """Points the process's input at nothing and its output at the task's pipes."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    for fd in (1, 2):
        fcntl.fcntl(fd, fcntl.F_SETFD, 0)


def _open_streams() -> None:
    """Python's own streams: output goes by lines, and any text can be printed."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = open(  # noqa: SIM115
            fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115


def flush() -> None:
    """Writes out what was printed; never raises, whatever a step did to its streams."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    # Native code has buffers of its own, which os._exit would drop. Not worth an import: where
    # there is such code, this one is almost always there.
    ctypes = sys.modules.get("ctypes")
    if ctypes is not None:
        with contextlib.suppress(Exception):
            ctypes.CDLL(None).fflush(None)


def _exactly(line: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = line.recv(min(size - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)
