"""Long bytes and texts inside a value: buffers of their own, and the same value afterwards."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.serde.lending import Lender
from mfv.serde.pickle5 import dump, load
from mfv.serde.stream import LONG_FROM, Stream

LONG = LONG_FROM


def there_and_back(value: Any) -> Any:
    """By the standard library alone: the pickle names nothing of mfv."""
    frames = [bytes(frame.data) for frame in dump(value, name="self.x")]
    again = pickle.loads(frames[0], buffers=map(bytearray, frames[1:]))
    assert load(frames) == again
    return again


def head(length: int, opcode: bytes = pickle.BINBYTES, width: int = 4) -> bytes:
    return opcode + length.to_bytes(width, "little")


LONG_THINGS: dict[str, Any] = {
    "bytes": b"ab" * LONG,
    "bytearray": bytearray(b"cd" * LONG),
    "text": "ef" * LONG,
    "text of many bytes": "\u20ac\U0001f600" * LONG,
    "text with halves of characters": "\ud800x" * LONG,
    "zeros": bytes(LONG),
    "a pickle": pickle.dumps(b"x" * LONG, 5),
    "what looks like a frame": pickle.FRAME + (LONG).to_bytes(8, "little") + bytes(LONG),
    "what ends like a head": bytes(LONG) + head(LONG),
}


@pytest.mark.parametrize("name", LONG_THINGS)
@pytest.mark.parametrize("around", [list, tuple, lambda parts: dict(enumerate(parts))])
def test_a_long_thing_is_a_frame_of_its_own_and_comes_back_as_what_it_was(
    name: str, around: Any
) -> None:
    thing = LONG_THINGS[name]
    value = around([1, thing, "after", thing])
    stream, buffer = dump(value, name="self.x")
    assert len(stream.data) < 200
    assert bytes(buffer.data) == (
        thing.encode("utf-8", "surrogatepass") if isinstance(thing, str) else thing
    )
    again = there_and_back(value)
    assert again == value
    assert type(again[1]) is type(thing)
    assert again[1] is again[3]


@pytest.mark.parametrize("name", ["bytes", "bytearray"])
def test_long_bytes_are_not_copied(name: str) -> None:
    thing = LONG_THINGS[name]
    assert dump([thing], name="self.x")[1].data is thing


def test_buffers_of_arrays_and_long_bytes_keep_their_order() -> None:
    value = [numpy.zeros(LONG), b"1" * LONG, numpy.ones(LONG), bytearray(b"2" * LONG), "3" * LONG]
    _, *buffers = dump(value, name="self.x")
    assert [bytes(buffer.data[-1:]) for buffer in buffers] == [b"\0", b"1", b"?", b"2", b"3"]
    again = load([bytearray(frame.data) for frame in dump(value, name="self.x")])
    assert isinstance(again, list)
    assert [type(one) for one in again] == [type(one) for one in value]
    assert all(numpy.array_equal(one, two) for one, two in zip(again, value, strict=True))


@pytest.mark.parametrize("size", [0, 1, LONG - 1])
def test_shorter_ones_stay_in_the_stream(size: int) -> None:
    value = [bytes(size), bytearray(size), "x" * size]
    assert len(dump(value, name="self.x")) == 1
    assert there_and_back(value) == value


pieces = st.sampled_from(
    [
        *(b"x" * LONG, bytearray(LONG), "t" * LONG, b"y" * (LONG + 1), b"", b"small", 7, None),
        *(head(LONG), head(LONG + 1), head(LONG, pickle.BINBYTES8, 8), [0] * 20_000, "\u00e4" * 50),
        head(LONG) * (LONG // 5),
        pickle.FRAME + (LONG - 9).to_bytes(8, "little") + bytes(LONG - 9),
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.recursive(pieces, lambda inner: st.lists(inner) | st.tuples(inner, inner), max_leaves=12))
def test_any_mixture_of_long_and_short_comes_back(value: Any) -> None:
    assert there_and_back(value) == value


def test_bytes_of_a_frame_are_never_taken_for_the_head_of_a_long_thing() -> None:
    kept: list[Any] = []
    stream = Stream(kept.append)
    inside = b"N" * 60 + head(LONG)
    stream.write(pickle.FRAME + len(inside).to_bytes(8, "little") + inside)
    stream.write(bytes(LONG))
    assert kept == []
    assert len(stream.data) == 9 + len(inside) + LONG


def test_a_pickler_that_writes_all_at_once_keeps_everything_in_the_stream() -> None:
    lender = Lender()
    stream = Stream(lender.keep)
    whole = pickle.dumps([b"x" * LONG], 5)
    stream.write(whole)
    assert (bytes(stream.data), lender.frames) == (whole, [])


def test_a_buffer_that_is_not_lent_stays_in_the_stream() -> None:
    stream = Stream(lambda _: pytest.fail("nothing here is long bytes"))
    pickler = pickle.Pickler(stream, 5, buffer_callback=lambda _: True)
    value = [numpy.arange(LONG), b"short"]
    pickler.dump(value)
    again = pickle.loads(stream.data)
    assert numpy.array_equal(again[0], value[0])
    assert again[1] == b"short"


def test_a_dict_of_long_bytes_takes_no_memory_beside_it() -> None:
    value = {"a": bytes(32 << 20), "b": bytearray(32 << 20)}
    tracemalloc.start()
    frames = dump(value, name="self.x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(frames) == 3
    assert peak < 1 << 20
