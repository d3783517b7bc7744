"""The list of what an untrusted pickle may name: data alone, each made with checked arguments.

A name may come on the list only if no arguments whatever can make its function run code, open or
write a file, or take memory out of proportion to the bytes that are there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from mfv.serde.inert import Made, Named, Raw
from mfv.serde.numbers import dtype_of


class UnfitError(Exception):
    """The arguments are none that such a value is made of."""


class Maker(NamedTuple):
    """How a value is made: of its arguments and states as values, or of its node as it is."""

    make: Callable[..., Any]
    by_node: bool = False


def getattr_of(call: Made) -> str | None:
    """`numpy.ndarray.view` for a node that looks that up; None for any other."""
    if not isinstance(call.call, Named) or call.call.name != "builtins.getattr":
        return None
    arguments = call.arguments
    if type(arguments) is not tuple or len(arguments) != 2:
        return None
    owner, name = arguments
    if not isinstance(owner, Named) or type(name) is not str:
        return None
    return f"{owner.name}.{name}"


def _fit(condition: object) -> None:
    if not condition:
        raise UnfitError("these are not the arguments that it is written with")


def _bytes(*given: Any) -> bytes:
    _fit(not given or (len(given) == 1 and type(given[0]) is bytes))
    return bytes(*given)


def _bytearray(*given: Any) -> bytearray:
    return bytearray(_bytes(*given))


def _str(data: Any, encoding: Any, errors: Any) -> str:
    _fit(type(data) is bytes and (encoding, errors) == ("utf-8", "surrogatepass"))
    return str(data, "utf-8", "surrogatepass")


def _plain(kind: type, *types: type, least: int = 0, most: int | None = None) -> Callable[..., Any]:
    """`kind`, of arguments of just these types."""

    def make(*given: Any) -> Any:
        _fit(least <= len(given) <= (len(types) if most is None else most))
        _fit(all(type(one) in types for one in given))
        return kind(*given)

    return make


def _set(kind: type) -> Callable[..., Any]:
    def make(items: Any = ()) -> Any:
        _fit(type(items) in (list, tuple))
        # Whatever can be a key of such a set is small: texts, bytes and numbers.
        _fit(all(type(one) in (str, bytes, int, float, bool, type(None)) for one in items))
        return kind(items)

    return make


def _ordered(*given: Any) -> Any:
    from collections import OrderedDict

    _fit(not given)
    return OrderedDict()


def _defaultdict(*given: Any) -> Any:
    from collections import defaultdict

    _fit(len(given) <= 1 and (not given or given[0] is None or given[0] in _FACTORIES))
    return defaultdict(*given)


def _counter(*given: Any) -> Any:
    from collections import Counter

    _fit(not given or (len(given) == 1 and type(given[0]) is dict))
    return Counter(*given)


def _deque(*given: Any) -> Any:
    from collections import deque

    _fit(len(given) <= 2 and (not given or given[0] in ((), [])))
    _fit(len(given) < 2 or given[1] is None or type(given[1]) is int)
    return deque(*given)


def _moment(name: str, size: int) -> Callable[..., Any]:
    """A date or time of the bytes that it is written as."""

    def make(data: Any, zone: Any = None) -> Any:
        import datetime

        _fit(type(data) is bytes and len(data) == size)
        _fit(zone is None or (name != "date" and type(zone) is datetime.timezone))
        kind = getattr(datetime, name)
        return kind(data) if zone is None else kind(data, zone)

    return make


def _timedelta(*given: Any) -> Any:
    import datetime

    _fit(len(given) == 3 and all(type(one) is int for one in given))
    return datetime.timedelta(*given)


def _timezone(*given: Any) -> Any:
    import datetime

    _fit(1 <= len(given) <= 2 and type(given[0]) is datetime.timedelta)
    _fit(len(given) == 1 or type(given[1]) is str)
    return datetime.timezone(*given)


def _decimal(text: Any) -> Any:
    from decimal import Decimal

    _fit(type(text) is str and len(text) < 10_000)
    return Decimal(text)


def _fraction(*given: Any) -> Any:
    from fractions import Fraction

    if len(given) == 1:  # "1e999999999" would be a number of a billion digits
        _fit(type(given[0]) is str and re.fullmatch(r"-?\d{1,4000}(/\d{1,4000})?", given[0]))
    else:
        _fit(len(given) == 2 and all(type(one) is int for one in given))
    return Fraction(*given)


def _uuid(state: Any) -> Any:
    from uuid import UUID, SafeUUID

    _fit(type(state) is dict and set(state) <= {"int", "is_safe"})
    _fit(type(state.get("int")) is int and state.get("is_safe") in (None, 0, -1))
    safe = SafeUUID(state["is_safe"]) if state.get("is_safe") is not None else SafeUUID.unknown
    return UUID(int=state["int"], is_safe=safe)


def _path(name: str) -> Callable[..., Any]:
    def make(*parts: Any) -> Any:
        import pathlib

        _fit(all(type(one) is str for one in parts))
        return getattr(pathlib, name)(*parts)

    return make


def _array(node: Made) -> Any:
    """A numpy array, or number, of the bytes that are there. Its type is plain: no objects."""
    import numpy

    order: Any

    name = _called(node)
    if name.endswith("._reconstruct"):
        _fit(len(node.state) == 1 and type(node.state[0]) is tuple and len(node.state[0]) == 5)
        _, shape, kind, fortran, data = node.state[0]
        order = "F" if fortran is True else "C"
    elif name.endswith(".scalar"):
        _fit(len(node.arguments) == 2 and not node.state)
        (kind, data), shape, order = node.arguments, (), "C"
    else:
        _fit(len(node.arguments) == 4 and not node.state)
        data, kind, shape, order = node.arguments
    _fit(not node.extended and not node.updated)
    _fit(type(shape) is tuple and all(type(one) is int and one >= 0 for one in shape))
    data = _inline(data)
    _fit(isinstance(data, Raw) and order in ("C", "F"))
    dtype = numpy.dtype(_code(kind))
    buffer = memoryview(data.data)
    size = dtype.itemsize
    for one in shape:
        size *= one
    _fit(size == buffer.nbytes)
    if not size:
        _fit(dtype.itemsize)  # else numpy would make the items larger
        return numpy.zeros(shape, dtype, order)
    array: Any = numpy.frombuffer(buffer, dtype).reshape(shape, order=order)
    if name.endswith(".scalar"):
        return array[()]
    return array if array.flags.writeable else array.copy(order)


def _inline(node: Any) -> Any:
    """Bytes that the stream wraps into a call of their own type."""
    while isinstance(node, Made) and _called(node) in ("builtins.bytes", "builtins.bytearray"):
        _fit(type(node.arguments) is tuple and len(node.arguments) == 1)
        node = node.arguments[0]
    return node


def _viewed(node: Made) -> Any:
    """An array of dates: mfv keeps it as numbers."""
    import numpy

    _fit(len(node.arguments) == 2 and not node.state)
    inner = node.arguments[0]
    _fit(isinstance(inner, Made) and MAKERS.get(_called(inner)) == Maker(_array, True))
    array, dtype = _array(inner), numpy.dtype(_code(node.arguments[1]))
    _fit(dtype.kind in "mM" and isinstance(array, numpy.ndarray) and array.dtype == "i8")
    return array.view(dtype)


def _transposed(node: Made) -> Any:
    import numpy

    _fit(len(node.arguments) == 2 and not node.state)
    inner, axes = node.arguments
    _fit(isinstance(inner, Made) and MAKERS.get(_called(inner)) == Maker(_array, True))
    _fit(type(axes) is tuple and all(type(one) is int for one in axes))
    return numpy.transpose(_array(inner), axes)


def _called(node: Made) -> str:
    if isinstance(node.call, Named):
        return node.call.name
    return (getattr_of(node.call) or "") if isinstance(node.call, Made) else ""


def _code(node: Any) -> str:
    """`<f8`, or `<M8[ns]`, of the node of a dtype."""
    plain = dtype_of(node)
    if plain is not None:
        return plain
    _fit(isinstance(node, Made) and _called(node) == "numpy.dtype" and len(node.state) == 1)
    code, state = node.arguments[0], node.state[0]
    _fit(code in ("M8", "m8") and type(state) is tuple and len(state) == 9)
    _fit(state[1] in ("<", ">") and type(state[8]) is tuple and len(state[8]) == 2)
    unit, count, *_ = state[8][1]
    word = bytes(unit.data).decode("ascii") if isinstance(unit, Raw) else ""
    _fit(re.fullmatch("[a-z]{1,7}", word, re.IGNORECASE) and type(count) is int and count > 0)
    return f"{state[1]}{code}[{count}{word}]"


def _dtype(node: Made) -> Any:
    import numpy

    return numpy.dtype(_code(node))


TYPES: dict[str, Any] = {
    f"builtins.{kind.__name__}": kind
    for kind in (int, float, str, bytes, bool, complex, list, dict, tuple, set, frozenset)
}
_FACTORIES = tuple(TYPES.values())

MAKERS: dict[str, Maker] = {
    "builtins.bytes": Maker(_bytes),
    "builtins.bytearray": Maker(_bytearray),
    "builtins.str": Maker(_str),
    "builtins.complex": Maker(_plain(complex, float, float, least=2)),
    "builtins.range": Maker(_plain(range, int, least=3, most=3)),
    "builtins.slice": Maker(_plain(slice, int, type(None), least=3, most=3)),
    "builtins.set": Maker(_set(set)),
    "builtins.frozenset": Maker(_set(frozenset)),
    "collections.OrderedDict": Maker(_ordered),
    "collections.defaultdict": Maker(_defaultdict),
    "collections.Counter": Maker(_counter),
    "collections.deque": Maker(_deque),
    "datetime.date": Maker(_moment("date", 4)),
    "datetime.time": Maker(_moment("time", 6)),
    "datetime.datetime": Maker(_moment("datetime", 10)),
    "datetime.timedelta": Maker(_timedelta),
    "datetime.timezone": Maker(_timezone),
    "decimal.Decimal": Maker(_decimal),
    "fractions.Fraction": Maker(_fraction),
    "uuid.UUID": Maker(_uuid),
    "numpy.dtype": Maker(_dtype, True),
    "numpy.ndarray.view": Maker(_viewed, True),
    "numpy.ndarray.transpose": Maker(_transposed, True),
}
MAKERS |= {
    f"{module}.{name}": Maker(_path(name))
    for module in ("pathlib", "pathlib._local")
    for name in ("PosixPath", "PurePosixPath", "PureWindowsPath")
}
MAKERS |= {
    f"numpy.{core}.{name}": Maker(_array, True)
    for core in ("core", "_core")
    for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
}
