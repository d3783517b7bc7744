"""What is signed, and whether rightly, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from mfv.render.terminal import Paint
from mfv.render.text import escape, table
from mfv.render.units import date

_COLOURS = {"good": "green", "bad": "red", "unknown key": "yellow", "unsigned": "yellow"}


class Checked(Protocol):
    """A signature that was looked at, or the lack of one."""

    @property
    def run(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def time(self) -> int: ...
    @property
    def why(self) -> str: ...


def signatures_text(found: Sequence[Checked], *, width: int, paint: Paint) -> str:
    """A line for each, and below it what is wrong, never cut."""
    rows = [(escape(one.target), one.status, _who(one)) for one in found]
    lines = []
    for line, one in zip(table(rows, width=width, shrink=0), found, strict=True):
        lines.append(line.rstrip().replace(one.status, paint(one.status, _COLOURS[one.status]), 1))
        if one.why:
            lines.append(f"  {escape(one.why)}")
    return "\n".join(lines)


def signatures_json(found: Iterable[Checked]) -> list[dict[str, Any]]:
    """Each for `--json`."""
    return [
        {
            "run": one.run,
            "tag": one.tag or None,
            "status": one.status,
            "by": one.label or None,
            "key": one.key or None,
            "time": one.time or None,
            "why": one.why or None,
        }
        for one in found
    ]


def signed_text(found: Iterable[Checked]) -> str:
    """All of a run in a line of `mfv show`."""
    return ", ".join(map(_signed, found))


def _signed(one: Checked) -> str:
    what = f"{escape(one.tag)} " if one.tag else ""
    if one.status == "good":
        return f"{what}by {escape(one.label)}, {date(one.time)}"
    if one.status == "bad":
        return f"{what}BAD, and `mfv verify --signatures` tells why"
    said = "not checked" if one.status == "unchecked" else "unknown key"
    return f"{what}{said} {one.key}"


def _who(one: Checked) -> str:
    return escape(one.label) or one.key
