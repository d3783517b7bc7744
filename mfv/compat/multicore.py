"""`parallel_map`: a function over many items, each in a forked process of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from mfv.errors import MfvError

A = TypeVar("A")
R = TypeVar("R")


def parallel_imap_unordered(
    func: Callable[[A], R],
    iterable: Iterable[A],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> Iterator[R]:
    """The results of `func` as they come; `func` may be a closure, its results are pickled.

    At most `max_parallel` processes at a time, by default one for each core. `dir` is taken for
    Metaflow's sake: nothing is written. Raises MfvError, with what the child said, if one fails.
    """
    for _, result in _results(func, iterable, max_parallel):
        yield result


def parallel_map(
    func: Callable[[A], R],
    iterable: Iterable[A],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> list[R]:
    """The same in the order of the items."""
    found = dict(_results(func, iterable, max_parallel))
    return [found[place] for place in range(len(found))]


def _results(
    func: Callable[[A], R], iterable: Iterable[A], max_parallel: int | None
) -> Iterator[tuple[int, R]]:
    context = multiprocessing.get_context("fork")  # a closure cannot be sent, only inherited
    most = max_parallel or len(os.sched_getaffinity(0))
    waiting = enumerate(iterable)
    running: dict[Connection, tuple[int, multiprocessing.process.BaseProcess]] = {}
    try:
        while True:
            while len(running) < most and (item := next(waiting, None)) is not None:
                ours, theirs = context.Pipe(duplex=False)
                sys.stdout.flush()
                sys.stderr.flush()
                process = context.Process(target=_child, args=(func, item[1], theirs))
                process.start()
                theirs.close()
                running[ours] = (item[0], process)
            if not running:
                return
            for line in wait(list(running)):
                assert isinstance(line, Connection)
                place, ended = running.pop(line)
                result: R = _answer(line, ended)
                yield place, result
    finally:
        for line, (_, left) in running.items():
            left.terminate()
            left.join()
            line.close()


def _child(func: Callable[[A], R], item: A, line: Connection) -> None:
    try:
        line.send((True, func(item)))
    except BaseException:
        line.send((False, traceback.format_exc()))
    sys.stdout.flush()
    sys.stderr.flush()


def _answer(line: Connection, process: multiprocessing.process.BaseProcess) -> R:  # type: ignore[type-var]
    try:
        succeeded, result = line.recv()
    except EOFError:
        succeeded, result = False, None
    line.close()
    process.join()
    if not succeeded:
        said = result or f"it ended with exit code {process.exitcode}"
        raise MfvError(
            f"a process of parallel_map failed: {said}",
            hint="mend what it does; the other processes were stopped",
        )
    return result  # type: ignore[no-any-return]
