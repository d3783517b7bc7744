"""Asking git: quietly, without locks or prompts, and never for longer than a given time.

Knows how to run git, not what any answer means.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess

# A script started from a git hook inherits these, and they would speak of another repository.
_OTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


class Answer(NamedTuple):
    """What one git command wrote."""

    ok: bool  # it ended by itself with status 0, or was stopped because `most` was reached
    data: bytes
    cut: bool  # there was more than `most` entries


def ask(
    folder: str, *commands: Sequence[str], seconds: float, most: int | None = None
) -> list[Answer] | None:
    """The answers to `commands`, run side by side in `folder`; None without a git binary.

    A command still running after `seconds` is ended and answers not `ok`. With `most`, a command
    is ended once it wrote more than that many NUL-ended entries.
    """
    import subprocess
    import threading

    environment = {key: value for key, value in os.environ.items() if key not in _OTHER_REPOSITORY}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    started: list[subprocess.Popen[bytes]] = []

    def end_all() -> None:
        for process in started:
            _end(process)

    watchdog = threading.Timer(seconds, end_all)
    watchdog.daemon = True
    try:
        for command in commands:
            started.append(
                subprocess.Popen(
                    # A file monitor would be a daemon started behind the user's back.
                    ["git", "-c", "core.fsmonitor=false", "-C", folder, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    process_group=0,  # so that git's own children end with it
                )
            )
        watchdog.start()
        return [_collect(process, most) for process in started]
    except OSError:
        return None
    finally:
        watchdog.cancel()
        for process in started:
            if process.poll() is None:
                _end(process)
                process.wait()
            if process.stdout:
                process.stdout.close()


def _collect(process: subprocess.Popen[bytes], most: int | None) -> Answer:
    assert process.stdout is not None
    parts: list[bytes] = []
    entries = 0
    while part := os.read(process.stdout.fileno(), 1 << 16):
        parts.append(part)
        entries += part.count(b"\0")
        if most is not None and entries > most:
            return Answer(True, b"".join(parts), True)
    return Answer(process.wait() == 0, b"".join(parts), False)


def _end(process: subprocess.Popen[bytes]) -> None:
    import contextlib
    import signal

    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
