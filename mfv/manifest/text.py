"""Text as a record can hold it."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` as it can be written to a record: undecodable bytes of the system become \\x.."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
