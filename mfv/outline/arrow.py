"""Arrow's arrays and tables (pyarrow, polars, and pandas' text) among inert nodes.

By the columnar format: https://arrow.apache.org/docs/format/Columnar.html. numpy reads the buffers;
pyarrow is not asked.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from mfv.outline.nodes import Column, Table, identity_of
from mfv.serde.inert import Away, Made, Named, Raw

_FIXED = {
    **{f"int{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    "halffloat": "<f2",
    "half_float": "<f2",
    "float": "<f4",
    "double": "<f8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "date32": "<i4",
    "date64": "<i8",
    "date32[day]": "<i4",
    "date64[ms]": "<i8",
}
_TEXTS = {"string": "<i4", "utf8": "<i4", "large_string": "<i8", "large_utf8": "<i8"}


def table_of(node: Any) -> Table | None:
    """The table of pyarrow or polars that `node` would make; None for anything else."""
    kind = "pyarrow.Table"
    if _is_call(node, "polars.convert.general.from_arrow") and len(node.arguments) == 1:
        kind, node = "polars.DataFrame", node.arguments[0]
    if not _is_call(node, "pyarrow.lib._reconstruct_table") or len(node.arguments) != 2:
        return None
    arrays, schema = node.arguments
    names = _names(schema)
    if not isinstance(arrays, list) or names is None or len(names) != len(arrays):
        return None
    columns: dict[str, Column] = {}
    rows = 0
    for name, array in zip(names, arrays, strict=True):
        found = column_of(array)
        if found is None:
            return None
        columns[name], rows = found
    return Table(kind, rows, columns)


def column_of(node: Any) -> tuple[Column, int] | None:
    """A column and its length; None where the layout is not known here."""
    pieces = [node]
    if _is_call(node, "pyarrow.lib.chunked_array") and node.arguments:
        pieces = node.arguments[0]
    if not isinstance(pieces, list) or not pieces:
        return None
    found = [_piece(piece) for piece in pieces]
    whole = [one for one in found if one is not None]
    if len(whole) < len(found) or len({one.kind for one, _ in whole}) != 1:
        return None
    if len(whole) == 1:
        return whole[0]
    parts = tuple(one.parts for one, _ in whole)
    loads = [one.load for one, _ in whole]
    length = sum(length for _, length in whole)
    return Column(whole[0][0].kind, parts, partial(_joined, loads)), length


def _piece(node: Any) -> tuple[Column, int] | None:
    if not _is_call(node, "pyarrow.lib._restore_array") or len(node.arguments) != 1:
        return None
    facts = node.arguments[0]
    if not isinstance(facts, tuple) or len(facts) != 7:
        return None
    kind, length, _, offset, buffers, children, dictionary = facts
    name = type_name(kind)
    plain = name is not None and type(length) is int and type(offset) is int
    if not plain or children or not isinstance(buffers, list):
        return None
    assert name is not None
    found = [None if one is None else _buffer(one) for one in buffers]
    if any(one is None and given is not None for one, given in zip(found, buffers, strict=True)):
        return None
    parts = (name, length, offset, *(None if one is None else identity_of(one) for one in found))
    if dictionary is not None:
        return None
    if name in _TEXTS and len(found) == 3:
        load = partial(_texts, found, _TEXTS[name], offset, length)
        return Column("text", parts, load), length
    code = _FIXED.get(name) or ("<i8" if name.startswith(("timestamp", "duration")) else None)
    if len(found) == 2 and (code is not None or name == "bool"):
        load = partial(_numbers, found, code, offset, length)
        return Column(name, parts, load), length
    return None


def type_name(node: Any) -> str | None:
    """`int64`, `timestamp`: what an Arrow type is called."""
    if not isinstance(node, Made) or not isinstance(node.call, Named):
        return None
    name = node.call.name.rpartition(".")[2]
    if name == "type_for_alias" and node.arguments and isinstance(node.arguments[0], str):
        return node.arguments[0]
    if name in ("timestamp", "duration", "time32", "time64"):
        return name
    return None


def _buffer(node: Any) -> Raw | Away | None:
    if _is_call(node, "pyarrow.lib.py_buffer") and len(node.arguments) == 1:
        data = node.arguments[0]
        return data if isinstance(data, (Raw, Away)) else None
    return None


def _names(schema: Any) -> list[str] | None:
    if not _is_call(schema, "pyarrow.lib.schema") or not isinstance(schema.arguments[0], list):
        return None
    names = [field.arguments[0] for field in schema.arguments[0] if _is_call(field, "")]
    whole = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return names if whole else None


def _is_call(node: Any, name: str) -> bool:
    return (
        isinstance(node, Made)
        and isinstance(node.call, Named)
        and (not name or node.call.name == name)
        and isinstance(node.arguments, tuple)
        and bool(node.arguments)
    )


def _read(data: Raw | Away) -> Any:
    return data.load() if isinstance(data, Away) else data.data


def _valid(data: Raw | Away | None, offset: int, length: int) -> Any:
    """Which rows are there; None if all are."""
    import numpy

    if data is None:
        return None
    bits = numpy.unpackbits(numpy.frombuffer(_read(data), "u1"), bitorder="little")
    return bits[offset : offset + length].astype(bool)


def _numbers(buffers: list[Any], code: str | None, offset: int, length: int) -> Any:
    import numpy

    validity, data = buffers
    if data is None:
        values = numpy.zeros(length, "i8")
    elif code is None:
        bits = numpy.unpackbits(numpy.frombuffer(_read(data), "u1"), bitorder="little")
        values = bits[offset : offset + length].astype(bool)
    else:
        values = numpy.frombuffer(_read(data), code)[offset : offset + length]
    valid = _valid(validity, offset, length)
    if valid is None or valid.all():
        return values
    found = values.astype(object)
    found[~valid] = None
    return found


def _texts(buffers: list[Any], code: str, offset: int, length: int) -> Any:
    import numpy

    validity, offsets, data = buffers
    found = numpy.empty(length, object)
    if offsets is None or length == 0:
        return found
    places = numpy.frombuffer(_read(offsets), code)[offset : offset + length + 1].tolist()
    text = b"" if data is None else bytes(_read(data))
    valid = _valid(validity, offset, length)
    for row in range(length):
        if valid is None or valid[row]:
            found[row] = text[places[row] : places[row + 1]].decode("utf-8", "replace")
    return found


def _joined(loads: list[Any]) -> Any:
    import numpy

    return numpy.concatenate([load() for load in loads])
