"""Who is at work: the one place that decides."""

from __future__ import annotations

import os

from mfv.capture.text import printable

_VARIABLES = ("MFV_USER", "METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")


def user_name() -> str:
    """By the first variable that is set, `unknown` without any; always printable."""
    names = (os.environ[name] for name in _VARIABLES if os.environ.get(name))
    return printable(next(names, "unknown"))


def user_at_host() -> str:
    """Who writes, as a log entry names it."""
    return f"{user_name()}@{printable(os.uname().nodename)}"
