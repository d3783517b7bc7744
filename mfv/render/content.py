"""What differs inside an artifact, in lines and as JSON."""

from __future__ import annotations

import math
from typing import Any

from mfv.diff.content import ContentDiff, Measure, PartChange, TableDiff
from mfv.render.terminal import Paint
from mfv.render.text import columns, cut, escape, pad
from mfv.render.units import count, number

_CELLS = 6


def content_lines(
    diff: ContentDiff, *, width: int, paint: Paint, stat: bool = False, most: int = 40
) -> list[str]:
    """A few lines, to be indented under the artifact's own: at most so many parts and lines."""
    lines: list[str] = []
    if diff.parts:
        told = f"{count(len(diff.parts), 'part')} differ" + ("s" if len(diff.parts) == 1 else "")
        lines.append(told + (f", {diff.same} the same" if diff.same else ""))
    if stat:
        return [cut(line, width) for line in [*lines, *map(_rows, diff.tables)]]
    shown = diff.parts[:most]
    room = min(max((columns(_path(one)) for one in shown), default=0), max(16, width // 3))
    for one in shown:
        lines.append(f"  {pad(cut(_path(one), room), room)}  {_part(one)}")
    if len(diff.parts) > most:
        lines.append(f"  and {len(diff.parts) - most} more")
    for table in diff.tables:
        lines += _table(table)
    lines = [cut(line, width) for line in lines]
    for line in diff.hunks[:most]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        text = cut(escape(line, keep="\t"), width)
        lines.append(paint(text, style) if style else text)
    if len(diff.hunks) > most:
        lines.append(f"and {len(diff.hunks) - most} more lines")
    if diff.unknown:
        lines.append(cut(f"not compared further: {escape(diff.unknown)}", width))
    return lines


def content_json(diff: ContentDiff | None) -> dict[str, Any] | None:
    """The same for `--json`; infinite and unknown distances are null."""
    if diff is None:
        return None
    return {
        "same": diff.same,
        "unknown": diff.unknown or None,
        "parts": [
            {
                "path": one.path,
                "before": one.before,
                "after": one.after,
                "measure": None if one.measure is None else _measure_json(one.measure),
            }
            for one in diff.parts
        ],
        "tables": [_table_json(table) for table in diff.tables],
        "text": [line.encode("utf-8", "backslashreplace").decode() for line in diff.hunks],
    }


def _path(part: PartChange) -> str:
    return escape(part.path) or "(value)"


def _part(part: PartChange) -> str:
    if part.before is None:
        return f"only after: {escape(part.after or '')}"
    if part.after is None:
        return f"only before: {escape(part.before)}"
    if part.before == part.after:
        text = escape(part.before)
    else:
        text = f"{escape(part.before)} -> {escape(part.after)}"
    return text if part.measure is None else f"{text}  {_measured(part.measure)}"


def _measured(found: Measure) -> str:
    share = "all differ" if found.changed == found.total else f"{found.changed} differ"
    if math.isnan(found.largest):
        return share
    # What matters least comes last, where a narrow terminal cuts.
    text = f"max|d| {number(found.largest, 3)}, {share}, mean {number(found.mean, 3)}"
    return text if found.cosine is None else f"{text}, cos {found.cosine:.5f}"


def _rows(table: TableDiff) -> str:
    facts = [f"{count(table.rows_before, 'row')} -> {table.rows_after}"]
    if table.rows_before == table.rows_after:
        facts = [count(table.rows_after, "row")]
    for word, rows in (
        ("added", table.added),
        ("removed", table.removed),
        ("changed", table.changed),
    ):
        if rows:
            facts.append(f"{rows} {word}")
    by = f" (matched by {escape(table.key)})" if table.key else ""
    path = f"{escape(table.path)}: " if table.path else ""
    return f"{path}{', '.join(facts)}{by}"


def _table(table: TableDiff) -> list[str]:
    lines = [_rows(table)]
    for word, names in (("added", table.columns_added), ("removed", table.columns_removed)):
        if names:
            lines.append(f"  columns {word}: {', '.join(map(escape, names))}")
    for name, rows in table.columns:
        what = "differs" if rows < 0 else f"differs in {count(rows, 'row')}"
        cells = [cell for cell in table.cells if cell.column == name][:_CELLS]
        key = escape(table.key) or "row"
        shown = [
            f"{escape(cell.before)} -> {escape(cell.after)} at {key}={escape(cell.row)}"
            for cell in cells[:2]
        ]
        lines.append(f"  {escape(name)}  {what}" + (f": {', '.join(shown)}" if shown else ""))
    return lines


def _measure_json(found: Measure) -> dict[str, Any]:
    return {
        "changed": found.changed,
        "total": found.total,
        "largest": _finite(found.largest),
        "mean": _finite(found.mean),
        "cosine": found.cosine,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _table_json(table: TableDiff) -> dict[str, Any]:
    return {
        "path": table.path,
        "rows": [table.rows_before, table.rows_after],
        "key": table.key or None,
        "added": table.added,
        "removed": table.removed,
        "changed": table.changed,
        "columns": [
            {"name": name, "rows": None if rows < 0 else rows} for name, rows in table.columns
        ],
        "columns_added": list(table.columns_added),
        "columns_removed": list(table.columns_removed),
        "cells": [
            {"row": cell.row, "column": cell.column, "before": cell.before, "after": cell.after}
            for cell in table.cells
        ],
    }
