"""What commands have in common that run a run again."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mfv.errors import UsageError
from mfv.render.text import escape

if TYPE_CHECKING:
    from mfv.diff.rerun import Verdict
    from mfv.repo.view import RunView
    from mfv.verify.verifying import Wish


def wish_of(environment: bool, relative: float, absolute: float, load: bool, trust: bool) -> Wish:
    """The options as typed; UsageError for a tolerance that makes no sense."""
    from mfv.verify.likeness import Tolerance
    from mfv.verify.verifying import Wish

    for flag, value in (("--rtol", relative), ("--atol", absolute)):
        if not 0 <= value < math.inf:
            raise UsageError(f"{flag} must be 0 or more", hint=f"for instance {flag} 1e-6")
    return Wish(environment, Tolerance(relative, absolute), load, trust)


def with_secrets(view: RunView) -> dict[str, str]:
    """The variables of this process, and with them each secret of the run: asked for if need be.

    Only on a terminal; what lacks elsewhere is an error later. Nothing that is typed is shown.
    """
    from mfv.verify.again import secrets_missing

    environ = dict(os.environ)
    missing = secrets_missing(view.opening, environ)
    if not missing or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return environ
    from getpass import getpass

    from mfv.verify.again import give_secret

    print(f"{escape(view.name)} was given secrets, which are not recorded", file=sys.stderr)
    for name in missing:
        kind, space, config = name.partition(" ")
        asked = f"path of the file for the config {config}" if space else kind
        text = input(f"{escape(asked)}: ") if space else getpass(f"{escape(asked)}: ")
        environ = give_secret(name, text, environ)
    return environ


def print_verdict(verdict: Verdict, *, json: bool) -> None:
    """The verdict on stdout."""
    if json:
        from mfv.render.json import document
        from mfv.render.verdict import verdict_json

        print(document(verdict_json(verdict)))
        return
    from mfv.render.terminal import Paint, coloured, width
    from mfv.render.verdict import verdict_text

    print(verdict_text(verdict, width=width(), paint=Paint(coloured(sys.stdout))))


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """While entered, SIGTERM and SIGHUP do what Ctrl-C does: what was begun is cleaned up."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
