"""Text that is safe to print: escaped, cut to width, aligned."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_SHOWN = 200  # characters of one value before it is cut


def escape(text: str, *, keep: str = "") -> str:
    """`text` with every control, format, bidirectional and undecodable character as `\\x..`.

    `keep`: control characters that may stay, a line end for example.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if harmless(char) or char in keep else _coded(char) for char in text)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns, with an ellipsis where something is missing."""
    if columns(text) <= width:
        return text
    kept, used = [], 1
    for char in text:
        used += columns(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept).rstrip("…") + "…"


def shown(text: str) -> str:
    """One value out of a repository, escaped and cut to a length that a screen can bear."""
    return cut(escape(text), _SHOWN)


def columns(text: str) -> int:
    """The columns that `text` takes on a terminal: two for wide characters, none for accents."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled up with spaces to `width` columns."""
    fill = " " * max(0, width - columns(text))
    return fill + text if right else text + fill


def wrap(text: str, indent: str, width: int) -> list[str]:
    """`text` as lines of at most `width` columns, broken after commas; `indent` stands first."""
    lines, line = [], indent
    for piece in text.split(", "):
        if line.strip() and columns(line) + columns(piece) + 1 > width and line != indent:
            lines.append(line)
            line = " " * len(indent)
        line += piece + ", "
    return [one.rstrip() for one in [*lines, line.removesuffix(", ")]]


def table(
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: frozenset[int] = frozenset(),
    shrink: int | None = None,
    gap: str = "  ",
) -> list[str]:
    """The rows as lines of aligned columns.

    `right`: columns that are aligned to the right; `shrink`: the column that gives way where the
    lines would be longer than `width`.
    """
    if not rows:
        return []
    widths = [max(columns(row[i]) for row in rows) for i in range(len(rows[0]))]
    if shrink is not None:
        over = sum(widths) + len(gap) * (len(widths) - 1) - width
        widths[shrink] = max(min(widths[shrink], 8), widths[shrink] - max(0, over))
    lines = []
    for row in rows:
        cells = [
            pad(cut(cell, widths[i]), widths[i], right=i in right) for i, cell in enumerate(row)
        ]
        lines.append(cut(gap.join(cells).rstrip(), max(width, 20)))
    return lines


def harmless(char: str) -> bool:
    """Whether a terminal shows `char` as what it is: no control, format or odd space."""
    return char == " " or unicodedata.category(char)[0] not in "CZ"


def _coded(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte that was not UTF-8
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
