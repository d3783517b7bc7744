"""Since when things are what they are."""

from __future__ import annotations

from typing import NamedTuple


class Since(NamedTuple):
    """The run in which one thing last became what it is now."""

    name: str
    run: str
    started: int  # of the run, µs since 1970
    value: str  # in short; of a line its text
    before: str | None = None  # what it was before; None: it was not there


class Tested(NamedTuple):
    """What a bisection found of one run."""

    run: str
    verdict: str  # good, bad, skipped


class Culprit(NamedTuple):
    """What a bisection came to."""

    good: str  # the last good run before it
    bad: str | None  # the first bad one; None: it is among those that were skipped
    among: tuple[str, ...]  # the runs that may be the first bad one
    tested: tuple[Tested, ...]
