"""numpy's arrays: the ones that it would copy into the stream, and files that shrank under one.

It lends out what is contiguous and of its own class. Dates it does not (they are 64-bit integers
in all but name), nor what is transposed, strided, masked, or mapped from a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mfv.serde.lending import OUT_OF_BAND_FROM, Lender

Reducer = Callable[[Any], Any]


class ShrunkError(Exception):
    """An array is mapped from a file that is no longer as long as the mapping."""


def reducer_for(kind: type, lender: Lender, shared: dict[Any, Any]) -> Reducer | None:
    """How values of `kind` are reduced; None for their own way."""
    numpy = sys.modules["numpy"]
    if kind is numpy.ndarray:
        return _reduce
    if kind in (numpy.memmap, numpy.recarray, numpy.matrix):
        return _reduce_view
    if kind is numpy.ma.MaskedArray:
        return _reduce_masked
    if issubclass(kind, numpy.ndarray):
        return _reduce_other
    return None


def _reduce(array: Any) -> Any:
    """An array of numpy's own class."""
    _check_backed(array)
    if array.nbytes < OUT_OF_BAND_FROM or array.dtype.hasobject:
        return array.__reduce_ex__(5)
    numpy = sys.modules["numpy"]
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        axes = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
        dense = array.transpose(axes)
        if dense.flags.c_contiguous:  # nothing but the order of its axes is unusual
            back = tuple(axes.index(axis) for axis in range(array.ndim))
            return numpy.ndarray.transpose, (dense, back)
        array = numpy.ascontiguousarray(array)
    if array.dtype.kind in "mM" and array.dtype.isnative:
        return numpy.ndarray.view, (array.view("i8"), array.dtype)
    return array.__reduce_ex__(5)


def _reduce_view(array: Any) -> Any:
    """One of numpy's subclasses that is nothing but another view of its memory."""
    _check_backed(array)
    if array.nbytes < OUT_OF_BAND_FROM or array.dtype.hasobject:
        return array.__reduce_ex__(5)
    numpy = sys.modules["numpy"]
    return numpy.ndarray.view, (array.view(numpy.ndarray), type(array))


def _reduce_masked(array: Any) -> Any:
    numpy = sys.modules["numpy"]
    plain = array._baseclass is numpy.ndarray and not array._optinfo
    if array.nbytes < OUT_OF_BAND_FROM or array.dtype.hasobject or not plain:
        return _reduce_other(array)
    # Arguments: dtype, copy, subok, ndmin, fill_value, keep_mask, hard_mask.
    rest = (None, False, True, 0, array._fill_value, True, bool(array.hardmask))
    return numpy.ma.MaskedArray, (array.data, array.mask, *rest)


def _reduce_other(array: Any) -> Any:
    _check_backed(array)
    return array.__reduce_ex__(5)


def _check_backed(array: Any) -> None:
    """Raises ShrunkError where a page of `array` may be gone: reading it would be a SIGBUS.

    Nothing else can be done about it, for Python cannot catch that signal. The mapping's own
    descriptor is asked, not the name of its file, which may be another file by now.
    """
    if array.base is None:
        return
    numpy, mmap = sys.modules["numpy"], sys.modules.get("mmap")
    start, base = 0, array
    while isinstance(base, numpy.ndarray):
        if isinstance(base, numpy.memmap):
            start = base.offset or 0
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if mmap is None or not isinstance(base, mmap.mmap):
        return
    try:
        size = base.size()
    except (OSError, ValueError):
        return  # anonymous memory, which no one can shorten
    end = start - start % mmap.ALLOCATIONGRANULARITY + len(base)
    if size < end:
        raise ShrunkError(f"it maps {end} bytes of a file that has only {size} left")
