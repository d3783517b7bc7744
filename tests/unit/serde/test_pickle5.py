"""Values to frames and back: large buffers uncopied, and trouble named where it sits."""

from __future__ import annotations

import copyreg
import pickle
import threading
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError, UnpicklableError
from mfv.serde.frame import Item, item_of
from mfv.serde.lending import OUT_OF_BAND_FROM
from mfv.serde.pickle5 import LoadError, dump, load

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def there_and_back(value: Any) -> Any:
    return load([memoryview(bytearray(frame.data)) for frame in dump(value, name="self.x")])


@settings(deadline=None)
@given(plain)
def test_a_value_that_was_dumped_is_loaded(value: Any) -> None:
    assert there_and_back(value) == value


RECORDS = numpy.zeros(5000, dtype=[("a", "f4"), ("b", "i8")])
ARRAYS: dict[str, Any] = {
    "floats": numpy.arange(10_000.0),
    "matrix": numpy.arange(20_000, dtype="i4").reshape(100, 200),
    "fortran": numpy.asfortranarray(numpy.arange(20_000.0).reshape(100, 200)),
    "strided": numpy.arange(40_000.0)[::3],
    "transposed": numpy.arange(60_000.0).reshape(20, 30, 100).transpose(1, 0, 2),
    "reversed": numpy.arange(10_000)[::-1],
    "empty": numpy.empty((0, 5)),
    "point": numpy.array(3.5),
    "small": numpy.arange(3),
    "structured": RECORDS,
    "bools": numpy.ones(20_000, dtype=bool),
    "complex": numpy.ones(5000, dtype="c16"),
    "times": numpy.arange(5000).astype("M8[s]"),
    "big endian": numpy.arange(5000, dtype=">f8"),
    "text": numpy.array(["some words"] * 2000),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_with_its_shape_and_dtype_and_can_be_written_to(name: str) -> None:
    again = there_and_back(ARRAYS[name])
    assert again.dtype == ARRAYS[name].dtype
    assert again.shape == ARRAYS[name].shape
    assert numpy.array_equal(again, ARRAYS[name])
    assert again.flags.writeable


def test_an_array_of_objects_comes_back() -> None:
    value = numpy.array([1, "two", [3], None] * 10, dtype=object)
    assert there_and_back(value).tolist() == value.tolist()


def test_a_read_only_array_is_stored() -> None:
    value = numpy.arange(10_000.0)
    value.flags.writeable = False
    assert numpy.array_equal(there_and_back(value), value)


@pytest.mark.parametrize("name", ["floats", "matrix", "fortran", "structured", "big endian"])
def test_a_large_contiguous_array_is_a_frame_of_its_own_and_not_copied(name: str) -> None:
    value = ARRAYS[name]
    stream, buffer = dump(value, name="self.x")
    assert len(stream.data) < 1000
    assert len(buffer.data) == value.nbytes
    assert numpy.shares_memory(numpy.frombuffer(buffer.data, "u1"), value)


DATES: dict[str, Any] = {
    "datetimes": numpy.arange(5000).astype("M8[s]"),
    "durations": numpy.arange(5000).astype("m8[ns]"),
    "a table of them": numpy.arange(6000).astype("M8[D]").reshape(20, 300),
    "in the order of Fortran": numpy.asfortranarray(
        numpy.arange(6000).astype("M8[D]").reshape(20, 300)
    ),
    "not a time": numpy.full(5000, numpy.datetime64("NaT", "s")),
}


@pytest.mark.parametrize("name", DATES)
def test_dates_are_frames_of_integers_though_numpy_lends_out_no_buffer_of_them(name: str) -> None:
    value = DATES[name]
    stream, buffer = dump({"when": value, "again": value}, name="self.x")
    assert len(stream.data) < 1000
    assert buffer.item == Item("i", 8)
    assert numpy.shares_memory(numpy.frombuffer(buffer.data, "u1"), value.view("i8"))
    loaded: Any = load([memoryview(bytearray(frame.data)) for frame in (stream, buffer)])
    assert loaded["when"] is loaded["again"]
    assert loaded["when"].dtype == value.dtype
    assert loaded["when"].flags.f_contiguous == value.flags.f_contiguous
    assert loaded["when"].flags.writeable
    assert numpy.array_equal(loaded["when"].view("i8"), value.view("i8"))


@pytest.mark.parametrize(
    "value",
    [
        numpy.arange(3).astype("M8[s]"),
        numpy.arange(20_000).astype("M8[s]")[::3],
        numpy.arange(5000).astype(">M8[s]"),
        numpy.zeros(5000, dtype=[("when", "M8[s]"), ("what", "f8")]),
        numpy.empty(0, dtype="M8[s]"),
    ],
)
def test_dates_that_are_few_scattered_or_byte_swapped_come_back_too(value: Any) -> None:
    loaded = there_and_back(value)
    assert loaded.dtype.newbyteorder("=") == value.dtype.newbyteorder("=")  # numpy swaps it back
    assert numpy.array_equal(loaded, value)


def test_a_pickle_of_dates_names_nothing_of_mfv() -> None:
    frames = [bytes(frame.data) for frame in dump(DATES["datetimes"], name="self.x")]
    assert b"mfv" not in frames[0]
    assert numpy.array_equal(pickle.loads(frames[0], buffers=frames[1:]), DATES["datetimes"])


def test_what_others_registered_for_pickling_is_still_asked() -> None:
    copyreg.pickle(Registered, lambda value: (Registered, (value.number + 1,)))
    try:
        assert there_and_back(Registered(1)).number == 2
    finally:
        del copyreg.dispatch_table[Registered]


ITEMS = {
    "f2": Item("f", 2),
    "f4": Item("f", 4),
    "f8": Item("f", 8),
    "c8": Item("f", 4),
    "c16": Item("f", 8),
    "i1": Item("i", 1),
    "i2": Item("i", 2),
    "i4": Item("i", 4),
    "i8": Item("i", 8),
    "u1": None,
    "u2": Item("u", 2),
    "u4": Item("u", 4),
    "u8": Item("u", 8),
    "?": Item("u", 1),
    ">f8": Item("V", 8),
    ">i4": Item("V", 4),
    "U7": Item("V", 28),
}


@pytest.mark.parametrize("dtype", ITEMS)
def test_a_buffer_comes_with_its_items(dtype: str) -> None:
    _, buffer = dump(numpy.zeros(OUT_OF_BAND_FROM, dtype=dtype), name="self.x")
    assert buffer.item == ITEMS[dtype]


def test_records_are_items_of_their_size_and_the_stream_has_none() -> None:
    stream, buffer = dump(RECORDS, name="self.x")
    assert (stream.item, buffer.item) == (None, Item("V", 12))


@pytest.mark.parametrize("format", [None, "B", "c", "<B"])
def test_plain_bytes_have_no_items(format: str | None) -> None:
    assert item_of(format, 1) is None


def test_items_of_no_size_are_no_items() -> None:
    assert item_of("0s", 0) is None


def test_each_large_buffer_is_a_frame_in_order_and_the_small_ones_stay_in_the_stream() -> None:
    value = {"a": numpy.zeros(5000), "small": numpy.ones(10), "b": numpy.ones(6000)}
    stream, *buffers = dump(value, name="self.x")
    assert [len(buffer.data) for buffer in buffers] == [40_000, 48_000]
    assert len(stream.data) < 1000
    edge = numpy.zeros(OUT_OF_BAND_FROM, dtype="u1")
    assert len(dump(edge, name="self.x")) == 2
    assert len(dump(edge[1:], name="self.x")) == 1


def test_changing_one_array_of_many_changes_one_buffer() -> None:
    value = {f"layer{i}": numpy.full(5000, float(i)) for i in range(5)}
    before = [bytes(frame.data) for frame in dump(value, name="self.x")]
    value["layer3"] = value["layer3"] + 1
    after = [bytes(frame.data) for frame in dump(value, name="self.x")]
    assert [i for i in range(6) if before[i] != after[i]] == [4]


class Registered:
    def __init__(self, number: int) -> None:
        self.number = number


class Holder:
    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


LOCK = threading.Lock()

UNPICKLABLE: dict[str, tuple[Any, str]] = {
    "itself": (LOCK, "self.x"),
    "in a dict": ({"ok": 1, "lock": LOCK}, "self.x['lock']"),
    "in a list": ([1, [2, LOCK]], "self.x[1][1]"),
    "in a tuple in a dict": ({"a": (0, LOCK)}, "self.x['a'][1]"),
    "in an attribute": (Holder(fine=1, conn=LOCK), "self.x.conn"),
    "in an attribute of an element": ([Holder(inner=Holder(lock=LOCK))], "self.x[0].inner.lock"),
    "under a number": ({3: LOCK}, "self.x[3]"),
    "deep": ([[[[[[LOCK]]]]]], "self.x[0][0][0][0][0][0]"),
}


@pytest.mark.parametrize("name", UNPICKLABLE)
def test_what_cannot_be_stored_is_named_by_its_place_and_type(name: str) -> None:
    value, path = UNPICKLABLE[name]
    with pytest.raises(UnpicklableError) as caught:
        dump(value, name="self.x")
    assert (caught.value.path, caught.value.type_name) == (path, "_thread.lock")
    assert path in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("value", [lambda: 0, (i for i in ()), open], ids=["lambda", "gen", "open"])
def test_functions_and_generators_are_unpicklable_and_builtins_are_not(value: Any) -> None:
    if value is open:
        assert there_and_back(value) is open
        return
    with pytest.raises(UnpicklableError):
        dump(value, name="self.x")


def test_a_value_without_end_is_unpicklable_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UnpicklableError):
        dump(deep, name="self.x")


class Hostile:
    """Nothing that one may ask of it works."""

    def __reduce__(self) -> Any:
        raise HostileError

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __getattribute__(self, name: str) -> Any:
        if name == "__dict__":
            raise RuntimeError("no attributes")
        return super().__getattribute__(name)


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words either")


@pytest.mark.parametrize("value", [Hostile(), [Hostile()], {"a": Hostile()}, {Hostile(): 1}])
def test_a_value_whose_own_methods_fail_is_unpicklable_and_nothing_worse(value: Any) -> None:
    with pytest.raises(UnpicklableError):
        dump(value, name="self.x")


def test_a_missing_module_or_class_is_named_with_what_to_do() -> None:
    for stream, word in (
        (b"\x80\x05cno_such_module\nThing\n.", "no_such_module"),
        (b"\x80\x05ccollections\nNoSuchThing\n.", "NoSuchThing"),
    ):
        with pytest.raises(LoadError, match=word) as caught:
            load([stream])
        assert "clone" in (caught.value.hint or "")


def test_a_value_that_raises_while_it_is_made_is_a_load_error() -> None:
    with pytest.raises(LoadError, match="ZeroDivisionError"):
        load([b"\x80\x05coperator\ntruediv\n(K\x01K\x00tR."])


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\x80\x05",
        b"no pickle",
        pickle.dumps([1, 2, 3])[:-1],
        b"\x80\x05Pid\n.",
        b"\x80\x05\x82\xf0.",
        b"\x80\x05\x8e" + b"\xff" * 7 + b"\x7f" + b"x.",
        b"\x80\x05\x8e" + (1 << 45).to_bytes(8, "little") + b"x.",
        b"\x80\x05\x97.",
        b"\x80\x06N.",
    ],
    ids=[
        *("empty", "no end", "garbage", "cut short", "persistent id", "extension"),
        *("huge claim", "a claim of 32 TiB", "no buffer", "protocol 6"),
    ],
)
def test_a_broken_pickle_is_a_load_error(stream: bytes) -> None:
    with pytest.raises(LoadError):
        load([stream])


@pytest.mark.parametrize("extra", [b"\x00", b".", pickle.dumps(2)])
def test_bytes_behind_the_end_of_the_pickle_are_refused(extra: bytes) -> None:
    with pytest.raises(CorruptError, match="behind the end"):
        load([pickle.dumps(1, 5) + extra])


def test_a_missing_buffer_is_a_load_error() -> None:
    stream, _ = dump(numpy.zeros(5000), name="self.x")
    with pytest.raises(LoadError):
        load([stream.data])
