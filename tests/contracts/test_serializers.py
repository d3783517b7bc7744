"""What storing a value and loading it again promises, whatever the value.

Every kind of value that is stored in its own way joins `VALUES`.
"""

from __future__ import annotations

import array
import pickle
from collections.abc import Callable
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mfv.manifest.artifact import Artifact
from mfv.odb.database import Database
from mfv.odb.writer import Writer
from mfv.repo.artifacts import load, store
from mfv.serde.lending import OUT_OF_BAND_FROM
from mfv.storage.memory import MemoryBackend

LAWS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def grown(value: numpy.ndarray, times: int) -> numpy.ndarray:
    """More of the same, so that it is large enough for a frame of its own."""
    return numpy.concatenate([value] * times) if value.ndim else value


dtypes = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(),
    arrays.unsigned_integer_dtypes(),
    arrays.floating_dtypes(endianness="?"),
    arrays.complex_number_dtypes(),
    arrays.datetime64_dtypes(),
    arrays.timedelta64_dtypes(),
    arrays.byte_string_dtypes(max_len=9),
    arrays.unicode_string_dtypes(max_len=5),
    st.just(numpy.dtype([("a", "i4"), ("b", "f8", 3), ("c", "S5")])),
)


@st.composite
def ndarrays(draw: st.DrawFn) -> numpy.ndarray:
    """Arrays of any dtype, shape, order and stride, small and large, writable or not."""
    shape = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=12)
    # Of items of no bytes there is nothing to draw.
    empty = st.sampled_from(["V0", "S0", "U0"]).map(lambda kind: numpy.zeros(5, kind))
    value = draw(arrays.arrays(draw(dtypes), shape) | empty)
    value = grown(value, draw(st.sampled_from([1, 1, 50, 3000]))) if value.size < 500 else value
    match draw(st.sampled_from(["plain", "Fortran", "reversed", "every second", "read-only"])):
        case "Fortran":
            value = numpy.asfortranarray(value)
        case "reversed":
            value = value[::-1] if value.ndim else value
        case "every second":
            value = value[::2] if value.ndim else value
        case "read-only":
            value.flags.writeable = False
    return value


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.binary(min_size=1, max_size=9).map(lambda some: some * 20_000)
    | st.binary(min_size=1, max_size=9).map(lambda some: bytearray(some * 20_000)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)

columns = st.fixed_dictionaries(
    {
        "number": st.just(numpy.arange(5000)),
        "price": st.integers(0, 9).map(lambda seed: numpy.random.default_rng(seed).random(5000)),
        "word": st.lists(st.text(max_size=5), min_size=50, max_size=50).map(lambda w: w * 100),
        "flag": st.booleans().map(lambda one: [one, not one] * 2500),
    }
)


def _same_frame(one: Any, other: Any) -> bool:
    pandas.testing.assert_frame_equal(one, other)
    return True


def _same_array(one: Any, other: Any) -> bool:
    # numpy's own pickle of small arrays forgets a byte order that is not the machine's.
    native = other.dtype.newbyteorder("=")
    assert (one.dtype.newbyteorder("="), one.shape) == (native, other.shape)
    # Bit for bit: among floats there are those that equal not even themselves.
    return bool(one.astype(native).tobytes() == other.astype(native).tobytes())


Case = tuple[st.SearchStrategy[Any], Callable[[Any, Any], bool]]
VALUES: dict[str, Case] = {
    "plain values": (plain, lambda a, b: bool(a == b) and type(a) is type(b)),
    "arrays": (ndarrays(), _same_array),
    "arrays within others": (
        st.dictionaries(st.text(max_size=3), st.lists(ndarrays(), max_size=2), max_size=3),
        lambda a, b: (
            a.keys() == b.keys()
            and all(_same_array(x, y) for key in a for x, y in zip(a[key], b[key], strict=True))
        ),
    ),
    "masked arrays": (
        st.integers(1, 9000).map(
            lambda n: numpy.ma.masked_array(numpy.arange(n), numpy.arange(n) % 3 == 0)
        ),
        lambda a, b: _same_array(a.filled(7), b.filled(7)) and bool((a.mask == b.mask).all()),
    ),
    "Python's arrays": (
        st.integers(0, 9000).map(lambda n: array.array("d", range(n))),
        lambda a, b: bool(a == b),
    ),
    "tables of pandas": (columns.map(pandas.DataFrame), _same_frame),
    "tables of pandas, a slice": (
        columns.map(lambda some: pandas.DataFrame(some)[100:4000:3]),
        _same_frame,
    ),
    "tables of pyarrow": (columns.map(pyarrow.table), lambda a, b: bool(a.equals(b))),
    "tables of pyarrow, a slice": (
        columns.map(lambda some: pyarrow.table(some).slice(17, 1000)),
        lambda a, b: bool(a.equals(b)),
    ),
    "tables of polars": (columns.map(polars.DataFrame), lambda a, b: bool(a.equals(b))),
    "sparse matrices": (
        st.integers(1, 400).map(lambda n: scipy.sparse.random(n, n, 0.3, "csr", random_state=n)),
        lambda a, b: bool((a != b).nnz == 0),
    ),
}


def stored(value: object) -> tuple[Database, Artifact]:
    database = Database(MemoryBackend())
    writer = Writer(database)
    artifact = store(writer, "value", value)
    writer.flush()
    return Database(database.backend), artifact


@LAWS
@given(data=st.data())
@pytest.mark.parametrize("kind", VALUES)
def test_what_was_stored_is_loaded(kind: str, data: st.DataObject) -> None:
    values, same = VALUES[kind]
    value = data.draw(values)
    assert same(load(*stored(value)), value)


@LAWS
@given(data=st.data())
@pytest.mark.parametrize("kind", VALUES)
def test_the_same_value_has_the_same_id_each_time(kind: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[kind][0])
    assert stored(value)[1].id == stored(value)[1].id


@LAWS
@given(data=st.data())
@pytest.mark.parametrize("kind", VALUES)
def test_what_is_loaded_is_stored_as_the_same_frames(kind: str, data: st.DataObject) -> None:
    """So that a value handed on from step to step, and from run to run, costs nothing."""
    if kind in ("plain values", "arrays within others"):
        return  # equal parts may be one object before and two after: the stream tells that
    value = data.draw(VALUES[kind][0])
    if kind == "masked arrays" and value.nbytes < OUT_OF_BAND_FROM:
        return  # numpy's own way, whose pickles differ in what is one object
    once = load(*stored(value))
    assert stored(load(*stored(once)))[1].frames == stored(once)[1].frames


@LAWS
@given(value=ndarrays())
def test_an_array_that_is_loaded_can_be_written_to_and_is_nobody_elses(
    value: numpy.ndarray,
) -> None:
    database, artifact = stored(value)
    found: Any = load(database, artifact)
    if found.size and found.dtype.itemsize:
        assert found.flags.writeable or not value.flags.writeable
        if found.flags.writeable:
            found[...] = numpy.zeros((), found.dtype)
    again: Any = load(database, artifact)
    assert _same_array(again, value)


@LAWS
@given(value=ndarrays())
def test_the_frames_are_a_pickle_and_its_buffers_and_any_pickle_module_loads_them(
    value: numpy.ndarray,
) -> None:
    database, artifact = stored({"value": value})
    stream, *buffers = (database.read_blob(frame.id) for frame in artifact.frames)
    assert _same_array(pickle.loads(stream, buffers=buffers)["value"], value)
    assert all(len(buffer) >= OUT_OF_BAND_FROM for buffer in buffers)
