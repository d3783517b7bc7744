"""Regular expressions that a query may use: those whose cost is bounded by the text's length."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

LONGEST_PATTERN = 1000  # characters
LONGEST_TEXT = 10_000  # characters of a value that are searched


def check_pattern(pattern: str) -> str | None:
    """What is wrong with a pattern; None if it can be used."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it has more than {LONGEST_PATTERN} characters"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    from re import _parser as parser  # type: ignore[attr-defined]

    if _explodes(parser.parse(pattern), False):
        return "a repetition within a repetition, or a back reference, can take for ever"
    return None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def is_in(pattern: str, text: str) -> bool:
    """Whether a checked pattern is found in the beginning of `text`."""
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
