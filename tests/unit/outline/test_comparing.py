"""What differs inside two values, told from their frames and without loading them."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from insides import inside, outline
from sklearn.linear_model import LinearRegression

from mfv.outline.comparing import glance
from mfv.outline.nodes import Block, Keyed, Table


def parts(before: object, after: object) -> dict[str, tuple[str | None, str | None]]:
    return {one.path: (one.before, one.after) for one in inside(before, after).parts}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=True), st.text(max_size=3)
)
VALUES = st.recursive(
    SCALARS
    | st.binary(max_size=4)
    | arrays.arrays(numpy.float64, st.integers(0, 3), elements=st.floats(-2, 2)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_a_value_and_itself_differ_in_nothing(value: object) -> None:
    assert not inside(value, value)


@settings(max_examples=200, deadline=None)
@given(VALUES, VALUES)
def test_the_other_way_round_it_is_the_inverse(a: object, b: object) -> None:
    assert inside(a, b).inverse() == inside(b, a)


def test_keys_that_came_went_and_changed_are_told_by_their_path() -> None:
    before = {"opt": {"name": "adam", "lr": 0.1}, "layers": [1, 2], "gone": 1}
    after = {"opt": {"name": "adam", "lr": 0.2}, "layers": [1, 2, 3], "new": None}
    assert parts(before, after) == {
        "opt/lr": ("0.1", "0.2"),
        "layers/2": (None, "3"),
        "gone": ("1", None),
        "new": (None, "None"),
    }
    assert inside(before, after).same == 3


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([1, 2], (1, 2), ("[1, 2]", "[1, 2]")),
        ({"a": 1}, [1], ("dict of 1", "[1]")),
        (numpy.zeros(3), numpy.zeros(4), ("float64[3]", "float64[4]")),
        (numpy.zeros(3), numpy.zeros(3, "f4"), ("float64[3]", "float32[3]")),
        (numpy.zeros((2, 3)), numpy.zeros((3, 2)), ("float64[2, 3]", "float64[3, 2]")),
        ({1, 2}, {1, 2, 3}, (None, "3")),
        (b"abc", b"abcd", ("3 bytes", "4 bytes")),
        (True, 1, ("True", "1")),
    ],
)
def test_what_is_of_another_kind_or_shape_is_told_as_that(
    before: object, after: object, told: tuple[str, str]
) -> None:
    assert list(parts(before, after).values()) == [told]


def test_the_tensors_of_a_state_dict_that_changed_are_told_with_their_distance() -> None:
    choose = numpy.random.default_rng(1)
    before = OrderedDict(
        (f"layer{place}.weight", choose.standard_normal((30, 40)).astype("f4"))
        for place in range(12)
    )
    after = OrderedDict(before)
    after["layer10.weight"] = before["layer10.weight"] + numpy.float32(0.5)
    after["layer2.weight"] = before["layer2.weight"].copy()
    after["layer2.weight"][3, 4] = 9
    found = inside(before, after)
    assert [one.path for one in found.parts] == ["layer2.weight", "layer10.weight"]
    assert found.same == 10
    one, other = (part.measure for part in found.parts)
    assert one is not None and other is not None
    assert (one.changed, one.total) == (1, 1200)
    assert one.largest == abs(9 - float(before["layer2.weight"][3, 4]))
    assert other.changed == 1200
    assert other.largest == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(["f4", "f8", "i4", "u1", "?", "c8", "f2", ">f8", "<M8[s]"]))
def test_distances_are_those_of_numpy(data: st.DataObject, kind: str) -> None:
    shape = data.draw(arrays.array_shapes(max_dims=3, max_side=30))
    whole = arrays.arrays(numpy.dtype(kind), shape)
    a, b = data.draw(whole), data.draw(whole)
    found = inside(a, b)
    if kind == "<M8[s]":
        differ = ~((a == b) | (numpy.isnat(a) & numpy.isnat(b)))
        assert sum(one.measure.changed for one in found.parts if one.measure) == differ.sum()
        return
    wide = "c16" if kind == "c8" else "f8"
    with numpy.errstate(all="ignore"):
        x, y = a.astype(wide), b.astype(wide)
        differ = ~((a == b) | (numpy.isnan(x) & numpy.isnan(y)))
        distance = numpy.where(differ, numpy.abs(x - y), 0)
        distance[numpy.isnan(distance)] = numpy.inf
    if not differ.any():
        assert not found
        return
    (part,) = found.parts
    measure = part.measure
    assert measure is not None
    assert (measure.changed, measure.total) == (differ.sum(), a.size)
    assert measure.largest == distance.max()
    with numpy.errstate(all="ignore"):
        mean, length = distance.mean(), numpy.linalg.norm(x) * numpy.linalg.norm(y)
        cosine = numpy.vdot(x, y).real / length
    assert measure.mean == pytest.approx(mean, rel=1e-9)
    if measure.cosine is not None and length > 1e-200:  # below, squares have no digits left
        assert measure.cosine == pytest.approx(cosine, abs=1e-6)


def test_nan_equals_nan_and_infinity_is_far_from_all() -> None:
    a = numpy.array([numpy.nan, 1.0, numpy.inf])
    assert not inside(a, a.copy())
    (part,) = inside(a, numpy.array([numpy.nan, 1.0, 2.0])).parts
    assert part.measure is not None
    assert (part.measure.changed, part.measure.largest) == (1, numpy.inf)


def test_the_same_numbers_laid_out_otherwise_are_the_same() -> None:
    a = numpy.arange(6000.0)
    assert not inside({"x": a, "y": a}, {"x": a.copy(), "y": a.copy()})


def test_a_fitted_model_is_its_class_and_its_fields() -> None:
    x = numpy.arange(20.0).reshape(-1, 1)
    before = LinearRegression().fit(x, x.ravel() * 2)
    after = LinearRegression(fit_intercept=False).fit(x, x.ravel() * 3)
    found = outline(before)
    assert isinstance(found, Keyed) and found.kind.endswith("LinearRegression")
    assert isinstance(found.items["coef_"], Block)
    told = parts(before, after)
    assert told["fit_intercept"] == ("True", "False")
    assert told["coef_"] == ("float64[1]", "float64[1]")


def frame(rows: int = 2000) -> pandas.DataFrame:
    return pandas.DataFrame(
        {
            "id": numpy.arange(rows),
            "x": numpy.arange(rows) / 8,
            "day": pandas.date_range("2026-01-01", periods=rows, freq="h"),
            "kind": pandas.Categorical(["a", "b"] * (rows // 2)),
            "name": [f"n{place % 50}" for place in range(rows)],
            "flag": [place % 3 == 0 for place in range(rows)],
        }
    )


def table_diff(before: object, after: object) -> Any:
    found = inside(before, after)
    assert not found.parts
    (table,) = found.tables
    return table


def test_a_table_is_known_by_rows_columns_and_types() -> None:
    found = outline(frame())
    assert isinstance(found, Table)
    assert glance(found) == "table 2000 x 6"
    kinds = {name: column.kind for name, column in found.columns.items()}
    assert kinds["id"] == "int64" and kinds["x"] == "float64" and kinds["kind"] == "category"
    for name, column in found.columns.items():
        loaded = [str(one)[:19] for one in column.load()]
        assert loaded == [
            str(one).replace(" ", "T" if name == "day" else " ")[:19] for one in frame()[name]
        ]


def test_cells_that_changed_are_told_where_rows_stand_in_their_place() -> None:
    after = frame()
    after.loc[5, "x"] = 99.5
    after.loc[[5, 7], "name"] = "other"
    found = table_diff(frame(), after)
    assert (found.added, found.removed, found.changed) == (0, 0, 2)
    assert found.columns == (("name", 2), ("x", 1))
    assert [(one.row, one.column, one.before, one.after) for one in found.cells] == [
        ("5", "name", "n5", "other"),
        ("7", "name", "n7", "other"),
        ("5", "x", "0.625", "99.5"),
    ]


def test_rows_that_came_and_went_are_found_by_a_key() -> None:
    after = frame().drop(index=[10, 11]).reset_index(drop=True)
    after.loc[0, "x"] = -1.0
    after = pandas.concat([after, frame(2004).iloc[2000:]], ignore_index=True)
    found = table_diff(frame(), after)
    assert found.key == "id"
    assert (found.added, found.removed, found.changed) == (4, 2, 1)
    assert found.inverse() == table_diff(after, frame())


def test_without_a_key_rows_are_found_by_what_they_hold() -> None:
    before = pandas.DataFrame({"a": [1.0, 2.0, 2.0, 3.0] * 100})
    after = pandas.DataFrame({"a": [1.0, 2.0, 2.0, 3.0] * 100 + [7.0]})
    found = table_diff(before, after)
    assert (found.key, found.added, found.removed) == ("", 1, 0)


def test_labels_of_rows_are_a_key() -> None:
    before = frame(20).set_index("name").groupby(level=0)[["x"]].sum()
    after = before.copy()
    after.iloc[3, 0] = 77.0
    after = after.iloc[1:]
    found = table_diff(before, after)
    assert (found.key, found.removed, found.changed) == ("index", 1, 1)


def test_columns_that_came_and_went_are_told() -> None:
    after = frame().drop(columns="flag").assign(extra=1)
    found = table_diff(frame(), after)
    assert (found.columns_added, found.columns_removed) == (("extra",), ("flag",))


def test_tables_of_pyarrow_and_polars_are_read_as_well() -> None:
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    rows = {"a": [1, 2, 3] * 1000, "s": ["x", None, "zz"] * 1000, "f": [0.5, None, 1.5] * 1000}
    other = {**rows, "s": ["x", None, "yy", *rows["s"][3:]]}
    for make in (pyarrow.table, polars.DataFrame):
        found = table_diff(make(rows), make(other))
        assert (found.changed, found.columns) == (1, (("s", 1),))
        assert (found.cells[0].before, found.cells[0].after) == ("zz", "yy")
        assert not inside(make(rows), make(rows))


def test_what_is_too_deep_or_holds_itself_is_no_trouble() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    found = inside(deep, [deep])
    assert not found and "too large" in found.unknown
    own: list[Any] = [1]
    own.append(own)
    assert not inside(own, own)


PROBE = """
import pickle, sys
def refuse(*_, **__):
    raise AssertionError("it was unpickled")
pickle.load = pickle.loads = pickle.Unpickler = pickle._Unpickler = refuse
from mfv.cli.main import main
status = main(["diff", "1", "2", *sys.argv[1:]])
assert "pandas" not in sys.modules and "sklearn" not in sys.modules
print("numpy" in sys.modules, status)
"""


def test_numpy_is_imported_only_where_a_distance_is_shown(tmp_path: Any) -> None:
    from histories import Made, fast_repository, make

    repository = fast_repository(tmp_path / ".mfv")
    model = {"w": numpy.zeros((50, 60), "f4"), "b": numpy.ones(2000)}
    make(repository, Made("F", {}, {"model": {**model, "k": 1}}))
    make(repository, Made("F", {}, {"model": {**model, "k": 2}}))
    make(repository, Made("F", {}, {"model": {**model, "b": numpy.zeros(2000), "k": 2}}))

    def probe(*words: str) -> str:
        command = [sys.executable, "-c", PROBE.replace('"1", "2", ', ""), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert probe("1", "2").endswith("False 0\n")
    assert "max|d| 1.0" in probe("2", "3")
    assert probe("2", "3").endswith("True 0\n")


class Lying:
    """Pickles as an array that says to be larger, or other, than its bytes are."""

    def __init__(self, *facts: Any) -> None:
        self.facts = facts

    def __reduce__(self) -> Any:
        return numpy.zeros(2000).__reduce_ex__(5)[0], self.facts


@pytest.mark.parametrize(
    "facts",
    [
        (b"1234", numpy.dtype("f8"), (10**15,), "C"),
        (b"1234", numpy.dtype("f8"), (-1,), "C"),
        (b"12345678", numpy.dtype("f8"), (1, 0), "C"),
        (b"12345678", numpy.dtype("f8"), ("1",), "C"),
        (b"12345678", numpy.dtype("f8"), (1,), "X"),
        (b"12345678", numpy.dtype("O"), (1,), "C"),
        ("text", numpy.dtype("f8"), (1,), "C"),
    ],
)
def test_an_array_that_lies_about_itself_is_told_as_what_it_is_written_as(facts: Any) -> None:
    found = outline(Lying(*facts))
    assert not isinstance(found, Block)
    assert not inside(Lying(*facts), Lying(*facts))
    inside(Lying(*facts), numpy.zeros(3))
