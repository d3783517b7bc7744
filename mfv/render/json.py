"""Values as JSON: one object a line, no prose around it."""

from __future__ import annotations

import msgspec

from mfv.render.text import harmless


def line(value: object) -> str:
    """`value` (dicts, lists, scalars) as one line of JSON; NaN and infinities become null."""
    return _visible(_encode(value).decode())


def document(value: object) -> str:
    """`value` as JSON that people can read."""
    return _visible(msgspec.json.format(_encode(value), indent=2).decode())


def _encode(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_as_text(value))


def _as_text(value: object) -> object:
    """`value` with each byte that was no text (of a file name, say) as `\\x..`."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace("\\udc", "\\x")
    if isinstance(value, dict):
        return {_as_text(name): _as_text(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_text(one) for one in value]
    return value


def _visible(text: str) -> str:
    """The same JSON with what a terminal would act on or hide as `\\u....`."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(char if char == "\n" or harmless(char) else _coded(char) for char in text)


def _coded(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
