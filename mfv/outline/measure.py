"""How far apart two blocks of numbers are, a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mfv.diff.content import Measure
from mfv.outline.nodes import Block
from mfv.serde.inert import Away

_PIECE = 1 << 18  # numbers looked at at a time


def measure(a: Block, b: Block) -> Measure | None:
    """The distance of two blocks of one dtype and shape; None where numpy cannot tell.

    They are read in the order in which they lie; NaN equals NaN.
    """
    if (a.order != b.order and len(a.shape) > 1) or (a.code is None and a.dtype != "bfloat16"):
        return None
    import numpy

    meter = _Meter(numpy)
    for one, other in zip(numbers_of(a), numbers_of(b), strict=True):
        meter.take(one, other)
    return meter.result(a.numbers)


def measure_lists(a: list[float], b: list[float]) -> Measure:
    """The same for two lists of numbers of one length, without numpy."""
    changed, largest, total, dot, first, second = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for one, other in zip(a, b, strict=True):
        dot, first, second = dot + one * other, first + one * one, second + other * other
        if one == other or (one != one and other != other):
            continue
        changed += 1
        distance = abs(one - other)
        distance = math.inf if distance != distance else distance
        largest, total = max(largest, distance), total + distance
    return Measure(changed, len(a), largest, total / max(len(a), 1), _cosine(dot, first, second))


def numbers_of(block: Block) -> Iterator[Any]:
    """The numbers of a block as arrays of numpy, a piece at a time, in the order of its bytes."""
    import numpy

    code = "<u2" if block.code is None else block.code
    width = numpy.dtype(code).itemsize
    for data in _pieces(block, width):
        found = numpy.frombuffer(data, code)
        if block.code is None:  # bfloat16: the upper half of a float32
            found = (found.astype("<u4") << 16).view("<f4")
        yield found


def _pieces(block: Block, width: int) -> Iterator[bytes | memoryview]:
    """The bytes of a block, cut after every so many numbers."""
    size, most = block.numbers * width, _PIECE * width
    if not isinstance(block.data, Away):
        whole = memoryview(block.data.data).cast("B")[block.offset : block.offset + size]
        for start in range(0, size, most):
            yield whole[start : start + most]
        return
    held, skip, left = bytearray(), block.offset, size
    for piece in block.data.pieces():
        view = memoryview(piece).cast("B")
        if skip >= len(view):
            skip -= len(view)
            continue
        held += view[skip:][: left - len(held)]
        skip = 0
        while len(held) >= most:
            yield bytes(held[:most])
            del held[:most]
            left -= most
        if len(held) >= left:
            break
    if held:
        yield bytes(held)


class _Meter:
    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy
        self._changed = 0
        self._largest = self._total = self._dot = self._first = self._second = 0.0
        self._plain = True  # numbers with a distance

    def take(self, a: Any, b: Any) -> None:
        numpy = self._numpy
        if a.dtype.kind in "mM":
            a, b = a.view("i8"), b.view("i8")
        other = a != b
        if a.dtype.kind not in "biufc":
            self._plain = False
            self._changed += int(numpy.count_nonzero(other))
            return
        wide = "c16" if a.dtype.kind == "c" else "f8"
        with numpy.errstate(all="ignore"):
            x, y = a.astype(wide), b.astype(wide)
            if a.dtype.kind in "fc":
                other &= ~(numpy.isnan(a) & numpy.isnan(b))
            distance = numpy.abs(x[other] - y[other])
            distance[numpy.isnan(distance)] = math.inf
            self._dot += float(numpy.real(numpy.vdot(x, y)))
            self._first += float(numpy.real(numpy.vdot(x, x)))
            self._second += float(numpy.real(numpy.vdot(y, y)))
        self._changed += len(distance)
        if len(distance):
            self._largest = max(self._largest, float(distance.max()))
            self._total += float(distance.sum())

    def result(self, total: int) -> Measure:
        if not self._plain:
            return Measure(self._changed, total, math.nan, math.nan)
        cosine = _cosine(self._dot, self._first, self._second)
        return Measure(self._changed, total, self._largest, self._total / max(total, 1), cosine)


def _cosine(dot: float, first: float, second: float) -> float | None:
    length = math.sqrt(first) * math.sqrt(second) if first >= 0 and second >= 0 else math.nan
    if not length or length != length or math.isinf(length):
        return None
    return max(-1.0, min(1.0, dot / length))
