"""What one artifact holds: trees, figures, columns and rows, and pictures where a terminal can."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

from mfv.found.portrait import ColumnFacts, Numbers, Portrait
from mfv.render.terminal import Paint
from mfv.render.text import columns, cut, escape, pad, table
from mfv.render.units import number

_BARS = " ▁▂▃▄▅▆▇█"
_WIDEST = 18  # columns of one cell
_PIECE = 4096  # bytes of base64 that kitty takes at a time


def portrait_lines(found: Portrait, *, width: int, paint: Paint) -> list[str]:
    """Blocks of lines, one blank line before each."""
    lines: list[str] = []
    if found.numbers is not None:
        lines += ["", *_numbers(found.numbers, width)]
    if found.branches:
        lines += ["", paint("parts", "bold")]
        names = [f"{'  ' * (one.depth + 1)}{escape(one.name)}" for one in found.branches]
        wide = min(max(map(columns, names)), max(20, width // 2))
        for name, one in zip(names, found.branches, strict=True):
            lines.append(cut(f"{pad(cut(name, wide), wide)}  {escape(one.what)}", width))
        if found.left:
            lines.append(f"  and {found.left} more")
    if found.columns:
        lines += ["", paint("columns", "bold")]
        rows = [("", "type", "missing", "different", "from", "to"), *map(_column, found.columns)]
        lines += [f"  {line}" for line in table(rows, width=width - 2, right=frozenset({2, 3}))]
    if found.rows:
        lines += ["", paint("first rows", "bold")]
        head = [cut(escape(one.name), _WIDEST) for one in found.columns]
        cells = [[cut(escape(cell), _WIDEST) for cell in row] for row in found.rows]
        lines += [f"  {line}" for line in table([head, *cells], width=width - 2)]
    if found.unknown:
        lines += ["", paint(cut(escape(found.unknown), width), "dim")]
    return lines


def portrait_json(found: Portrait | None) -> dict[str, Any] | None:
    """The same for `--json`; figures that are not finite are null."""
    if found is None:
        return None
    figures = found.numbers
    return {
        "parts": [
            {"depth": one.depth, "name": one.name, "what": one.what} for one in found.branches
        ],
        "more_parts": found.left,
        "numbers": None
        if figures is None
        else {
            "count": figures.total,
            "missing": figures.missing,
            "low": _finite(figures.low),
            "high": _finite(figures.high),
            "mean": _finite(figures.mean),
            "deviation": _finite(figures.deviation),
            "histogram": list(figures.bars),
        },
        "columns": [
            {
                "name": one.name,
                "type": one.kind,
                "missing": one.missing,
                "different": None if one.different < 0 else one.different,
                "low": one.low or None,
                "high": one.high or None,
            }
            for one in found.columns
        ],
        "rows": [list(row) for row in found.rows],
        "unknown": found.unknown or None,
    }


def inline_picture(data: bytes, environ: Mapping[str, str]) -> str | None:
    """The escape codes by which this terminal shows a picture; None where it is not known to."""
    text = base64.standard_b64encode(data).decode()
    if "KITTY_WINDOW_ID" in environ or environ.get("TERM") == "xterm-kitty":
        if data[:4] != b"\x89PNG":
            return None
        pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
        codes = []
        for place, piece in enumerate(pieces):
            more = int(place < len(pieces) - 1)
            keys = f"a=T,f=100,m={more}" if place == 0 else f"m={more}"
            codes.append(f"\x1b_G{keys};{piece}\x1b\\")
        return "".join(codes)
    if environ.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm"):
        return f"\x1b]1337;File=inline=1;size={len(data)}:{text}\x07"
    return None


def _numbers(found: Numbers, width: int) -> list[str]:
    if math.isnan(found.low):
        return [f"{found.total} numbers, all missing"]
    facts = [
        f"from {number(found.low)} to {number(found.high)}",
        f"mean {number(found.mean)}",
        f"deviation {number(found.deviation)}",
    ]
    if found.missing:
        facts.append(f"{found.missing} missing")
    lines = [cut(", ".join(facts), width)]
    if found.bars:
        most = max(found.bars)
        bars = "".join(_BARS[-(-one * (len(_BARS) - 1) // most)] for one in found.bars)
        lines.append(f"{number(found.low, 3)} {bars} {number(found.high, 3)}")
    return lines


def _column(one: ColumnFacts) -> tuple[str, ...]:
    return (
        cut(escape(one.name), 24),
        escape(one.kind),
        str(one.missing) if one.missing else "-",
        "-" if one.different < 0 else str(one.different),
        cut(escape(one.low), _WIDEST),
        cut(escape(one.high), _WIDEST),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
