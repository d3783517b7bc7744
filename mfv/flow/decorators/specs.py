"""Decorators as one types them: `retry:times=2,minutes_between_retries=0`."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from mfv.errors import UsageError

# A comma inside a value is none between attributes.
_BETWEEN = re.compile(r",(?=[\s\w]+=)")


class Spec(NamedTuple):
    """A decorator as typed."""

    name: str
    positional: list[Any]  # written as 0=…,1=…; user decorators may take them
    attributes: dict[str, Any]


def parse_spec(text: str) -> Spec:
    """Reads `NAME` or `NAME:ATTRIBUTE=VALUE,…`; a value is JSON, or else text as it stands.

    Raises UsageError for what is neither.
    """
    name, _, rest = text.strip().partition(":")
    if not name:
        raise UsageError(
            f"{text!r} names no decorator", hint="write for instance --with retry:times=2"
        )
    positional: list[Any] = []
    attributes: dict[str, Any] = {}
    for part in _BETWEEN.split(rest) if rest else ():
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(
                f"{part!r} in {text!r} is no attribute with a value",
                hint=f"write {name}:attribute=value,other=value",
            )
        key = key.strip()
        if key.isdecimal():
            positional.extend([None] * (int(key[:3]) + 1 - len(positional)))
            positional[int(key[:3])] = _value(value)
        else:
            attributes[key] = _value(value)
    return Spec(name, positional, attributes)


def _value(text: str) -> Any:
    text = text.strip()
    for read in (lambda: json.loads(text.replace('\\"', '"')), lambda: int(text)):
        try:
            return read()
        except ValueError:
            continue
    try:
        return float(text)
    except ValueError:
        return text
