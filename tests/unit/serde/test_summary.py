"""What is told of a value: true, short, the same for equal values, and never an exception."""

from __future__ import annotations

import reprlib
import subprocess
import sys
import threading
import tracemalloc
import warnings
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mfv.serde.summary import _short, brief, summarize, type_name


def test_an_array_tells_shape_dtype_and_statistics() -> None:
    facts = summarize(numpy.array([[1.0, 2.0], [3.0, numpy.nan]]))
    assert (facts.shape, facts.dtype) == ((2, 2), "float64")
    assert (facts.low, facts.high, facts.mean, facts.nulls) == (1.0, 3.0, 2.0, 1)


@pytest.mark.parametrize("dtype", ["i1", "u8", "f2", "f4", ">f8", "bool"])
def test_numbers_of_every_width_are_told(dtype: str) -> None:
    facts = summarize(numpy.array([0, 1, 1, 0] * 10).astype(dtype))
    assert (facts.low, facts.high, facts.mean, facts.nulls) == (0.0, 1.0, 0.5, 0)


def test_arrays_without_numbers_tell_no_statistics() -> None:
    for value in (numpy.array(["a"]), numpy.empty(0), numpy.array([None]), numpy.zeros(2, "i4,f8")):
        facts = summarize(value)
        assert facts.shape == value.shape
        assert (facts.low, facts.high, facts.mean) == (None, None, None)


def test_an_array_of_nothing_but_nan_counts_them() -> None:
    facts = summarize(numpy.full(7, numpy.nan))
    assert (facts.nulls, facts.low, facts.mean) == (7, None, None)


def test_infinities_and_nan_warn_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts = summarize(numpy.array([numpy.inf, -numpy.inf, numpy.nan, 1.0]))
    assert facts.shape == (4,)
    assert (facts.low, facts.high, facts.nulls) == (-numpy.inf, numpy.inf, 1)


def test_a_table_tells_its_columns_and_missing_values() -> None:
    table = pandas.DataFrame({"a": [1, 2], "b": [0.5, None], 3: ["x", "y"]})
    facts = summarize(table)
    assert facts.shape == (2, 3)
    assert [name for name, _ in facts.columns] == ["a", "b", "3"]
    assert dict(facts.columns)["a"] == "int64"
    assert facts.nulls == 1
    assert summarize(table["a"]).shape == (2,)


def test_a_mapping_tells_its_keys_and_what_they_hold() -> None:
    facts = summarize({"w": numpy.zeros((3, 4), "f4"), "n": 5, "items": [1, 2]})
    assert facts.length == 3
    assert facts.columns == (("w", "float32[3, 4]"), ("n", "5"), ("items", "list[2]"))


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"%PDF-1.7", "application/pdf"),
        (b"GIF89a", "image/gif"),
        (b"plain", None),
        (b"", None),
    ],
)
def test_bytes_that_are_a_picture_or_document_say_so(data: bytes, media: str | None) -> None:
    assert (summarize(data).media, summarize(data).length) == (media, len(data))


class Plain:
    pass


class Long:
    def __repr__(self) -> str:
        return "<" + "wide " * 12 + f"at {id(self):#x}" + " tail" * 20 + ">"


def an_unnamed() -> Any:
    return lambda: 0


@pytest.mark.parametrize("make", [Plain, Long, an_unnamed, threading.Lock, lambda: print])
def test_equal_values_read_alike_for_no_address_is_told(make: Any) -> None:
    for wrap in (lambda v: v, lambda v: [1, v], lambda v: {"k": v}, lambda v: (v, [v])):
        one, other = make(), make()
        first, second = summarize(wrap(one)), summarize(wrap(other))
        assert first == second
        assert "0x" not in repr(first)


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class BrokenLength(list):  # type: ignore[type-arg]
    def __len__(self) -> int:
        raise RuntimeError("no length")


class BrokenItems(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise RuntimeError("no items")


class BrokenClass:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


HOSTILE: dict[str, Any] = {
    "repr": Broken,
    "length": lambda: BrokenLength([1]),
    "items": lambda: BrokenItems(a=1),
    "class": BrokenClass,
    "endless": endless,
    "huge": lambda: 10**5000,
    "surrogates": lambda: "\udc80" * 10,
    "control characters": lambda: "\x1b[31m\r\n",
    "broken keys": lambda: {Broken(): Broken()},
    "broken elements": lambda: [Broken()],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_value_whose_methods_fail_is_told_by_its_type_and_never_raises(name: str) -> None:
    facts = summarize(HOSTILE[name]())
    assert isinstance(facts.text, str)
    assert "\n" not in facts.text
    assert len(facts.text) <= 160


def test_one_broken_part_does_not_hide_the_rest() -> None:
    facts = summarize([1, Broken(), "x"])
    assert facts.length == 3
    assert facts.text.startswith("[1, <")
    assert facts.text.endswith("'x']")


@settings(deadline=None)
@given(st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=50))
def test_the_text_is_short_and_on_one_line(value: Any) -> None:
    text = summarize(value).text
    assert len(text) <= 160
    assert "\n" not in text
    assert text == summarize(value).text


def test_type_names_are_dotted_and_builtins_plain() -> None:
    assert type_name(1) == "int"
    assert type_name(numpy.zeros(1)) == "numpy.ndarray"
    assert type_name(Plain()).endswith(".Plain")


def test_brief_is_one_phrase() -> None:
    assert brief("x" * 500)[:2] == "'x"
    assert len(brief("x" * 500)) <= 60
    assert brief(object()) == "object"
    assert brief({1: 2}) == "dict[1]"


def test_a_pyarrow_table_tells_its_columns_rows_and_gaps() -> None:
    table = pyarrow.table({"a": [1, None, 3], "b": ["x", None, None]})
    for value in (table, table.to_batches()[0]):
        facts = summarize(value)
        assert facts.shape == (3, 2)
        assert facts.columns == (("a", "int64"), ("b", "string"))
        assert facts.nulls == 3
    facts = summarize(table["b"])
    assert (facts.shape, facts.dtype, facts.nulls) == ((3,), "string", 2)
    assert summarize(pyarrow.array([1, 2])).dtype == "int64"


def test_a_polars_table_tells_its_columns_rows_and_gaps() -> None:
    table = polars.DataFrame({"a": [1, None, 3], "b": ["x", None, None]})
    facts = summarize(table)
    assert facts.shape == (3, 2)
    assert facts.columns == (("a", "Int64"), ("b", "String"))
    assert facts.nulls == 3
    facts = summarize(table["a"])
    assert (facts.text, facts.shape, facts.dtype, facts.nulls) == ("Series 'a'", (3,), "Int64", 1)


def test_a_query_is_not_run_to_be_told() -> None:
    def never(_: Any) -> Any:
        raise AssertionError

    lazy = polars.DataFrame({"a": [1]}).lazy().map_batches(never)
    assert summarize(lazy).text == "a query"


def test_pandas_with_text_of_arrow_and_nullable_numbers_is_told() -> None:
    table = pandas.DataFrame({"w": pandas.array(["a", None], "str"), "n": pandas.array([1, None])})
    facts = summarize(table)
    assert facts.columns == (("w", "str"), ("n", "Int64"))
    assert facts.nulls == 2


@pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_a_sparse_matrix_tells_shape_dtype_and_what_is_stored(make: Any) -> None:
    facts = summarize(make(numpy.eye(30, dtype="f4")))
    assert (facts.shape, facts.dtype) == ((30, 30), "float32")
    assert facts.text == f"{make(numpy.eye(2)).format}, 30 stored"


def test_a_model_tells_its_parameters() -> None:
    assert summarize(LogisticRegression(C=0.5)).text == "LogisticRegression(C=0.5)"


def test_parts_of_a_dict_are_told_by_type_and_shape() -> None:
    value = {
        "array": numpy.zeros((2, 3), "f4"),
        "pandas": pandas.DataFrame({"a": [1]}),
        "polars": polars.DataFrame({"a": [1], "b": [2]}),
        "pyarrow": pyarrow.table({"a": [1, 2]}),
    }
    assert summarize(value).columns == (
        ("array", "float32[2, 3]"),
        ("pandas", "pandas.DataFrame[1, 1]"),
        ("polars", "polars.dataframe.frame.DataFrame[1, 2]"),
        ("pyarrow", "pyarrow.lib.Table[2, 1]"),
    )


def test_telling_imports_no_library() -> None:
    code = """
import sys
from mfv.serde.summary import summarize
summarize({"a": [1, b"x"], "b": object()})
print({"numpy", "pandas", "torch", "pyarrow", "polars", "scipy"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("make", [bytes, bytearray])
def test_long_bytes_within_a_value_are_not_copied_to_be_told(make: Any) -> None:
    value = {"raw": make(16 << 20), "list": [make(16 << 20)]}
    tracemalloc.start()
    facts = summarize(value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert facts.columns == (("raw", f"{make.__name__}[16777216]"), ("list", "list[1]"))
    assert r"\x00..." in summarize([make(16 << 20)]).text or len(facts.text) == 160
    assert peak < 1 << 20


def test_a_large_array_is_not_copied_to_be_told() -> None:
    value = numpy.ones(4 << 20)
    value[5], value[7] = numpy.nan, 3
    for array in (value, numpy.ma.masked_less(value, 0)):
        tracemalloc.start()
        facts = summarize(array)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert facts.shape == (4 << 20,)
        assert peak < value.nbytes // 2
    assert (summarize(value).nulls, summarize(value).high) == (1, 3.0)


@given(
    st.one_of(
        st.none(), st.booleans(), st.floats(), st.text(max_size=300), st.integers(),
        st.integers(-(10**45), 10**45), st.sampled_from([10**39, -(10**39), 10**40, -(10**38) + 1]),
    )
)  # fmt: skip
def test_what_needs_no_shortening_reads_as_it_would_if_it_were_shortened(value: object) -> None:
    slow = reprlib.Repr.repr1(_short, value, _short.maxlevel)
    assert _short.repr(value) == slow
    assert brief(value) == " ".join(slow.split())[:160][:60]
