"""Runs as a table of chosen fields, or of groups, and a line a run by a template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mfv.errors import UsageError
from mfv.render.terminal import Paint
from mfv.render.text import cut, escape, pad, shown, table
from mfv.render.units import date, duration, number

Value = None | bool | int | float | str | tuple[str, ...]

_WIDEST = 40  # columns of one value in a table
_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\\": "\\"}
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}:]*)(?::([^{}]*))?\}|[{}]|\\[nt\\]")
_LAYOUT = re.compile(r"([<>]?)(\d{1,3})?(?:\.(\d{1,2}))?")


class ShownField(Protocol):
    """A field of a query (`mfv.query.expression.Field`)."""

    @property
    def text(self) -> str: ...

    @property
    def kind(self) -> str: ...


class ShownSpan(Protocol):
    """The numbers under one name (`mfv.history.groups.Span`)."""

    @property
    def low(self) -> float: ...

    @property
    def mean(self) -> float: ...

    @property
    def high(self) -> float: ...


class ShownGroup(Protocol):
    """Runs with the same values (`mfv.history.groups.Group`)."""

    @property
    def values(self) -> Sequence[Value]: ...

    @property
    def runs(self) -> int: ...

    @property
    def statuses(self) -> Mapping[str, int]: ...

    @property
    def newest(self) -> str: ...

    @property
    def metrics(self) -> Mapping[str, ShownSpan]: ...


def cell(value: Value, kind: str) -> str:
    """A value as people read it; `-` where there is none."""
    if value is None or value == ():
        return "-"
    if isinstance(value, tuple):
        return escape(" ".join(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return shown(value)
    if kind == "time":
        return date(int(value))
    return duration(value) if kind == "duration" else number(value)


def fields_text(
    fields: Sequence[ShownField], rows: Sequence[Sequence[Value]], *, width: int, paint: Paint
) -> str:
    """A head and a line a run."""
    kinds = [field.kind for field in fields]
    cells = [
        [cut(cell(value, kind), _WIDEST) for value, kind in zip(row, kinds, strict=True)]
        for row in rows
    ]
    numeric = frozenset(
        place
        for place in range(len(fields))
        if any(type(row[place]) in (int, float) for row in rows) and kinds[place] != "time"
    )
    head = [cut(escape(field.text), _WIDEST) for field in fields]
    return _headed(head, cells, numeric, width, paint)


def groups_text(
    fields: Sequence[ShownField], groups: Sequence[ShownGroup], *, width: int, paint: Paint
) -> str:
    """A head and a line a group: its values, its runs by status, the numbers they left."""
    names = list(dict.fromkeys(name for group in groups for name in group.metrics))
    head = [cut(escape(field.text), _WIDEST) for field in fields]
    head += ["runs", "states", *(cut(escape(name), _WIDEST) for name in names), "newest"]
    rows = []
    for group in groups:
        values = [
            cut(cell(value, field.kind), _WIDEST)
            for value, field in zip(group.values, fields, strict=True)
        ]
        states = ", ".join(f"{number} {status}" for status, number in group.statuses.items())
        spans = [_span(group.metrics.get(name)) for name in names]
        rows.append([*values, str(group.runs), states, *spans, escape(group.newest)])
    return _headed(head, rows, frozenset({len(fields)}), width, paint)


def group_json(fields: Sequence[ShownField], group: ShownGroup) -> dict[str, Any]:
    """One group for `--json`."""
    return {
        "values": {
            field.text: list(value) if isinstance(value, tuple) else value
            for field, value in zip(fields, group.values, strict=True)
        },
        "runs": group.runs,
        "statuses": dict(group.statuses),
        "newest": group.newest,
        "metrics": {
            name: {"low": span.low, "mean": span.mean, "high": span.high}
            for name, span in group.metrics.items()
        },
    }


def row_json(name: str, fields: Sequence[ShownField], row: Sequence[Value]) -> dict[str, Any]:
    """Chosen fields of one run for `--json`."""
    values = {
        field.text: list(value) if isinstance(value, tuple) else value
        for field, value in zip(fields, row, strict=True)
    }
    return {"run": name, "values": values}


class Template:
    """`{name} {params.lr:>8} {started}`: a line a run.

    `{{` and `}}` are braces, `\\n`, `\\t` and `\\\\` what they are elsewhere; behind the colon
    stand `<` or `>` with a width, and `.3` for digits.
    """

    def __init__(self, text: str) -> None:
        """Raises UsageError that says where it goes wrong."""
        self._pieces: list[str | tuple[int, str]] = []
        self.names: list[str] = []  # of its fields, in the order in which `line` takes the values
        place = 0
        for found in _PLACE.finditer(text):
            self._pieces.append(text[place : found.start()])
            place = found.end()
            self._take(text, found)
        self._pieces.append(text[place:])

    def line(self, cells: Sequence[tuple[Value, str]]) -> str:
        """One run, of which the values are given with their kinds."""
        done = []
        for piece in self._pieces:
            done.append(piece if isinstance(piece, str) else _laid_out(*cells[piece[0]], piece[1]))
        return "".join(done)

    def _take(self, text: str, found: re.Match[str]) -> None:
        word = found[0]
        if word in _ESCAPES or word in ("{{", "}}"):
            self._pieces.append(_ESCAPES.get(word, word[0]))
        elif found[1] is None or not found[1].strip():
            raise _wrong(text, found.start(), "this brace holds no field", "braces are {{ and }}")
        elif found[2] is not None and not _LAYOUT.fullmatch(found[2]):
            raise _wrong(text, found.start(2), "this is no layout", "it is such as <12, >8 or .3")
        else:
            self._pieces.append((len(self.names), found[2] or ""))
            self.names.append(found[1].strip())


def _wrong(text: str, column: int, message: str, hint: str) -> UsageError:
    return UsageError(f"--format: {message}\n  {text}\n  {' ' * column}^", hint=hint)


def _laid_out(value: Value, kind: str, layout: str) -> str:
    found = _LAYOUT.fullmatch(layout)
    assert found is not None
    side, wide, digits = found.groups()
    if digits is not None and isinstance(value, float):
        text = f"{value:.{digits}f}"
    else:
        text = "" if value in (None, ()) else cell(value, kind)
    return pad(text, int(wide), right=side == ">") if wide else text


def _span(span: ShownSpan | None) -> str:
    if span is None:
        return "-"
    if span.low == span.high:
        return number(span.low, 4)
    return f"{number(span.low, 4)} … {number(span.high, 4)}"


def _headed(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: frozenset[int],
    width: int,
    paint: Paint,
) -> str:
    lines = table([head, *rows], width=width, right=right)
    return "\n".join([paint(lines[0], "bold"), *lines[1:]])
