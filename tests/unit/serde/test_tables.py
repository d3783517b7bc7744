"""Tables of pyarrow, pandas and polars: a frame for each buffer of each column."""

from __future__ import annotations

import datetime
import decimal
import pickle
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.serde.frame import Item
from mfv.serde.pickle5 import dump, load

ROWS = 20_000


def there_and_back(value: Any) -> Any:
    frames = dump(value, name="self.x")
    assert b"mfv" not in bytes(frames[0].data)
    return load([memoryview(bytearray(frame.data)) for frame in frames])


def items(value: Any) -> list[Item | None]:
    return [frame.item for frame in dump(value, name="self.x")[1:]]


def holes(values: list[Any]) -> list[Any]:
    return [None if place % 7 == 3 else value for place, value in enumerate(values)]


WORDS = [f"word {i}" for i in range(ROWS)]
NUMBERS = list(range(ROWS))
DAY = datetime.date(2024, 1, 1)

COLUMNS: dict[str, tuple[Any, list[Item | None]]] = {
    "int64": (pyarrow.array(NUMBERS), [Item("i", 8)]),
    "int32": (pyarrow.array(NUMBERS, pyarrow.int32()), [Item("i", 4)]),
    "uint16": (pyarrow.array(NUMBERS, pyarrow.uint16()), [Item("u", 2)]),
    "uint8": (pyarrow.array([1] * ROWS, pyarrow.uint8()), [None]),
    "int8": (pyarrow.array([1] * ROWS, pyarrow.int8()), [Item("i", 1)]),
    "half": (pyarrow.array(numpy.arange(ROWS, dtype="f2")), [Item("f", 2)]),
    "float": (pyarrow.array(NUMBERS, pyarrow.float32()), [Item("f", 4)]),
    "double": (pyarrow.array(holes([float(i) for i in NUMBERS])), [Item("f", 8)]),
    "bool": (pyarrow.array([True, False] * 100_000), [None]),
    "timestamp": (pyarrow.array(NUMBERS, pyarrow.timestamp("us", "UTC")), [Item("i", 8)]),
    "date": (pyarrow.array([DAY] * ROWS), [Item("i", 4)]),
    "duration": (pyarrow.array(NUMBERS, pyarrow.duration("s")), [Item("i", 8)]),
    "decimal": (pyarrow.array([decimal.Decimal("1.25")] * ROWS), [Item("V", 16)]),
    "text": (pyarrow.array(holes(WORDS)), [Item("i", 4), None]),
    "long text": (pyarrow.array(WORDS, pyarrow.large_string()), [Item("i", 8), None]),
    "bytes": (pyarrow.array([b"abc"] * ROWS), [Item("i", 4), None]),
    "fixed bytes": (pyarrow.array([b"abc"] * ROWS, pyarrow.binary(3)), [Item("V", 3)]),
    "dictionary": (pyarrow.array(holes(["a", "b"] * 10_000)).dictionary_encode(), [Item("i", 4)]),
    "list": (pyarrow.array(holes([[i, i] for i in NUMBERS])), [Item("i", 4), Item("i", 8)]),
    "fixed list": (
        pyarrow.array(holes([[i, i] for i in NUMBERS]), pyarrow.list_(pyarrow.int32(), 2)),
        [Item("i", 4)],
    ),
    "map": (
        pyarrow.array(
            [[("k", i)] for i in NUMBERS], pyarrow.map_(pyarrow.string(), pyarrow.int64())
        ),
        [Item("i", 4), Item("i", 4), None, Item("i", 8)],
    ),
    "struct": (
        pyarrow.array(holes([{"a": i, "b": "xy"} for i in NUMBERS])),
        [Item("i", 8), Item("i", 4), None],
    ),
    "nulls": (pyarrow.nulls(ROWS), []),
    "view of text": (pyarrow.array(WORDS, pyarrow.string_view()), []),
    "ends of runs": (
        pyarrow.RunEndEncodedArray.from_arrays([10, ROWS], pyarrow.array([1, 2])),
        [],
    ),
    "union": (
        pyarrow.UnionArray.from_sparse(
            pyarrow.array([0, 1] * 10_000, pyarrow.int8()),
            [pyarrow.array(NUMBERS), pyarrow.array(WORDS)],
        ),
        [],
    ),
}
CUT = [name for name in COLUMNS if name not in ("view of text", "ends of runs", "union")]


@pytest.mark.parametrize("name", COLUMNS)
def test_an_array_comes_back_with_its_type_and_gaps(name: str) -> None:
    value = COLUMNS[name][0]
    again = there_and_back(value)
    again.validate(full=True)
    assert again.type == value.type
    assert again.equals(value)


@pytest.mark.parametrize("name", CUT)
def test_each_buffer_of_an_array_is_a_frame_with_its_items(name: str) -> None:
    value, expected = COLUMNS[name]
    assert [
        item for frame, item in dump(value, name="self.x")[1:] if len(frame) >= ROWS
    ] == expected


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("rows", [(0, 9), (3, 50), (8, 8), (19_990, 10), (5000, 0), (13, 15_000)])
def test_a_slice_comes_back_and_takes_no_more_than_its_share(
    name: str, rows: tuple[int, int]
) -> None:
    whole = COLUMNS[name][0]
    value = whole.slice(*rows)
    again = there_and_back(value)
    again.validate(full=True)
    assert again.equals(value)
    if name in CUT:
        frames = dump(value, name="self.x")
        size = sum(memoryview(frame.data).nbytes for frame in frames)
        assert size < value.nbytes + 4000


@settings(deadline=None, max_examples=100)
@given(st.data(), st.lists(st.none() | st.text(max_size=9), max_size=60))
def test_any_slice_of_slices_comes_back(data: st.DataObject, words: list[str | None]) -> None:
    lists = [words[:place] for place in range(len(words))]
    for value in (
        pyarrow.array(words, "string"),
        pyarrow.array(lists, pyarrow.list_(pyarrow.string())),
    ):
        for _ in range(2):
            start = data.draw(st.integers(0, len(value)))
            value = value.slice(start, data.draw(st.integers(0, len(value) - start)))
        again = there_and_back(
            pyarrow.StructArray.from_arrays([value], ["a"]).slice(len(value) // 2)
        )
        again.validate(full=True)
        assert again.field(0).equals(value.slice(len(value) // 2))


TABLE = pyarrow.table(
    {name: COLUMNS[name][0] for name in ("int64", "text", "double", "dictionary")}
)


@pytest.mark.parametrize(
    "value",
    [
        TABLE,
        TABLE.to_batches()[0],
        pyarrow.concat_tables([TABLE, TABLE.slice(5, 100)]),
        pyarrow.chunked_array([COLUMNS["text"][0], COLUMNS["text"][0].slice(7)]),
        pyarrow.chunked_array([], pyarrow.int32()),
        TABLE.replace_schema_metadata({"made by": "us"}),
    ],
    ids=["table", "batch", "two tables", "chunks", "no chunks", "metadata"],
)
def test_tables_and_columns_of_several_pieces_come_back(value: Any) -> None:
    again = there_and_back(value)
    assert type(again) is type(value)
    assert again.equals(value)
    if hasattr(value, "schema"):
        assert again.schema.equals(value.schema, check_metadata=True)


def test_a_table_is_not_copied() -> None:
    addresses = {
        COLUMNS["int64"][0].buffers()[1].address,
        COLUMNS["double"][0].buffers()[1].address,
    }
    lent = [
        numpy.frombuffer(frame.data, "u1").ctypes.data for frame in dump(TABLE, name="self.x")[1:]
    ]
    assert addresses <= set(lent)


def changed(before: Any, after: Any) -> list[int]:
    """The numbers of the frames that differ."""
    one, two = ([bytes(f.data) for f in dump(v, name="self.x")] for v in (before, after))
    assert len(one) == len(two)
    return [place for place in range(len(one)) if one[place] != two[place]]


def test_a_changed_column_of_a_pyarrow_table_changes_its_frame_alone() -> None:
    other = pyarrow.array([i + 1 for i in NUMBERS])
    assert changed(TABLE, TABLE.set_column(0, "int64", other)) == [1]


def test_a_bare_buffer_has_no_items() -> None:
    value = pyarrow.py_buffer(bytes(ROWS))
    assert items(value) == [None]
    assert there_and_back(value).equals(value)


PANDAS: dict[str, Any] = {
    "text": pandas.Series(holes(WORDS), name="w", dtype="str"),
    "text of pyarrow": pandas.Series(holes(WORDS), dtype="string[pyarrow]"),
    "numbers of pyarrow": pandas.Series(holes(NUMBERS), dtype="int64[pyarrow]"),
    "nullable": pandas.Series(holes(NUMBERS), dtype="Int32"),
    "categories": pandas.Series(holes(["a", "b"] * 10_000), dtype="category"),
    "zoned": pandas.Series(pandas.date_range("2024", periods=ROWS, freq="h", tz="UTC")),
    "objects": pandas.Series([(i,) for i in range(100)]),
    "periods": pandas.Series(pandas.period_range("1900", periods=ROWS, freq="D")),
    "a slice of text": pandas.Series(WORDS, dtype="str")[100:15_000],
    "text in two pieces": pandas.concat([pandas.Series(WORDS, dtype="str")] * 2),
    "sparse": pandas.Series(pandas.arrays.SparseArray([0.0, 1.0] * 10_000)),
}


@pytest.mark.parametrize("name", PANDAS)
def test_a_series_of_any_dtype_comes_back_and_can_be_written_to(name: str) -> None:
    value = PANDAS[name]
    again = there_and_back(value)
    pandas.testing.assert_series_equal(again, value)
    if name != "sparse":  # which pandas never lets anyone write to
        again.iloc[0] = again.iloc[1]
        assert again.iloc[0] == value.iloc[1]


def test_text_of_pandas_is_frames_of_offsets_and_bytes_uncopied() -> None:
    value = pandas.Series(WORDS, dtype="str")
    stream, offsets, data = dump(value, name="self.x")
    assert len(stream.data) < 1500
    assert offsets.item == Item("i", 8)
    ours = value.array._pa_array.chunk(0).buffers()
    assert numpy.frombuffer(offsets.data, "u1").ctypes.data == ours[1].address
    assert bytes(data.data) == "".join(WORDS).encode()


def test_a_list_of_data_frames_comes_back() -> None:
    value = [
        pandas.DataFrame({"n": numpy.arange(ROWS) * place, "w": WORDS, "x": numpy.ones(ROWS)})
        for place in range(3)
    ]
    for one, two in zip(there_and_back(value), value, strict=True):
        pandas.testing.assert_frame_equal(one, two)


def test_a_changed_column_of_a_data_frame_leaves_the_frames_of_other_kinds() -> None:
    before = pandas.DataFrame({"n": NUMBERS, "w": WORDS, "x": numpy.ones(ROWS)})
    after = before.copy()
    after["n"] = after["n"] + 1
    assert set(changed(before, after)) - {0} == {1}  # the stream tells how pandas holds them


POLARS = polars.DataFrame(
    {
        "n": NUMBERS,
        "x": [float(i) for i in NUMBERS],
        "w": holes(WORDS),
        "t": polars.Series(NUMBERS).cast(polars.Datetime("us", "UTC")),
        "c": polars.Series(["a", "b"] * 10_000, dtype=polars.Categorical),
        "e": polars.Series(["a", "b"] * 10_000, dtype=polars.Enum(["b", "a"])),
        "l": [[i, i] for i in NUMBERS],
    }
)


def test_a_polars_frame_comes_back_with_its_schema() -> None:
    again = there_and_back(POLARS)
    assert again.schema == POLARS.schema
    assert again.equals(POLARS)
    assert there_and_back(POLARS[100:200]).equals(POLARS[100:200])
    assert there_and_back(polars.DataFrame()).shape == (0, 0)


def test_the_columns_of_a_polars_frame_are_frames_with_items() -> None:
    frame = POLARS.select("n", "x", "w", "t")
    assert items(frame) == [Item("i", 8), Item("f", 8), Item("i", 8), None, Item("i", 8)]
    assert changed(frame, frame.with_columns(x=polars.col("x") + 1)) == [2]


@pytest.mark.parametrize("name", POLARS.columns)
def test_a_polars_series_keeps_its_name_and_type(name: str) -> None:
    again = there_and_back(POLARS[name])
    assert (again.name, again.dtype) == (name, POLARS[name].dtype)
    assert again.equals(POLARS[name])


def test_what_pyarrow_would_change_keeps_the_way_of_polars() -> None:
    for value in (
        polars.DataFrame({"a": polars.Series([1, 2] * ROWS, dtype=polars.Int128)}),
        polars.DataFrame({"a": polars.Series([[1, 2]] * ROWS, dtype=polars.Array(polars.Int8, 2))}),
        polars.DataFrame({"a": polars.Series(["10:00"] * ROWS).str.to_time("%H:%M")}),
    ):
        again = there_and_back(value)
        assert again.schema == value.schema
        assert again.equals(value)


def test_a_lazy_frame_comes_back() -> None:
    lazy = POLARS.lazy().filter(polars.col("n") > 5).select("n")
    assert there_and_back(lazy).collect().equals(lazy.collect())


@pytest.mark.parametrize(
    "value", [TABLE, PANDAS["text"], POLARS], ids=["pyarrow", "pandas", "polars"]
)
def test_any_pickle_module_loads_a_table(value: Any) -> None:
    frames = [bytes(frame.data) for frame in dump({"t": value, "again": value}, name="self.x")]
    again = pickle.loads(frames[0], buffers=frames[1:])
    assert again["t"] is again["again"]
    assert again["t"].equals(value)
