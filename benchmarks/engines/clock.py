"""Times one part of a process: what happens before (imports, making the object) is not counted.

    clock.py is imported by the programs beside it, which run as

        python PROGRAM ACTION PLACE SOURCE NUMBER REPORT [WORD...]

and must run in any peer's Python: nothing but the standard library is imported here.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

CORES = "BENCH_CORES"  # to how many cores the timed part is limited; all where it is not set


class Job(NamedTuple):
    """What a program is asked to do."""

    action: str  # "store" or "restore"
    place: Path  # the engine's own folder
    source: Path  # the version as a file, or as a folder
    number: int  # of the version
    report: Path
    words: tuple[str, ...]  # further ones, the program's own


def job() -> Job:
    """The command line."""
    action, place, source, number, report, *words = sys.argv[1:]
    return Job(action, Path(place), Path(source), int(number), Path(report), tuple(words))


def original(source: Path) -> object:
    """The object whose pickle `source` is.

    Called before anything is restored as well, so that the modules of its classes are imported by
    then, which is no engine's cost.
    """
    with source.open("rb") as file:
        return pickle.load(file)


@contextmanager
def measured(report: Path) -> Iterator[None]:
    """Writes the wall and CPU seconds of the block, and the peak of memory, to `report`.

    The peak is the process's own while the block runs, with what it held before. Where the system
    cannot forget an earlier peak, that one is told.
    """
    limit_cores()
    forget_peak()
    cpu, wall = _cpu(), time.perf_counter()
    yield
    found = {"wall": time.perf_counter() - wall, "cpu": _cpu() - cpu, "peak": peak()}
    report.write_text(json.dumps(found), encoding="ascii")


def limit_cores() -> None:
    """Keeps this process to as many of its cores as the variable CORES says."""
    if os.environ.get(CORES):
        allowed = sorted(os.sched_getaffinity(0))[: int(os.environ[CORES])]
        os.sched_setaffinity(0, allowed)


def forget_peak() -> None:
    """Makes the peak of memory what is held now, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> int:
    """Bytes: the most that this process held since the peak was forgotten."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _cpu() -> float:
    """Seconds of this process with its threads, and of its children that ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system
