"""What one artifact holds, told from its frames without loading it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from mfv.content import outline
from mfv.errors import CorruptError
from mfv.found.portrait import Branch, ColumnFacts, Numbers, Portrait
from mfv.manifest.artifact import PICKLE, Artifact
from mfv.odb.database import Database
from mfv.outline.comparing import glance
from mfv.outline.measure import numbers_of
from mfv.outline.nodes import Block, Column, Keyed, Listed, Opaque, Outline, Table
from mfv.serde.inert import OpaqueError

_TOLD = 60  # parts of a nested value
_DEEP = 6
_ROWS = 5  # of a table
_BARS = 24
_MOST = 512 << 20  # bytes of an array that are read to draw it
_CELLS = 5_000_000  # of a table that are looked at


def portrait(database: Database, artifact: Artifact) -> Portrait | None:
    """None for what its record tells as well. Raises nothing for content: it says why not more."""
    if artifact.serializer != PICKLE or not artifact.frames:
        return None
    if artifact.frames[0].size > 64 << 20:
        return Portrait(unknown="it is too long to be looked through; `mfv cat --load` loads it")
    try:
        found = outline(database, artifact)
        return _of(found, artifact)
    except (OpaqueError, CorruptError) as error:
        return Portrait(unknown=f"{error.message}; `mfv cat --load` loads it")


def _of(found: Outline, artifact: Artifact) -> Portrait | None:
    if isinstance(found, Block):
        if artifact.size > _MOST:
            return Portrait(unknown="it is too large to be drawn")
        return Portrait(numbers=_numbers(found))
    if isinstance(found, Table):
        return _table(found)
    if isinstance(found, Opaque):
        return Portrait(unknown="what it holds is only known when it is loaded: `mfv cat --load`")
    if isinstance(found, (Keyed, Listed)):
        branches = list(_branches(found))
        return Portrait(tuple(branches[:_TOLD]), max(0, len(branches) - _TOLD))
    return None


def _branches(found: Keyed | Listed) -> Iterator[Branch]:
    """The parts below, each before its own."""
    waiting: list[tuple[int, str, Outline]] = [(0, name, one) for name, one in _items(found)][::-1]
    while waiting:
        depth, name, node = waiting.pop()
        yield Branch(depth, name, glance(node))
        if isinstance(node, (Keyed, Listed)) and depth < _DEEP and not _is_short(node):
            waiting += [(depth + 1, key, one) for key, one in _items(node)][::-1]


def _items(node: Keyed | Listed) -> list[tuple[str, Outline]]:
    if isinstance(node, Keyed):
        return [(_plain(key), one) for key, one in node.items.items()]
    return [(str(place), one) for place, one in enumerate(node.items)]


def _is_short(node: Keyed | Listed) -> bool:
    """Whether its glance says it all, or its items are too many and too alike to be told."""
    if not isinstance(node, Listed):
        return False
    plain = all(one is None or isinstance(one, (bool, int, float, str)) for one in node.items)
    return plain and (len(node.items) <= 3 or len(node.items) > 12)


def _plain(key: str) -> str:
    return key[1:-1] if len(key) > 2 and key[0] == key[-1] == "'" else key


def _numbers(block: Block) -> Numbers | None:
    if (block.code is not None and block.code[1] not in "biuf") or block.numbers == 0:
        return None
    import numpy

    count, missing, low, high, total, squares = 0, 0, math.inf, -math.inf, 0.0, 0.0
    for piece in numbers_of(block):
        wide = piece.astype("f8")
        good = wide[~numpy.isnan(wide)]
        missing += len(wide) - len(good)
        count += len(wide)
        if len(good):
            low, high = min(low, float(good.min())), max(high, float(good.max()))
            with numpy.errstate(all="ignore"):
                total += float(good.sum())
                squares += float((good * good).sum())
    there = count - missing
    if not there:
        return Numbers(count, missing, math.nan, math.nan, math.nan, math.nan, ())
    mean = total / there
    deviation = (
        math.sqrt(max(0.0, squares / there - mean * mean)) if math.isfinite(squares) else math.nan
    )
    bars = [0] * _BARS
    if math.isfinite(high - low) and high > low:
        for piece in numbers_of(block):
            wide = piece.astype("f8")
            counts, _ = numpy.histogram(wide[~numpy.isnan(wide)], _BARS, (low, high))
            bars = [a + int(b) for a, b in zip(bars, counts, strict=True)]
    return Numbers(count, missing, low, high, mean, deviation, tuple(bars) if any(bars) else ())


def _table(table: Table) -> Portrait:
    if table.rows * max(1, len(table.columns)) > _CELLS * 10:
        facts = [ColumnFacts(name, one.kind, 0, "", "", -1) for name, one in table.columns.items()]
        return Portrait(columns=tuple(facts), unknown="it is too large to be looked through")
    facts, first = [], []
    for name, column in table.columns.items():
        values = column.load()
        facts.append(_column(name, column, values))
        first.append([_text(one) for one in values[:_ROWS].tolist()])
    rows = tuple(zip(*first, strict=True)) if first else ()
    return Portrait(columns=tuple(facts), rows=rows)


def _column(name: str, column: Column, values: Any) -> ColumnFacts:
    import numpy

    if values.dtype.kind == "O":
        there = [one for one in values.tolist() if one is not None and one == one]
        missing = len(values) - len(there)
    else:
        gone = numpy.isnat(values) if values.dtype.kind in "mM" else values != values
        missing, there = int(gone.sum()), values[~gone]
    low = high = ""
    with contextlib.suppress(TypeError):  # values of several types have no order
        if len(there):
            low, high = _text(min(there)), _text(max(there))
    different = -1
    if len(values) <= _CELLS:
        with contextlib.suppress(TypeError):
            different = len(set(there if isinstance(there, list) else there.tolist()))
    return ColumnFacts(name, column.kind, missing, low, high, different)


def _text(value: Any) -> str:
    if hasattr(value, "dtype") and value.dtype.kind not in "mM":
        value = value.item()
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
