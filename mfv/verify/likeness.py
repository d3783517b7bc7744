"""Whether two values whose bytes differ are alike, looked up without running what they name."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

from mfv.serde.inert import Bag, Made, Named, OpaqueError, Pairs, Raw
from mfv.serde.numbers import array_of

_DEPTH = 60  # of what stands in a set, or is a key
_BLOCK = 1 << 20  # items of an array compared at a time
_TORCH = {
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
    "int8": "i1",
    "int16": "i2",
    "int32": "i4",
    "int64": "i8",
    "uint8": "u1",
    "bool": "?",
}


class Tolerance(NamedTuple):
    """Numbers a (recorded) and b are alike where |a - b| <= absolute + relative * |a|."""

    relative: float = 0.0
    absolute: float = 0.0

    def __bool__(self) -> bool:
        return self.relative > 0 or self.absolute > 0


EXACT = Tolerance()


class Likeness(NamedTuple):
    """How two values compare. `alike` is None where that cannot be told without loading them."""

    alike: bool | None
    difference: float | None = None  # the largest between two numbers; None: there is none
    differing: int = 0  # numbers that are further apart than the tolerance
    where: str = ""  # below the value: the first place that is not alike
    why: str = ""


class _Inside(NamedTuple):
    """What two values stand in."""

    call: bool = False  # an object: what its bytes mean is its own affair
    dtype: str | None = None  # of the numbers that bytes are, where that is said beside them


def compare(old: Any, new: Any, tolerance: Tolerance = EXACT) -> Likeness:
    """Compares two values as `mfv.serde.inert.read` gives them, or two arrays of numpy."""
    return _Comparison(tolerance).run(old, new)


class _Comparison:
    """One walk over two values side by side, without recursion: they may be deep."""

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self._largest: float | None = None
        self._differing = 0
        self._first: tuple[str, str] | None = None
        self._opaque = False
        self._todo: list[tuple[Any, Any, str, _Inside]] = []

    def run(self, old: Any, new: Any) -> Likeness:
        self._todo.append((old, new, "", _Inside()))
        seen: set[tuple[int, int]] = set()
        while self._todo:
            a, b, path, inside = self._todo.pop()
            if isinstance(a, (list, tuple, Pairs, Bag, Made)):
                pair = id(a), id(b)
                if pair in seen:
                    continue
                seen.add(pair)
            try:
                self._look(a, b, path, inside)
            except OpaqueError as error:
                self._tell(path, error.message, opaque=True)
        alike = None if self._opaque else self._first is None
        where, why = self._first or ("", "")
        return Likeness(alike, self._largest, self._differing, where, why)

    def _look(self, a: Any, b: Any, path: str, inside: _Inside) -> None:
        if type(a) is not type(b):
            self._tell(path, f"{_kind(a)} -> {_kind(b)}")
        elif isinstance(a, (list, tuple)):
            self._sequences(a, b, path, inside)
        elif isinstance(a, Pairs):
            self._pairs(a.items, b.items, path, inside)
        elif isinstance(a, Bag):
            self._bags(a, b, path)
        elif isinstance(a, Made):
            self._made(a, b, path, inside)
        elif isinstance(a, Named):
            if a.name != b.name:
                self._tell(path, f"{a.name} -> {b.name}")
        elif isinstance(a, Raw):
            self._raw(a, b, path, inside)
        elif isinstance(a, (int, float)) and not isinstance(a, bool):
            self._number(a, b, path)
        elif hasattr(a, "dtype"):
            self._arrays(a, b, path)
        elif a != b:
            self._tell(path, "")

    def _sequences(self, a: Any, b: Any, path: str, inside: _Inside) -> None:
        if len(a) != len(b):
            self._tell(path, f"{len(a)} items -> {len(b)}")
            return
        pairs = enumerate(zip(a, b, strict=True))
        self._push([(x, y, f"{path}[{i}]", inside) for i, (x, y) in pairs])

    def _pairs(self, a: Any, b: Any, path: str, inside: _Inside) -> None:
        before, now = dict(map(_keyed, a)), dict(map(_keyed, b))
        if before.keys() != now.keys():
            self._tell(path, f"{len(before.keys() ^ now.keys())} keys are only on one side")
        kind = next((v for k, v in a if k == "dtype" and isinstance(v, Named)), None)
        if kind is not None and kind.name.startswith("torch."):
            inside = inside._replace(dtype=_TORCH.get(kind.name.removeprefix("torch.")))
        common = [key for key in before if key in now]
        self._push(
            [
                (before[key][1], now[key][1], f"{path}[{_shown(before[key][0])}]", inside)
                for key in common
            ]
        )

    def _bags(self, a: Bag, b: Bag, path: str) -> None:
        before, now = Counter(map(_key, a.items)), Counter(map(_key, b.items))
        if a.frozen != b.frozen or before != now:
            self._tell(path, f"{sum((before - now).values())} items are other ones")

    def _made(self, a: Made, b: Made, path: str, inside: _Inside) -> None:
        old, new = array_of(a), array_of(b)
        if old is not None and new is not None:
            self._arrays(old, new, path)
            return
        inside = inside._replace(call=True)
        parts = [(a.call, b.call), (a.arguments, b.arguments), (a.keywords, b.keywords)]
        more = [(a.state, b.state), (a.extended, b.extended)]
        self._push([(x, y, path, inside) for x, y in (*parts, *more)])
        if a.updated or b.updated:
            self._pairs(a.updated, b.updated, path, inside)

    def _raw(self, a: Raw, b: Raw, path: str, inside: _Inside) -> None:
        old, new = memoryview(a.data), memoryview(b.data)
        if old == new:
            return
        if old.nbytes != new.nbytes:
            self._tell(path, f"{old.nbytes} bytes -> {new.nbytes}")
            return
        if inside.dtype is not None and (numpy := _numpy()) is not None:
            try:
                before, now = (numpy.frombuffer(side, inside.dtype) for side in (old, new))
                self._arrays(before, now, path)
                return
            except ValueError:
                pass
        self._tell(path, "other bytes", opaque=inside.call)

    def _number(self, a: Any, b: Any, path: str) -> None:
        if a == b or (a != a and b != b):
            return
        try:
            difference = abs(float(a) - float(b))
            near = difference <= self._tolerance.absolute + self._tolerance.relative * abs(float(a))
        except OverflowError:
            difference, near = math.inf, False
        self._measure(math.inf if math.isnan(difference) else difference)
        if not near:
            self._differing += 1
            self._tell(path, f"{_shown(a)} -> {_shown(b)}")

    def _arrays(self, a: Any, b: Any, path: str) -> None:
        if a.dtype != b.dtype or a.shape != b.shape:
            self._tell(path, f"{a.dtype}{list(a.shape)} -> {b.dtype}{list(b.shape)}")
            return
        order = "F" if a.flags.f_contiguous else "C"
        a, b = a.reshape(-1, order=order), b.reshape(-1, order=order)
        count = 0
        for start in range(0, a.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            count += self._block(a[block], b[block])
        if count:
            self._differing += count
            self._tell(path, f"{count} of {a.size} items differ")

    def _block(self, a: Any, b: Any) -> int:
        """Measures a part of two arrays; how many of its items are not alike."""
        numpy = _numpy()
        other = a != b
        if a.dtype.kind not in "iufc":
            return int(numpy.count_nonzero(other))
        if a.dtype.kind in "fc":
            other &= ~(numpy.isnan(a) & numpy.isnan(b))
        if not other.any():
            return 0
        wide = "c16" if a.dtype.kind == "c" else "f8"
        x, y = a[other].astype(wide), b[other].astype(wide)
        with numpy.errstate(all="ignore"):
            distance = numpy.abs(x - y)
            limit = self._tolerance.absolute + self._tolerance.relative * numpy.abs(x)
            far = ~(distance <= limit) | ~(numpy.isfinite(x) & numpy.isfinite(y))
        distance[numpy.isnan(distance)] = math.inf
        self._measure(float(distance.max()))
        return int(numpy.count_nonzero(far))

    def _measure(self, difference: float) -> None:
        self._largest = max(self._largest or 0.0, difference)

    def _push(self, pairs: list[tuple[Any, Any, str, _Inside]]) -> None:
        self._todo.extend(reversed(pairs))

    def _tell(self, path: str, why: str, *, opaque: bool = False) -> None:
        if self._first is None or (self._opaque and not opaque):
            self._first = path, why
            self._opaque = opaque


def _keyed(pair: tuple[Any, Any]) -> tuple[Any, tuple[Any, Any]]:
    return _key(pair[0]), pair


def _key(node: Any, depth: int = 0) -> Any:
    """Something hashable that is equal for equal nodes."""
    if depth > _DEPTH:
        raise OpaqueError("what it holds is nested too deep to be compared")
    down = depth + 1
    match node:
        case None | bool() | int() | str():
            return type(node).__name__, node
        case float():
            return "float", "nan" if node != node else node
        case tuple() | list():
            return type(node).__name__, tuple(_key(one, down) for one in node)
        case Named():
            return "named", node.name
        case Raw():
            return "raw", bytes(node.data)
        case Bag():
            return "bag", frozenset(Counter(_key(one, down) for one in node.items).items())
        case Pairs():
            return "pairs", frozenset((_key(k, down), _key(v, down)) for k, v in node.items)
        case Made():
            parts = (node.call, node.arguments, node.keywords, node.state, node.extended)
            updated = tuple((_key(k, down), _key(v, down)) for k, v in node.updated)
            return "made", tuple(_key(part, down) for part in parts), updated
    raise OpaqueError("it holds what is not known")


def _kind(node: Any) -> str:
    if isinstance(node, Made):
        return _kind(node.call)
    if isinstance(node, Named):
        return node.name
    names = {Pairs: "dict", Bag: "set", Raw: "bytes", type(None): "None"}
    return names.get(type(node), type(node).__name__)


def _shown(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, (int, float, str)) else "..."


def _numpy() -> Any:
    try:
        import numpy
    except ImportError:
        return None
    return numpy
