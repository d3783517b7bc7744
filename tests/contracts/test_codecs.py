"""What every codec promises, groups among them, for every kind of content."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError
from mfv.ids import ChunkId
from mfv.odb import codec, delta
from mfv.odb.codec import Codec, Plan
from mfv.odb.trial import choose

BEFORE = random.Random(1).randbytes(20_000) + b"what stood there before " * 500


class Coder(NamedTuple):
    """One codec with its parameters, in both directions."""

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes, int], bytes]


def plain(plan: Plan) -> Coder:
    """A codec of single objects; what it does not shrink it leaves raw, as the writer has it."""

    def decode(stored: bytes, size: int) -> bytes:
        return bytes(codec.decode(stored[0], stored[1:], size))

    def encode(data: bytes) -> bytes:
        number, stored = codec.encode(memoryview(data), plan)
        return bytes([number]) + bytes(stored)

    return Coder(encode, decode)


def _group(data: bytes) -> bytes:
    return delta.encode(memoryview(data), [ChunkId.of(BEFORE)], BEFORE)


def _of_group(stored: bytes, size: int) -> bytes:
    group = delta.parse(stored)
    if group.size != size:
        raise CorruptError("another size than recorded")
    return delta.decode(group, BEFORE)


CODERS: dict[str, Coder] = {
    "raw": plain(Plan(Codec.RAW)),
    "zstd": plain(Plan(Codec.ZSTD)),
    **{f"planes of {width}": plain(Plan(Codec.PLANES, width)) for width in (2, 4, 8)},
    **{f"numbers of type {number}": plain(Plan(Codec.PCODEC, number)) for number in range(1, 12)},
    "group": Coder(_group, _of_group),
}

DTYPES = ["u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8"]


def made(seed: int, count: int, dtype: str, kind: str, rest: int) -> bytes:
    """`count` numbers and `rest` bytes more, from noise to what could not be more regular."""
    source = numpy.random.default_rng(seed)
    number = numpy.dtype(dtype)
    if kind == "noise":
        content = source.bytes(count * number.itemsize)
    elif kind == "normal":
        content = (source.standard_normal(count) * 50).astype(number).tobytes()
    elif kind == "steps":
        content = (numpy.arange(count) * (seed % 7 + 1) % 120).astype(number).tobytes()
    elif kind == "extremes":
        limits = numpy.iinfo(number) if number.kind in "iu" else numpy.finfo(number)
        values = numpy.array([limits.min, limits.max, 0], number)
        if number.kind == "f":
            values = numpy.append(values, numpy.array([numpy.nan, numpy.inf, -0.0], number))
        content = source.choice(values, count).tobytes()
    else:
        content = BEFORE[seed : seed + count]
    return content + source.bytes(rest)


contents = st.builds(
    made,
    seed=st.integers(0, 999),
    count=st.integers(0, 20_000),
    dtype=st.sampled_from(DTYPES),
    kind=st.sampled_from(["noise", "normal", "steps", "extremes", "old"]),
    rest=st.integers(0, 7),
)
LAWS = settings(max_examples=40, deadline=None)


@LAWS
@given(data=contents)
@pytest.mark.parametrize("name", CODERS)
def test_what_was_written_is_read_bit_for_bit(name: str, data: bytes) -> None:
    coder = CODERS[name]
    assert coder.decode(coder.encode(data), len(data)) == data


@LAWS
@given(data=contents)
@pytest.mark.parametrize("name", CODERS)
def test_the_same_bytes_are_written_alike(name: str, data: bytes) -> None:
    assert CODERS[name].encode(data) == CODERS[name].encode(bytes(bytearray(data)))


@LAWS
@given(data=contents, other=st.integers(-9, 9).filter(bool))
@pytest.mark.parametrize("name", CODERS)
def test_another_size_than_recorded_is_damage(name: str, data: bytes, other: int) -> None:
    if len(data) + other >= 0:
        with pytest.raises(CorruptError):
            CODERS[name].decode(CODERS[name].encode(data), len(data) + other)


@LAWS
@given(data=contents, draw=st.data())
@pytest.mark.parametrize("name", CODERS)
def test_damage_is_told_or_gives_just_as_many_bytes(
    name: str, data: bytes, draw: st.DataObject
) -> None:
    stored = bytearray(CODERS[name].encode(data))
    if draw.draw(st.booleans()):
        del stored[draw.draw(st.integers(0, len(stored))) :]
    for _ in range(draw.draw(st.integers(0, 4)) if stored else 0):
        place = draw.draw(st.integers(1 if name != "group" else 0, max(1, len(stored) - 1)))
        if place < len(stored):
            stored[place] ^= draw.draw(st.integers(1, 255))
    if not stored:
        return
    try:
        found = CODERS[name].decode(bytes(stored), len(data))
    except CorruptError:
        return
    assert len(found) == len(data)


@LAWS
@given(data=contents, dtype=st.sampled_from([None, *DTYPES]), fast=st.booleans())
def test_whatever_a_trial_chooses_gives_the_bytes_back_and_takes_no_more(
    data: bytes, dtype: str | None, fast: bool
) -> None:
    item = None if dtype is None else (dtype[0], int(dtype[1]))
    number, stored = codec.encode(memoryview(data), choose(memoryview(data), item, fast=fast))
    assert len(stored) <= len(data)
    assert bytes(codec.decode(number, stored, len(data))) == data
