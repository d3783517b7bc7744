"""Arrays and numbers of numpy among inert nodes, as arrays that can be compared."""

from __future__ import annotations

import re
from typing import Any

from mfv.serde.inert import Made, Named, Raw

_SIMPLE = re.compile(r"[biufcMm]\d{1,2}|S\d{1,9}|U\d{1,9}")


def array_of(node: Any) -> Any:
    """The numpy array, or number, that `node` would make; None if it is no simple one.

    Of plain numbers, dates and texts alone: nothing that the stream names is called.
    """
    if not isinstance(node, Made) or not isinstance(node.call, Named) or node.state:
        return None
    module, _, name = node.call.name.rpartition(".")
    if module.split(".")[0] != "numpy" or not isinstance(node.arguments, tuple):
        return None
    if name == "_frombuffer" and len(node.arguments) == 4:
        data, kind, shape, order = node.arguments
    elif name == "scalar" and len(node.arguments) == 2:
        (kind, data), shape, order = node.arguments, (), "C"
    else:
        return None
    dtype = dtype_of(kind)
    fits = isinstance(shape, tuple) and all(type(one) is int and one >= 0 for one in shape)
    if dtype is None or not isinstance(data, Raw) or not fits or order not in ("C", "F"):
        return None
    try:
        import numpy

        return numpy.frombuffer(data.data, dtype=dtype).reshape(shape, order=order)
    except (ImportError, ValueError, TypeError):
        return None


def dtype_of(node: Any) -> str | None:
    """`<f8` for the node of such a dtype; None for one with fields, objects or units."""
    if not isinstance(node, Made) or not isinstance(node.call, Named):
        return None
    arguments = node.arguments
    if node.call.name != "numpy.dtype" or not isinstance(arguments, tuple) or not arguments:
        return None
    code, state = arguments[0], node.state[-1] if node.state else ()
    if not isinstance(code, str) or not _SIMPLE.fullmatch(code) or code[0] in "Mm":
        return None
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
    return f"{order}{code}" if order in ("<", ">", "|", "=") else None
