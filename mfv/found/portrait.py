"""What one artifact holds, on about one screen."""

from __future__ import annotations

from typing import NamedTuple


class Branch(NamedTuple):
    """One part of a nested value, as a line of a tree."""

    depth: int
    name: str
    what: str  # `float32[64, 10]`, `0.1`, `dict of 3`


class Numbers(NamedTuple):
    """An array in figures; NaN is counted and left out of the rest."""

    total: int
    missing: int
    low: float
    high: float
    mean: float
    deviation: float
    bars: tuple[int, ...]  # how many lie in each of equal parts of the range from low to high


class ColumnFacts(NamedTuple):
    """One column of a table."""

    name: str
    kind: str
    missing: int
    low: str  # of numbers, dates and texts; empty where there is no order
    high: str
    different: int  # values; -1: not counted


class Portrait(NamedTuple):
    """What is told; parts that do not fit the artifact are empty."""

    branches: tuple[Branch, ...] = ()
    left: int = 0  # parts that are not told
    numbers: Numbers | None = None
    columns: tuple[ColumnFacts, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()  # the first of a table, a text for each column
    unknown: str = ""  # why not more, and what to do about it
