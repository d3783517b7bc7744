"""Facts under a title, and names of files: what several pages have in common."""

from __future__ import annotations

from collections.abc import Iterable

from mfv.manifest.records import Opening
from mfv.render.text import cut, escape, pad


def facts_lines(facts: Iterable[tuple[str, str]], width: int) -> list[str]:
    """A line for each fact that there is: its name, and what is known of it."""
    # Colours take no columns, so a coloured value is not cut: those values are short.
    return [
        f"  {pad(name, 13)} {text if chr(27) in text else cut(text, max(20, width - 16))}"
        for name, text in facts
        if text
    ]


def origin_of(opening: Opening) -> str | None:
    """The run that this one goes on from."""
    number = opening.resumed_from
    return None if number is None else f"{opening.flow}/{number}"


def file_name(path: bytes) -> str:
    """A path out of a snapshot, safe to print."""
    return escape(path.decode("utf-8", "surrogateescape"))
