"""Values as JSON: one object a line, no prose around it."""

from __future__ import annotations

import msgspec


def line(value: object) -> str:
    """`value` (dicts, lists, scalars) as one line of JSON; NaN and infinities become null."""
    return msgspec.json.encode(value).decode()


def document(value: object) -> str:
    """`value` as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
