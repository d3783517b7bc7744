"""pandas' tables among inert nodes. pandas itself is not asked."""

from __future__ import annotations

from functools import partial
from typing import Any

from mfv.outline import arrow
from mfv.outline.arrays import block_of
from mfv.outline.nodes import Block, Column, Table
from mfv.serde.inert import Away, Made, Named, Pairs

_Columns = list[tuple[int, Column]]  # each with its place among all


def table_of(node: Any) -> Table | None:
    """The DataFrame or Series that `node` would make; None where it is not understood whole."""
    if not isinstance(node, Made) or not isinstance(node.call, Named) or len(node.state) != 1:
        return None
    if node.call.name == "pandas.DataFrame":
        try:
            return _frame(node)
        except (_UnknownError, TypeError, ValueError, AttributeError, LookupError, OverflowError):
            return None
    return None


class _UnknownError(Exception):
    """Raised for what is not told below."""


def _frame(node: Made) -> Table:
    manager = dict(node.state[0].items)["_mgr"]
    blocks, axes = manager.arguments
    names = _labels(axes[0])
    if names is None or len(set(names)) != len(names):
        raise _UnknownError
    columns: dict[int, Column] = {}
    for block in blocks:
        for place, column in _block(block):
            columns[place] = column
    if sorted(columns) != list(range(len(names))):
        raise _UnknownError
    index, rows = _index(axes[1])
    found = {str(name): columns[place] for place, name in enumerate(names)}
    return Table("pandas.DataFrame", rows, found, index)


def _block(node: Any) -> _Columns:
    values, placement, _ = node.arguments
    places = _places(placement)
    block = block_of(values)
    if block is not None and len(block.shape) == 2:
        return [(place, _row(block, row)) for row, place in enumerate(places)]
    if len(places) != 1:
        objects = _objects(values)
        if objects is None:
            raise _UnknownError
        return [(place, _listed(objects, row, len(places))) for row, place in enumerate(places)]
    return [(places[0], _column(values))]


def _places(node: Any) -> list[int]:
    if isinstance(node, Made) and isinstance(node.call, Named):
        if node.call.name == "builtins.slice":
            return list(range(*node.arguments))
        block = block_of(node)
        if block is not None and not isinstance(block.data, Away):
            import numpy

            return [int(one) for one in numpy.frombuffer(block.data.data, block.code)]
    raise _UnknownError


def _row(block: Block, row: int) -> Column:
    """One column of a block of many: a row of a matrix."""
    parts = (block.identity, row)
    return Column(block.dtype, parts, partial(_load_row, block, row))


def _column(node: Any) -> Column:
    """A column that stands alone."""
    name = node.call.name if isinstance(node, Made) and isinstance(node.call, Named) else ""
    if name.endswith("__pyx_unpickle_NDArrayBacked"):
        kind, array = node.state[0][0], node.state[0][1]
        block = block_of(array)
        if block is None:
            raise _UnknownError
        if _is_categories(kind):
            return _category(kind, block)
        return Column(block.dtype, (block.identity,), partial(_load_flat, block))
    if isinstance(node, Made) and node.state and isinstance(node.state[0], Pairs):
        pieces = dict(node.state[0].items).get("_pa_array")
        found = None if pieces is None else arrow.column_of(pieces)
        if found is not None:
            return found[0]
    block = block_of(node)
    if block is not None:
        return Column(block.dtype, (block.identity,), partial(_load_flat, block))
    objects = _objects(node)
    if objects is None:
        raise _UnknownError
    return _listed(objects, 0, 1)


def _is_categories(node: Any) -> bool:
    return (
        isinstance(node, Made)
        and isinstance(node.call, Named)
        and node.call.name.endswith("CategoricalDtype")
    )


def _category(dtype: Made, codes: Block) -> Column:
    names = _labels(dict(dtype.state[0].items)["categories"])
    if names is None:
        raise _UnknownError
    return Column("category", (codes.identity, tuple(names)), partial(_named, codes, names))


def _objects(node: Any) -> list[Any] | None:
    """The items of an array of objects, where they are plain."""
    if not isinstance(node, Made) or len(node.state) != 1 or not isinstance(node.state[0], tuple):
        return None
    items = node.state[0][-1]
    if not isinstance(items, list):
        return None
    plain = all(one is None or isinstance(one, (str, int, float, bool)) for one in items)
    return items if plain else None


def _listed(items: list[Any], row: int, rows: int) -> Column:
    width = len(items) // rows
    mine = items[row * width : (row + 1) * width]
    return Column("object", (tuple(map(repr, mine)),), partial(_object_array, mine))


def _labels(node: Any) -> list[Any] | None:
    """The labels of an axis as plain values."""
    if not isinstance(node, Made) or not isinstance(node.arguments, tuple):
        return None
    facts = dict(node.arguments[1].items)
    if "start" in facts:
        return list(range(facts["start"], facts["stop"], facts["step"]))
    return [one if isinstance(one, str) else _plain(one) for one in _column(facts["data"]).load()]


def _index(node: Any) -> tuple[Column | None, int]:
    facts = dict(node.arguments[1].items)
    if "start" in facts:
        return None, len(range(facts["start"], facts["stop"], facts["step"]))
    column = _column(facts["data"])
    block = block_of(facts["data"])
    return column, block.numbers if block is not None else len(column.load())


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _array(block: Block) -> Any:
    import numpy

    data = block.data.load() if isinstance(block.data, Away) else block.data.data
    return numpy.frombuffer(data, block.code).reshape(block.shape, order=block.order)  # type: ignore[call-overload]


def _load_row(block: Block, row: int) -> Any:
    return _array(block)[row]


def _load_flat(block: Block) -> Any:
    return _array(block).reshape(-1)


def _named(codes: Block, names: list[Any]) -> Any:
    import numpy

    labels = numpy.array([*names, None], dtype=object)
    return labels[_load_flat(codes)]  # -1, which means missing, is the last


def _object_array(items: list[Any]) -> Any:
    import numpy

    found = numpy.empty(len(items), object)
    found[:] = items
    return found
