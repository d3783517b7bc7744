"""Two tables side by side: rows and columns that came, went and changed.

Rows are matched by a key: the labels of the rows, or the first column whose values are there once
each on both sides. Without one, tables of one length are matched row by row, and of others the rows
that both have are those with the same content.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import msgspec

from mfv.diff.content import Cell, TableDiff
from mfv.outline.nodes import Column, Table

_CELLS = 20  # that are told
_MOST = 50_000_000  # cells of one table; of larger ones it is told which columns differ


class _Side(NamedTuple):
    columns: dict[str, Any]  # those that both sides have, as arrays
    rows: int


def compare_tables(path: str, a: Table, b: Table) -> TableDiff | None:
    """What differs; None if nothing does."""
    gone = tuple(name for name in a.columns if name not in b.columns)
    came = tuple(name for name in b.columns if name not in a.columns)
    common = [name for name in a.columns if name in b.columns]
    labels = _parts(a.labels) != _parts(b.labels)
    other = [name for name in common if a.columns[name].parts != b.columns[name].parts]
    if a.rows == b.rows and not (gone or came or other or labels):
        return None
    base = TableDiff(
        path=path,
        rows_before=a.rows,
        rows_after=b.rows,
        key="",
        added=0,
        removed=0,
        changed=0,
        columns_added=came,
        columns_removed=gone,
    )
    if max(a.rows, b.rows) * max(len(common), 1) > _MOST:
        return msgspec.structs.replace(base, columns=tuple((name, -1) for name in sorted(other)))
    # What is equal without a look is not read where rows are matched by their place.
    old, new = _load(a, common), _load(b, common)
    key, pairs = _match(a, b, old, new)
    before, after = pairs
    counts: dict[str, int] = {}
    changed = None
    cells: list[Cell] = []
    for name in sorted(common):
        differs = _differ(old.columns[name][before], new.columns[name][after])
        counts[name] = int(differs.sum())
        if counts[name]:
            changed = differs if changed is None else changed | differs
            cells += _cells(name, key, a, old, new, before, after, differs)
    found = msgspec.structs.replace(
        base,
        key=key,
        added=b.rows - len(after),
        removed=a.rows - len(before),
        changed=0 if changed is None else int(changed.sum()),
        columns=tuple((name, count) for name, count in sorted(counts.items()) if count),
        cells=tuple(cells[:_CELLS]),
    )
    nothing = not (found.added or found.removed or found.changed or gone or came)
    return None if nothing and a.rows == b.rows else found


def _parts(column: Column | None) -> object:
    return None if column is None else column.parts


def _load(table: Table, names: list[str]) -> _Side:
    return _Side({name: table.columns[name].load() for name in names}, table.rows)


def _match(a: Table, b: Table, old: _Side, new: _Side) -> tuple[str, tuple[Any, Any]]:
    """The key, and the rows of each side that belong together, in order."""
    import numpy

    if a.labels is not None and b.labels is not None:
        pairs = _by_key(a.labels.load(), b.labels.load())
        if pairs is not None:
            return "index", pairs
    if old.rows == new.rows:
        place = numpy.arange(old.rows)
        return "", (place, place)
    for name in _candidates(old):
        if old.columns[name].dtype.kind in "iuOSU":
            pairs = _by_key(old.columns[name], new.columns[name])
            if pairs is not None:
                return name, pairs
    return "", _by_content(old, new)


def _candidates(side: _Side) -> list[str]:
    """Columns that may be a key: those called so first, else the same whichever side is first."""
    return sorted(side.columns, key=lambda name: (name.lower() not in ("id", "key"), name))


def _by_key(old: Any, new: Any) -> tuple[Any, Any] | None:
    """Rows with the same key; None unless each key is there once on either side."""
    import numpy

    places = {key: place for place, key in enumerate(new.tolist())}
    keys = old.tolist()
    unique = len(places) == len(new) and len(set(keys)) == len(keys)
    if not unique or None in places or None in keys:
        return None
    found = [(place, places[key]) for place, key in enumerate(keys) if key in places]
    if not found and len(keys) and len(places):
        return None
    before, after = zip(*found, strict=True) if found else ((), ())
    return numpy.array(before, int), numpy.array(after, int)


def _by_content(old: _Side, new: _Side) -> tuple[Any, Any]:
    """Rows with the same content, each as often as both sides have it."""
    import numpy

    def rows(side: _Side) -> list[tuple[Any, ...]]:
        columns = [column.tolist() for column in side.columns.values()]
        return list(zip(*columns, strict=True)) if columns else [()] * side.rows

    places: dict[tuple[Any, ...], list[int]] = {}
    for place, row in enumerate(rows(new)):
        places.setdefault(_hashable(row), []).append(place)
    left = Counter({row: len(some) for row, some in places.items()})
    before, after = [], []
    for place, row in enumerate(rows(old)):
        key = _hashable(row)
        if left[key] > 0:
            after.append(places[key][len(places[key]) - left[key]])
            before.append(place)
            left[key] -= 1
    return numpy.array(before, int), numpy.array(after, int)


def _hashable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """NaN equals NaN here."""
    return tuple("nan" if one != one else one for one in row)


def _differ(old: Any, new: Any) -> Any:
    """Which rows of two columns differ."""
    import numpy

    with numpy.errstate(all="ignore"):
        found = numpy.asarray(old != new)
        if found.shape != old.shape:
            return numpy.ones(len(old), bool)
        if old.dtype.kind in "fc" and new.dtype.kind in "fc":
            found &= ~(numpy.isnan(old) & numpy.isnan(new))
        elif old.dtype.kind == "O" or new.dtype.kind == "O":
            found = numpy.array(
                [x != y and not (x != x and y != y) for x, y in zip(old, new, strict=True)], bool
            )
        elif old.dtype.kind in "mM" and new.dtype.kind in "mM":
            found &= ~(numpy.isnat(old) & numpy.isnat(new))
    return found


def _cells(
    name: str, key: str, a: Table, old: _Side, new: _Side, before: Any, after: Any, differs: Any
) -> list[Cell]:
    found = []
    for row in differs.nonzero()[0][:_CELLS]:
        place = before[row]
        label = str(place)
        if key == "index" and a.labels is not None:
            label = _text(a.labels.load()[place])
        elif key:
            label = _text(old.columns[key][place])
        texts = _text(old.columns[name][place]), _text(new.columns[name][after[row]])
        found.append(Cell(label, name, *texts))
    return found


def _text(value: Any) -> str:
    value = value.item() if hasattr(value, "item") and value.dtype.kind not in "mM" else value
    return str(value) if not isinstance(value, str) else value
