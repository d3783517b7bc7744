"""What is told of a value: true, short, the same for equal values, and never an exception."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.serde.summary import brief, summarize, type_name


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
