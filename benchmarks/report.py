"""Comparisons as Markdown tables or JSON, under a line that says on which machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from harness import Comparison
from machine import machine_line


class Metric(NamedTuple):
    """How one measured value is headed and written."""

    heading: str
    unit: str  # "s", "bytes" or "" for a count


METRICS: Mapping[str, Metric] = {
    "wall": Metric("wall", "s"),
    "cpu": Metric("CPU", "s"),
    "peak": Metric("peak memory", "bytes"),
    "files": Metric("files left", ""),
    "stored": Metric("bytes left", "bytes"),
}


def as_markdown(comparisons: Sequence[Comparison], versions: Mapping[str, str]) -> str:
    """One table a comparison: medians, and the ratio to the first row (lowest to highest)."""
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = [f"Machine: {machine_line()}; {named}."]
    parts += [table(comparison) for comparison in comparisons]
    return "\n\n".join(parts)


def as_json(comparisons: Sequence[Comparison], versions: Mapping[str, str]) -> str:
    """Every sample, and per contender the medians and the ratios of each round."""
    return json.dumps(
        {
            "machine": machine_line(),
            "versions": dict(versions),
            "comparisons": [plain(comparison) for comparison in comparisons],
        },
        indent=2,
    )


def format_value(value: float, unit: str) -> str:
    """A value with three figures and a unit that fits: `87.1 ms`, `1.24 s`, `3.10 MB`, `38`."""
    if unit == "s":
        if value < 0.001:
            return f"{value * 1e6:.0f} µs"
        return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "bytes":
        for name, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
            if value >= size:
                return f"{_figures(value / size)} {name}"
        return f"{value:.0f} B"
    return f"{value:g}"


def cell(value: float, unit: str, ratios: Sequence[float] = ()) -> str:
    """A value, and the median of its ratios to the baseline with the lowest and the highest."""
    told = format_value(value, unit)
    if not ratios:
        return told
    middle, low, high = map(_figures, (median(ratios), min(ratios), max(ratios)))
    return f"{told} · {middle}×" if low == high else f"{told} · {middle}× ({low}–{high})"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table: the first row is its head, the first column is left-aligned, the others right."""
    head, *body = rows
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _metrics(comparison: Comparison) -> list[str]:
    # Of the first sample: all contenders of one comparison are measured alike.
    return list(comparison.samples[comparison.baseline][0])


def table(comparison: Comparison) -> str:
    """One row a contender; where one has fewer rounds than the baseline, its row says so."""
    metrics = _metrics(comparison)
    rounds = len(comparison.samples[comparison.baseline])
    title = f"{comparison.title} ({rounds} round{'s' if rounds > 1 else ''})"
    rows = [[title, *(METRICS[metric].heading for metric in metrics)]]
    for name in comparison.samples:
        label = f"{name} (= 1)" if name == comparison.baseline else name
        if len(comparison.samples[name]) < rounds:
            label += f", {len(comparison.samples[name])} of {rounds} rounds"
        rows.append([label, *(_cell(comparison, name, metric) for metric in metrics)])
    return markdown(rows)


def _cell(comparison: Comparison, name: str, metric: str) -> str:
    ratios = [] if name == comparison.baseline else comparison.ratios(name, metric)
    return cell(comparison.median(name, metric), METRICS[metric].unit, ratios)


def _figures(number: float) -> str:
    """Three figures, and never as a power of ten where the number is large."""
    return f"{number:.3g}" if number < 99.5 else f"{number:.0f}"


def plain(comparison: Comparison) -> dict[str, object]:
    """A comparison as plain values, for JSON."""
    metrics = _metrics(comparison)
    return {
        "title": comparison.title,
        "baseline": comparison.baseline,
        "contenders": {
            name: {
                "samples": [dict(sample) for sample in samples],
                "medians": {metric: comparison.median(name, metric) for metric in metrics},
                "ratios": {metric: comparison.ratios(name, metric) for metric in metrics},
            }
            for name, samples in comparison.samples.items()
        },
    }
