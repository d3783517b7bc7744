"""numpy's arrays among inert nodes."""

from __future__ import annotations

from typing import Any

from mfv.outline.nodes import Block
from mfv.serde.inert import Away, Made, Named, Raw
from mfv.serde.numbers import dtype_of

_NAMES = {"f": "float", "i": "int", "u": "uint", "b": "int", "c": "complex"}


def block_of(node: Any) -> Block | None:
    """The array or number of numpy that `node` would make; None if it is no simple one."""
    if not isinstance(node, Made) or (node.state and not _is_reconstructed(node)):
        return None
    viewed = _viewed(node)
    if viewed is not None:
        return viewed
    if not isinstance(node.call, Named) or not isinstance(node.arguments, tuple):
        return None
    module, _, name = node.call.name.rpartition(".")
    if module.split(".")[0] != "numpy":
        return None
    arguments = node.arguments
    if name == "_frombuffer" and len(arguments) == 4:
        data, kind, shape, order = arguments
    elif name == "scalar" and len(arguments) == 2:
        (kind, data), shape, order = arguments, (), "C"
    elif _is_reconstructed(node):
        _, shape, kind, fortran, data = node.state[-1]
        order = "F" if fortran else "C"
    else:
        return None
    code = _code(kind)
    fits = isinstance(shape, tuple) and all(type(one) is int and one >= 0 for one in shape)
    if code is None or not isinstance(data, (Raw, Away)) or not fits or order not in ("C", "F"):
        return None
    return _checked(Block("array", name_of(code), code, shape, data, 0, order))


def name_of(code: str) -> str:
    """`float64` for `<f8`."""
    kind, size = code[1], code[2:]
    if kind in "mMSU":
        return {"M": "datetime64", "m": "timedelta64", "S": "bytes", "U": "str"}[kind]
    if code[1:] == "b1":
        return "bool"
    return f"{_NAMES[kind]}{8 * int(size)}"


def _is_reconstructed(node: Made) -> bool:
    """Whether it is an array whose bytes stand in its state, as those of dates do."""
    return (
        isinstance(node.call, Named)
        and node.call.name.endswith(".multiarray._reconstruct")
        and len(node.state) == 1
        and isinstance(node.state[0], tuple)
        and len(node.state[0]) == 5
    )


def _viewed(node: Made) -> Block | None:
    """Dates: mfv keeps an array of them as numbers, viewed as dates."""
    arguments = node.arguments
    if not isinstance(arguments, tuple) or len(arguments) != 2 or not _is_view(node.call):
        return None
    inner, code = block_of(arguments[0]), _code(arguments[1])
    if inner is None or code is None or code[1] not in "mM":
        return None
    return inner._replace(dtype=name_of(code), code=code)


def _is_view(call: Any) -> bool:
    if isinstance(call, Named):
        return call.name == "numpy.ndarray.view"
    return (
        isinstance(call, Made)
        and isinstance(call.call, Named)
        and call.call.name == "builtins.getattr"
        and isinstance(call.arguments, tuple)
        and len(call.arguments) == 2
        and isinstance(call.arguments[0], Named)
        and call.arguments[0].name == "numpy.ndarray"
        and call.arguments[1] == "view"
    )


def _code(node: Any) -> str | None:
    """`<f8`; dates with their unit: `<M8[ns]`."""
    plain = dtype_of(node)
    if plain is not None:
        return plain
    if not isinstance(node, Made) or not isinstance(node.call, Named) or not node.state:
        return None
    arguments, state = node.arguments, node.state[-1]
    if node.call.name != "numpy.dtype" or not isinstance(arguments, tuple) or not arguments:
        return None
    if arguments[0] not in ("M8", "m8") or not isinstance(state, tuple) or len(state) != 9:
        return None
    try:
        unit = bytes(state[8][1][0].data).decode("ascii")
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
        return None
    order = state[1] if state[1] in ("<", ">") else "<"
    return f"{order}{arguments[0]}[{unit}]" if unit.isalpha() else None


def _checked(block: Block) -> Block | None:
    """None where the bytes cannot be so many numbers."""
    assert block.code is not None
    digits = block.code[2:].partition("[")[0]
    width = int(digits) * (4 if block.code[1] == "U" else 1)
    size = block.data.size if isinstance(block.data, Away) else memoryview(block.data.data).nbytes
    return block if block.numbers * width == size else None
