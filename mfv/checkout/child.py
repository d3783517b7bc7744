"""Programs that are run for a clone, each with all its own processes, and ended with us."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

_PATIENCE = 10.0  # seconds for a run to end by itself once it was asked to
_PR_SET_PDEATHSIG = 1


def run_child(
    words: Sequence[str],
    folder: str | os.PathLike[str],
    environ: Mapping[str, str],
    output: IO[bytes] | int,
    held: Sequence[int] = (),
) -> int:
    """Runs `words` in `folder` to the end; its exit status, negative for a signal.

    stdout and stderr go to `output`; the fds `held` stay open in it. It is a session of its own,
    so that a Ctrl-C comes to us alone: whatever is raised here, the child is interrupted first,
    waited for, and killed if that takes too long. Where the system can do it (Linux), the child
    is told too when we are killed ourselves. OSError where it cannot be started.
    """
    parent = os.getpid()
    library = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_parent() -> None:
        if library is not None:
            library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)

    process = subprocess.Popen(
        words,
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=tuple(held),
        preexec_fn=die_with_parent,
    )
    try:
        return process.wait()
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks twice, as a person would with Ctrl-C; then kills the group."""
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        # A second Ctrl-C of the person does not get us out of here without the child.
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(_PATIENCE)
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
