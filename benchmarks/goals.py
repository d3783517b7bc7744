"""What is asked of mfv, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from report import format_value, markdown
from series import ENOUGH, Record, Series, ratios


class Goal(NamedTuple):
    """One thing asked."""

    asked: str
    measured: str
    met: bool | None  # None where it could not be measured


def at_most(asked: str, value: float, limit: float, unit: str = "bytes") -> Goal:
    """A value held against a limit."""
    return Goal(asked, format_value(value, unit), value <= limit)


def times(
    asked: str, series: Series, peer: str, action: str, metric: str, *, at_least: float
) -> Goal:
    """By how many times a peer needs more than the baseline: the median over all pairs."""
    record = series.of(peer)
    if record is None:
        return Goal(asked, f"{peer} did not take part", None)
    found = ratios(record, series.baseline, action, metric)
    return of_pairs(asked, found, at_least=at_least, otherwise=_reason(record))


def of_pairs(
    asked: str,
    found: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    otherwise: str = "",
) -> Goal:
    """The median of paired ratios held against a bound; too few pairs are no answer."""
    if len(found) < ENOUGH:
        return Goal(asked, otherwise or f"only {len(found)} pairs", None)
    value = median(found)
    met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    return Goal(asked, f"{value:.2f}× of {len(found)} pairs", met)


def table(goals: Sequence[Goal]) -> str:
    """The goals as Markdown."""
    words = {True: "met", False: "**not met**", None: "not measured"}
    return markdown(
        [
            ["asked", "measured", ""],
            *([goal.asked, goal.measured, words[goal.met]] for goal in goals),
        ]
    )


def _reason(record: Record) -> str:
    return f"{record.name}: {record.ended}" if record.ended else ""
