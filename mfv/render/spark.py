"""A number over many runs, as a line of small bars."""

from __future__ import annotations

from collections.abc import Sequence

from mfv.render.text import cut, escape
from mfv.render.units import count, number

_BARS = "▁▂▃▄▅▆▇█"


def spark_text(name: str, points: Sequence[tuple[str, float]], *, width: int) -> str:
    """`points`: names of runs with their value, oldest first. The newest, where there are many."""
    if not points:
        return f"{escape(name)}: no run has a number under this name"
    room = max(8, width - 2)
    points = points[-room:]
    values = [value for _, value in points]
    low, high = min(points, key=_value), max(points, key=_value)
    scale = (high[1] - low[1]) or 1.0
    bars = "".join(_BARS[round((value - low[1]) / scale * (len(_BARS) - 1))] for value in values)
    ends = " … ".join(f"{number(value, 4)} ({escape(run)})" for run, value in (low, high))
    facts = f"{escape(name)}: {ends}, newest {number(values[-1], 4)}, {count(len(points), 'run')}"
    return f"{bars}\n{cut(facts, width)}"


def _value(point: tuple[str, float]) -> float:
    return point[1]
