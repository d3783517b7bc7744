"""Arrow's arrays, in whichever library they stand: pyarrow, pandas, polars.

pyarrow lends out buffers, but whole ones, also for a slice of ten rows, padding included, and
says of none what its numbers are. Here each buffer is cut to what its array needs, uncopied, and
comes with its items. pandas keeps its text in such arrays; polars hands out its columns as such.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any

from mfv.serde.arrowdata import Data, trimmed
from mfv.serde.frame import Item
from mfv.serde.lending import Call, Lender

Reducer = Callable[[Any], Any]

_to_series = methodcaller("to_series")


def reducer_for(kind: type, lender: Lender, shared: dict[Any, Any]) -> Reducer | None:
    """How values of `kind` are reduced; None for their own way."""
    pyarrow, polars = sys.modules.get("pyarrow"), sys.modules.get("polars")
    if pyarrow is not None:
        if issubclass(kind, pyarrow.Array):
            return partial(_reduce_array, lender)
        if kind is pyarrow.Buffer:
            return partial(_reduce_buffer, lender)
        if any(base.__name__ == "ArrowExtensionArray" for base in kind.__mro__):
            return _reduce_pandas
    if polars is not None and kind is polars.DataFrame:
        return _reduce_polars
    if polars is not None and kind is polars.Series:
        return _reduce_series
    return None


def _reduce_array(lender: Lender, array: Any) -> Any:
    make, arguments = own = array.__reduce__()
    data = trimmed(arguments[0]) if len(arguments) == 1 else None
    return own if data is None else (make, (_lent(lender, data),))


def _lent(lender: Lender, data: Data) -> tuple[Any, ...]:
    """`data` as pyarrow takes it, its buffers lent out with their items."""
    buffers = [
        None if buffer is None else Call(*_lend(lender, buffer, item))
        for buffer, item in zip(data.buffers, data.items, strict=True)
    ]
    children = [_lent(lender, child) for child in data.children]
    dictionary = _lent(lender, data.dictionary) if data.dictionary is not None else None
    return (data.type, data.length, data.nulls, data.offset, buffers, children, dictionary)


def _lend(lender: Lender, buffer: Any, item: Item | None) -> tuple[Any, Any]:
    return sys.modules["pyarrow"].py_buffer, lender.lend(buffer, item)


def _reduce_buffer(lender: Lender, buffer: Any) -> Any:
    make, lent = _lend(lender, buffer, None)
    return make, (lent,)


def _reduce_pandas(array: Any) -> Any:
    """Its own way first joins the pieces of an array, which copies them, also a single one."""
    state = getattr(array, "__dict__", {})
    pieces: Any = state.get("_pa_array")
    if getattr(pieces, "num_chunks", 0) != 1:
        return array.__reduce_ex__(5)
    state = {**state, "_pa_array": pieces.chunk(0)}
    if "_cache" in state:
        state["_cache"] = {}
    return copyreg.__newobj__, (type(array),), state  # type: ignore[attr-defined]


def _reduce_polars(frame: Any) -> Any:
    table = _arrow(frame)
    if table is None:
        return frame.__reduce_ex__(5)
    return sys.modules["polars"].from_arrow, (table,)


def _reduce_series(series: Any) -> Any:
    frame = series.to_frame()
    if _arrow(frame) is None:
        return series.__reduce_ex__(5)
    return _to_series, (frame,)


def _arrow(frame: Any) -> Any:
    """A polars frame as a pyarrow table, its numbers uncopied.

    None where pyarrow is not installed, or would give back other types: there polars' own
    serialization, one piece of bytes, has to do.
    """
    try:
        import pyarrow  # noqa: F401 - polars wants it, whether or not anyone loaded it before

        empty = sys.modules["polars"].from_arrow(frame.clear().to_arrow())
        return frame.to_arrow() if empty.schema == frame.schema else None
    except Exception:
        return None
