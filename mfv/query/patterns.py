"""Regular expressions that a query may use: none that takes for ever, and none for long.

What can be told of a pattern by itself is refused at once. Others take long on a text that was made
for it: they are given so much time and no more.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from functools import lru_cache
from types import FrameType
from typing import Any

from mfv.errors import UsageError

LONGEST_PATTERN = 1000  # characters
LONGEST_TEXT = 10_000  # characters of a value that are searched
_SECONDS = 2.0  # of computing that one value may take
_AT_ONCE = 300  # characters of a value that no pattern that passes takes long for


class TooSlowError(UsageError):
    """A pattern takes too long on a text."""

    code = "pattern"


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Ends what a pattern does after so many seconds of computing, with TooSlowError.

    In the main thread alone, for signals come there; what others ask goes on until it is done.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getitimer(signal.ITIMER_VIRTUAL)[0]:
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _end)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _end(number: int, frame: FrameType | None) -> None:
    raise TooSlowError(
        "the pattern takes too long on some text here",
        hint="let it repeat fewer things, or begin with what it must find",
    )


def check_pattern(pattern: str) -> str | None:
    """What is wrong with a pattern; None if it can be used."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it has more than {LONGEST_PATTERN} characters"
    from re import _parser as parser  # type: ignore[attr-defined]

    try:
        re.compile(pattern)
        explodes = _explodes(parser.parse(pattern), False)
    except RecursionError:
        return "its groups are too deep"
    except (re.error, OverflowError) as error:
        return str(error)
    if explodes:
        return "a repetition within a repetition, or a back reference, can take for ever"
    return None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def is_in(pattern: str, text: str) -> bool:
    """Whether a checked pattern is found in the beginning of `text`; TooSlowError."""
    if len(text) <= _AT_ONCE:
        return _compiled(pattern).search(text) is not None
    with within(_SECONDS):
        return _compiled(pattern).search(text[:LONGEST_TEXT]) is not None


def _explodes(parsed: Any, repeated: bool) -> bool:
    for operation, argument in parsed:
        name = str(operation)
        if name == "GROUPREF":
            return True
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, inner = argument
            many = int(most) > 1
            if (repeated and many) or _explodes(inner, repeated or many):
                return True
        elif any(_explodes(inner, repeated) for inner in _within(argument)):
            return True
    return False


def _within(argument: Any) -> list[Any]:
    """The parsed patterns that an operation holds."""
    from re import _parser as parser  # type: ignore[attr-defined]

    if isinstance(argument, parser.SubPattern):
        return [argument]
    if isinstance(argument, (list, tuple)):
        return [inner for one in argument for inner in _within(one)]
    return []
