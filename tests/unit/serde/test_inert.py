"""A pickle is looked at without being run, and says what running it would make."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.serde import inert
from mfv.serde.inert import Bag, Made, Named, OpaqueError, Pairs, Raw
from mfv.serde.numbers import array_of
from mfv.serde.pickle5 import dump


def read(value: object) -> Any:
    return inert.read([frame.data for frame in dump(value, name="x")])


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def as_value(node: Any) -> Any:
    if isinstance(node, Pairs):
        return {as_value(key): as_value(value) for key, value in node.items}
    if isinstance(node, (list, tuple)):
        return type(node)(map(as_value, node))
    return node


@given(plain)
def test_plain_values_are_what_they_are(value: object) -> None:
    assert as_value(read(value)) == value


@given(plain, st.integers(0, 5))
def test_every_protocol_is_read(value: object, protocol: int) -> None:
    assert as_value(inert.read([pickle.dumps(value, protocol)])) == value


def test_sets_and_bytes_are_told_apart_from_lists() -> None:
    node = read([{1, 2}, frozenset({3}), b"x", bytearray(b"y")])
    assert isinstance(node[0], Bag) and sorted(node[0].items) == [1, 2] and not node[0].frozen
    assert isinstance(node[1], Bag) and node[1].frozen
    assert isinstance(node[2], Raw) and bytes(node[2].data) == b"x"


class Canary:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("canary"),)


def test_what_a_stream_would_call_is_named_and_not_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in range(6):
        stream = pickle.dumps(Canary(), protocol)
        node = inert.read([stream])
        assert isinstance(node, Made)
        assert b"".join(map(bytes, inert.joined([stream])))
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_is_not_there_is_no_hindrance() -> None:
    node = inert.read([b"cno.such_module\nThing\n)R."])
    assert isinstance(node, Made) and isinstance(node.call, Named)
    assert node.call.name == "no.such_module.Thing"


def test_what_holds_itself_is_read() -> None:
    value: list[object] = [1]
    value.append(value)
    node = read(value)
    assert node[1] is node


def test_the_deepest_nesting_is_read_without_recursion() -> None:
    deep = b"\x80\x05" + b"]" * 100_000 + b"a" * 99_999 + b"."
    assert inert.read([deep]) is not None


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b".",
        b"\x80\x05",
        b"\x80\x05K\x01",  # no end
        b"\x80\x05K\x01K\x02.",  # two values
        b"\x80\x05K\x01.K\x02.",  # a second pickle
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x00.",  # BYTEARRAY8 of far too many bytes
        b"\x80\x05\x8b\xff\xff\xff\x7f1.",  # LONG4 of two gigabytes
        b"\x80\x05h\x07.",  # a memo that was never set
        b"\x80\x05e.",  # APPENDS to nothing
        b"\x80\x05K\x01K\x02b.",  # a state for a number
        b"\x80\x05\x97.",  # a buffer that is not there
        b"\x80\x05\x82\x01.",  # an extension code
        b"Ppersistent\n.",
    ],
)
def test_what_makes_no_sense_is_refused(stream: bytes) -> None:
    with pytest.raises(OpaqueError):
        inert.read([stream])


ARRAYS = [
    np.arange(3.0),
    np.arange(30_000, dtype="f4").reshape(100, 300),
    np.asfortranarray(np.arange(6, dtype="u2").reshape(2, 3)),
    np.array(["a", "bc"]),
    np.array([True, False]),
    np.arange(4, dtype=">i4"),
    np.array([1 + 2j]),
    np.zeros((0, 3)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_an_array_is_given_back_without_a_call(array: np.ndarray) -> None:
    found = array_of(read(array))
    assert found.dtype == array.dtype and found.shape == array.shape
    np.testing.assert_array_equal(found, array)


def test_a_number_of_numpy_is_an_array_of_no_dimensions() -> None:
    assert array_of(read(np.float32(2.5))).item() == 2.5


@pytest.mark.parametrize(
    "value",
    [np.array([object()]), np.zeros(2, dtype=[("a", "f4")]), np.arange(2).view("m8[s]"), 3, [1]],
)
def test_what_is_no_simple_array_is_none(value: object) -> None:
    assert array_of(read(value)) is None


JOINED = [
    np.arange(30_000.0),
    {"a": np.arange(9000), "b": [np.arange(9000), b"x" * 20_000]},
    OrderedDict(a=1),
    {1, 2},
    np.frombuffer(b"12345678" * 5000),  # not to be written to, before and after
]


@pytest.mark.parametrize("value", JOINED, ids=str)
def test_frames_are_joined_to_one_stream_that_python_reads(value: Any) -> None:
    frames = [frame.data for frame in dump(value, name="x")]
    again = pickle.loads(b"".join(map(bytes, inert.joined(frames))))
    assert type(again) is type(value)
    if isinstance(value, np.ndarray):
        assert again.flags.writeable == value.flags.writeable
    np.testing.assert_equal(again, value)
