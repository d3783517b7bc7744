"""The graph of a run on a terminal: a line for each step, and lanes that lead from one to another.

    o start   1 task   0.01s  ok
    |\
    o | left  1 task   0.02s  ok
    | o right 1 task   0.01s  ok
    |/
    o join    1 task   0.00s  ok
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from mfv.lineage.steps import Edge, RunGraph, Step
from mfv.render.graph import labels
from mfv.render.terminal import Paint
from mfv.render.text import columns, cut, escape, pad

_STYLES = {
    "o": ("green",),
    "=": ("cyan",),
    "x": ("red", "bold"),
    "@": ("cyan", "bold"),
    "!": ("yellow",),
}
_SMALLEST = 24  # columns that stay for the words; lanes beyond are left out


class _Row(NamedTuple):
    """Lanes, and the step that stands in one of them; None between two steps."""

    lanes: str
    step: Step | None = None
    rest: str = ""  # the lanes as they go on under it


def graph_text(graph: RunGraph, *, width: int, paint: Paint) -> str:
    """The run, then its steps in the order in which they can run."""
    rows = _rows(graph, (width - _SMALLEST) // 2)
    if rows is None:  # too many ways side by side: the steps alone
        rows = [_Row(labels.symbol(step), step, " ") for step in graph.steps]
    widest = max((len(row.lanes) for row in rows), default=0)
    leading: dict[str, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        leading[edge.source].append(edge)
    cells = {
        row.step.name: (
            escape(row.step.name),
            labels.tasks(row.step),
            pad(labels.took(row.step), 6, right=True),
            labels.state(row.step),
        )
        for row in rows
        if row.step is not None
    }
    widths = [max(columns(cell[i]) for cell in cells.values()) for i in range(4)] if cells else []
    # Where names are long or lanes many, what became of a step stands under its name.
    tight = widest + 1 + sum(widths) + 2 * len(widths) > width
    notes = {name: labels.notes(step, leading[name]) for name, step in _named(graph).items()}
    room = width - widest - 1 - sum(widths) - 2 * len(widths)
    lines = [paint(cut(labels.title(graph), width), "bold")]
    for row in rows:
        if row.step is None:
            lines.append(paint(row.lanes, "dim"))
            continue
        name = row.step.name
        name_text, *facts = cells[name]
        columned = [pad(cell, w) for cell, w in zip(cells[name], widths, strict=True)]
        text = name_text if tight else "  ".join(columned)
        note = "  ".join(notes[name])
        beside = not tight and columns(note) <= room
        if note and beside:
            text += f"  {note}"
        text = cut(text.rstrip(), width - widest - 1)
        lines.append(f"{_painted(row, paint)}{' ' * (widest - len(row.lanes) + 1)}{text}")
        under = ["  ".join(cell.strip() for cell in facts if cell.strip())] if tight else []
        under += [note] if note and not beside else []
        under += [f"reads {labels.source(one)}" for one in row.step.sources]
        under += [text for text in (labels.failure(row.step),) if text]
        for text in under:
            start = pad(row.rest, widest + 3)
            lines.append(f"{paint(start, 'dim')}{cut(text, width - widest - 3)}")
    return "\n".join(line.rstrip() for line in lines)


def _named(graph: RunGraph) -> dict[str, Step]:
    return {step.name: step for step in graph.steps}


def _painted(row: _Row, paint: Paint) -> str:
    assert row.step is not None
    symbol = labels.symbol(row.step)
    styles = _STYLES.get(symbol, ())
    at = next(i for i, char in enumerate(row.lanes) if char not in "| ")
    before, after = row.lanes[:at], row.lanes[at + 1 :]
    return f"{paint(before, 'dim')}{paint(symbol, *styles)}{paint(after, 'dim')}"


def _rows(graph: RunGraph, most: int) -> list[_Row] | None:
    """The lines from top to bottom; None if they need more than `most` lanes."""
    following: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        if not edge.is_back:
            following[edge.source].append(edge.target)
    rows: list[_Row] = []
    lanes: list[str] = []  # the step that each waits for
    for step in graph.steps:
        if len(lanes) + len(following[step.name]) > most:
            return None
        if step.name not in lanes:
            lanes.append(step.name)
        at = lanes.index(step.name)
        while lanes.count(step.name) > 1:
            last = len(lanes) - 1 - lanes[::-1].index(step.name)
            rows.append(_Row(_merging(at, last, len(lanes))))
            del lanes[last]
        marks = ["|"] * len(lanes)
        marks[at] = labels.symbol(step)
        targets = following[step.name]
        rest = ["|"] * len(lanes)
        rest[at] = "|" if targets else " "
        rows.append(_Row(" ".join(marks), step, " ".join(rest).rstrip()))
        if not targets:
            if len(lanes) > at + 1:
                rows.append(_Row(_closing(at, len(lanes))))
            del lanes[at]
            continue
        lanes[at] = targets[0]
        for target in reversed(targets[1:]):
            rows.append(_Row(_splitting(at, len(lanes))))
            lanes.insert(at + 1, target)
    return rows


def _splitting(at: int, count: int) -> str:
    """A new lane comes out of lane `at`; those to its right make room."""
    line = [" "] * (2 * count + 1)
    for lane in range(count):
        line[2 * lane if lane <= at else 2 * lane + 1] = "|" if lane <= at else "\\"
    line[2 * at + 1] = "\\"
    return "".join(line).rstrip()


def _merging(at: int, last: int, count: int) -> str:
    """Lane `last` goes into lane `at`; those to its right close up."""
    line = [" "] * (2 * count)
    for lane in range(count):
        if lane < last:
            line[2 * lane] = "|"
        else:
            line[2 * lane - 1] = "/"
    for gap in range(at, last - 1):
        line[2 * gap + 1] = "_"
    return "".join(line).rstrip()


def _closing(at: int, count: int) -> str:
    """Lane `at` ends; those to its right close up."""
    line = [" "] * (2 * count)
    for lane in range(count):
        if lane < at:
            line[2 * lane] = "|"
        elif lane > at:
            line[2 * lane - 1] = "/"
    return "".join(line).rstrip()
