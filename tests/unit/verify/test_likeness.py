"""Values with other bytes: what is alike, what is not, how far apart, and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.serde import inert
from mfv.serde.inert import Made, Named, Pairs, Raw
from mfv.serde.pickle5 import dump
from mfv.verify.likeness import EXACT, Likeness, Tolerance, compare
from mfv.verify.loaded import compare_loaded


def look(old: object, new: object, tolerance: Tolerance = EXACT) -> Likeness:
    sides = [inert.read([frame.data for frame in dump(v, name="x")]) for v in (old, new)]
    return compare(*sides, tolerance)


SHARED = [1.5]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a", "b", "c"}, {"c", "b", "a"}),
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}),
        ([SHARED, SHARED], [[1.5], [1.5]]),
        (0.0, -0.0),
        ([float("nan")], [float("nan")]),
        (np.array([np.nan, 1]), np.array([-np.nan, 1])),
        ({frozenset({"a", "b"}): 1}, {frozenset({"b", "a"}): 1}),
    ],
)
def test_equal_values_are_alike_whatever_their_bytes(old: object, new: object) -> None:
    found = look(old, new)
    assert found.alike is True
    assert found.difference is None


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ({"a": [1, 2, 3]}, {"a": [1, 2, 4]}, "['a'][2]"),
        ([1], [1, 2], ""),
        ([1], (1,), ""),
        (1, 1.0, ""),
        (1, True, ""),
        (None, 0, ""),
        ("a", "b", ""),
        ({"a": 1}, {"b": 1}, ""),
        ({1, 2}, {1, 3}, ""),
        ([{"x": "y"}], [{"x": "z"}], "[0]['x']"),
        (np.arange(3), np.arange(4), ""),
        (np.arange(3), np.arange(3.0), ""),
        (np.array(["a", "b"]), np.array(["a", "c"]), ""),
    ],
)
def test_what_is_not_alike_is_found_at_its_place(old: object, new: object, where: str) -> None:
    found = look(old, new)
    assert found.alike is False
    assert found.where == where


def test_numbers_are_measured_and_held_against_the_tolerance() -> None:
    old, new = {"w": np.array([1.0, 2.0, 4.0])}, {"w": np.array([1.0, 2.0, 4.5])}
    strict = look(old, new)
    assert (strict.alike, strict.difference, strict.differing) == (False, 0.5, 1)
    assert strict.where == "['w']"
    assert strict.why == "1 of 3 items differ"
    assert look(old, new, Tolerance(absolute=0.5)) == Likeness(True, 0.5)
    assert look(old, new, Tolerance(absolute=0.49)).alike is False
    assert look(old, new, Tolerance(relative=0.125)).alike is True
    assert look(old, new, Tolerance(relative=0.124)).alike is False


def test_the_relative_tolerance_is_of_the_recorded_number() -> None:
    assert look([100.0], [110.0], Tolerance(relative=0.1)).alike is True
    assert look([110.0], [99.0], Tolerance(relative=0.1)).alike is True
    assert look([100.0], [111.0], Tolerance(relative=0.1)).alike is False


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
def test_no_tolerance_takes_what_is_no_number_for_one(odd: float) -> None:
    loose = Tolerance(relative=1e9, absolute=1e9)
    assert look([1.0], [odd], loose).alike is False
    assert look(np.array([1.0]), np.array([odd]), loose).alike is False
    assert look(np.array([odd]), np.array([odd + 0]), loose).alike is True
    assert look(1 << 2000, 1 << 2001, loose).alike is False


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 10))
def test_arrays_and_lists_of_the_same_numbers_compare_alike(
    values: list[float], atol: float
) -> None:
    moved = [value + 1.0 for value in values]
    tolerance = Tolerance(absolute=atol)
    found = look(values, moved, tolerance)
    array = look(np.array(values), np.array(moved), tolerance)
    assert (found.alike, found.difference) == (array.alike, array.difference)
    assert found.differing == array.differing


def test_arrays_beside_the_stream_are_measured_too() -> None:
    old = np.zeros(3_000_000, dtype="f4")
    new = old.copy()
    new[[5, 2_999_999]] = 0.25
    found = look(old, new)
    assert (found.difference, found.differing) == (0.25, 2)
    assert look(old, new, Tolerance(absolute=0.25)).alike is True


def test_small_whole_numbers_are_subtracted_without_an_overflow() -> None:
    found = look(np.array([0], dtype="u1"), np.array([255], dtype="u1"))
    assert found.difference == 255.0
    assert look(np.array([0], dtype="u1"), np.array([1], dtype="u1")).difference == 1.0


class Model:
    def __init__(self, weights: Any) -> None:
        self.weights = weights


def test_an_object_is_looked_into_without_its_class() -> None:
    found = look(Model(np.array([1.0])), Model(np.array([1.5])))
    assert (found.alike, found.difference) == (False, 0.5)
    assert "weights" in found.where
    assert look(Model([1.0]), Model([1.1]), Tolerance(absolute=0.2)).alike is True


def test_a_table_is_compared_by_its_columns() -> None:
    old = pd.DataFrame({"a": [1.0, 2.0], "b": [1, 2]})
    new = old.assign(a=[1.0, 2.5])
    assert look(old, new).difference == 0.5
    assert look(old, new, Tolerance(absolute=0.5)).alike is True


def test_what_holds_itself_is_compared_once() -> None:
    def loop(value: float) -> list[object]:
        found: list[object] = [value]
        found.append(found)
        return found

    assert look(loop(1.0), loop(1.0)).alike is True
    assert look(loop(1.0), loop(2.0)).alike is False


def test_bytes_within_an_object_are_its_own_affair_and_others_are_just_bytes() -> None:
    one, other = (bytearray(char * 20_000) for char in (b"a", b"b"))
    assert look({"raw": one}, {"raw": other}).alike is False
    assert look(Model(one), Model(other)).alike is None
    assert look(Model(one), Model(other[1:])).alike is False


def test_what_is_deep_in_a_set_is_not_called_different() -> None:
    deep: Any = ()
    for _ in range(200):
        deep = (deep,)
    assert look({deep, 1}, {deep, 2}).alike is None


def test_loaded_values_are_compared_by_number_where_they_have_some() -> None:
    old = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
    assert compare_loaded(old, old.copy(), EXACT).alike is True
    found = compare_loaded(old, old.assign(a=[1.0, 2.5]), EXACT)
    assert (found.alike, found.difference, found.where) == (False, 0.5, "['a']")
    assert compare_loaded(old, old.assign(a=[1.0, 2.5]), Tolerance(absolute=1)).alike is True
    assert compare_loaded(old, old.assign(b=["x", "y"]), EXACT).alike is False
    assert compare_loaded([1, {2}], [1, {2}], EXACT).alike is True
    assert compare_loaded([1, {2}], [1, {3}], EXACT).alike is False


def test_a_comparison_that_raises_leaves_it_open() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("no")

        __hash__ = object.__hash__

    found = compare_loaded(Odd(), Odd(), EXACT)
    assert found.alike is None and "ValueError" in found.why


def storage(numbers: list[float], dtype: str) -> Made:
    """A storage of torch as it stands in a stream: bytes, and beside them what they are."""
    keywords = Pairs()
    raw = Raw(np.array(numbers, dtype="f4").tobytes())
    keywords.items = [
        ("wrap_storage", Made(Named("torch.frombuffer"), (raw,))),
        ("dtype", Named(dtype)),
    ]
    made = Made(Named("functools.partial"), (Named("torch.storage.TypedStorage"),))
    made.state = [(Named("torch.storage.TypedStorage"), (), keywords, None)]
    return made


def test_a_tensor_is_measured_by_the_type_beside_its_bytes() -> None:
    old, new = ({"w": storage([1.0, last], "torch.float32")} for last in (2.0, 2.25))
    pairs = []
    for side in (old, new):
        found = Pairs()
        found.items = list(side.items())
        pairs.append(found)
    assert compare(*pairs).difference == 0.25
    assert compare(*pairs, Tolerance(absolute=0.25)).alike is True
    strange = [storage([1.0, last], "torch.bfloat16") for last in (2.0, 2.25)]
    assert compare(*strange).alike is None
