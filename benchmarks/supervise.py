"""Runs one command and writes down what its whole process tree cost.

    python -I -S supervise.py REPORT COMMAND...

A process of its own, and as small as can be: the kernel counts the memory that a parent held at
the moment of the fork into the peak of its child, so that a large parent would hide a small
child's. REPORT gets one line: exit status, wall seconds, CPU seconds, peak bytes.

The time ends when the command does. Processes that it left behind are waited for as well, since
their CPU time is part of the price; only those whose parent reaped nothing (SIGCHLD ignored)
escape the count. The peak is that of the largest process in the tree, not their sum.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36  # Linux: orphans become our children, and so do their costs
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one unit of ru_maxrss


def supervise(command: list[str]) -> tuple[int, float, float, int]:
    """Run `command` to its end: exit status (negative for a signal), wall s, CPU s, peak bytes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.perf_counter()
    main = os.posix_spawnp(command[0], command, os.environ)
    status, wall, cpu, peak = 0, 0.0, 0.0, 0
    while True:
        try:
            pid, wait_status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return status, wall, cpu, peak
        if pid == main:
            wall = time.perf_counter() - began
            status = os.waitstatus_to_exitcode(wait_status)
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss * _PEAK_UNIT)


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="ascii") as report:
        report.write(" ".join(str(number) for number in supervise(sys.argv[2:])))
