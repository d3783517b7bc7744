"""Real processes that do the same thing at the same moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

_fork = multiprocessing.get_context("fork")


def race(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What `act(0)` ... `act(count - 1)` return, each in a process of its own, begun together."""
    barrier = _fork.Barrier(count)
    results: Any = _fork.SimpleQueue()

    def body(place: int) -> None:
        barrier.wait(30)
        try:
            results.put((place, act(place), None))
        except BaseException:
            results.put((place, None, traceback.format_exc()))

    processes = [_fork.Process(target=body, args=(place,)) for place in range(count)]
    for process in processes:
        process.start()
    found = sorted((results.get() for _ in processes), key=lambda result: result[0])
    for process in processes:
        process.join()
    troubles = [trouble for _, _, trouble in found if trouble]
    assert not troubles, troubles[0]
    return [value for _, value, _ in found]


class Holder:
    """A process that did `act` and lives on, holding what it opened, until `kill`."""

    def __init__(self, act: Callable[[], object]) -> None:
        ready, done = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                kept = act()
                os.write(done, b"." if kept is not None else b"?")
                signal.pause()
            except BaseException:
                traceback.print_exc(file=sys.stderr)
            finally:
                os._exit(1)
        os.close(done)
        assert os.read(ready, 1) == b"."
        os.close(ready)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
