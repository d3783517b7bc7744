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


def settings_file() -> str:
    """The file with this person's own settings; it need not be there."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "mfv", "config.toml")


def trust_variable() -> str | None:
    """MFV_TRUST: `none`, `*`, or folders of repositories; None where it is not set, or empty."""
    return os.environ.get("MFV_TRUST") or None


def sign_variable() -> str:
    """MFV_SIGN_KEY: the file with the key to sign with; empty where it is not set."""
    return os.environ.get("MFV_SIGN_KEY", "")


def sudo_uid() -> int | None:
    """For whom root works, where it was started by sudo."""
    said = os.environ.get("SUDO_UID", "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 11 else None
