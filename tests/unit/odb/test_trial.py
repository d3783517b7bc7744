"""The trial: what pays is found out on a sample, whatever the type is said to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.odb.codec import Codec, Plan, decode, encode
from mfv.odb.item import Item
from mfv.odb.trial import BYTES_SEGMENT, NUMBERS_SEGMENT, choose, segment_size

MIB = 1 << 20


def noise(size: int, seed: int = 1) -> bytes:
    return numpy.random.default_rng(seed).bytes(size)


def weights(count: int) -> bytes:
    return (numpy.random.default_rng(2).standard_normal(count) * 0.02).astype("f4").tobytes()


def bf16(count: int) -> bytes:
    return (numpy.frombuffer(weights(count), "u4") >> 16).astype("u2").tobytes()


def times(count: int) -> bytes:
    gaps = numpy.random.default_rng(3).integers(1, 8000, count) * 1_000_000
    return (1_735_689_600_000_000_000 + numpy.cumsum(gaps)).tobytes()


def prices(count: int) -> bytes:
    return numpy.round(numpy.random.default_rng(4).lognormal(3, 1, count), 2).tobytes()


def saved(data: bytes, item: Item | None) -> tuple[Codec, float]:
    """The codec that was chosen and used, and what it stores of each byte."""
    codec, stored = encode(memoryview(data), choose(memoryview(data), item))
    assert bytes(decode(codec, stored, len(data))) == data
    return codec, len(stored) / len(data)


CASES: dict[str, tuple[bytes, Item | None, Codec, float]] = {
    "float32 weights": (weights(MIB // 4), ("f", 4), Codec.PLANES, 0.86),
    "float32 weights of nobody knows what": (weights(MIB // 4), None, Codec.PLANES, 0.86),
    "bf16 weights": (bf16(MIB // 2), ("u", 2), Codec.PLANES, 0.70),
    "bf16 weights of nobody knows what": (bf16(MIB // 2), None, Codec.PLANES, 0.70),
    "doubles of a random generator, to be mapped": (
        numpy.random.default_rng(5).random(MIB // 8).tobytes(),
        ("f", 8),
        Codec.RAW,
        1,
    ),
    "the same of nobody knows what": (
        numpy.random.default_rng(5).random(MIB // 8).tobytes(),
        None,
        Codec.RAW,
        1,
    ),
    "doubles that were floats": (
        numpy.frombuffer(weights(MIB // 4), "f4").astype("f8").tobytes(),
        ("f", 8),
        Codec.PLANES,
        0.5,
    ),
    "ids": (numpy.arange(MIB // 8).tobytes(), ("i", 8), Codec.PCODEC, 0.002),
    "timestamps": (times(MIB // 8), ("i", 8), Codec.PCODEC, 0.21),
    "prices": (prices(MIB // 8), ("f", 8), Codec.PCODEC, 0.25),
    "doubles of eight digits": (
        numpy.round(numpy.random.default_rng(6).standard_normal(MIB // 8), 8).tobytes(),
        ("f", 8),
        Codec.PCODEC,
        0.5,
    ),
    "text": (b"the same words again and again, but for %d " * 20_000, None, Codec.ZSTD, 0.1),
    "big-endian floats": (
        numpy.frombuffer(weights(MIB // 4), "f4").astype(">f4").tobytes(),
        ("V", 4),
        Codec.PLANES,
        0.86,
    ),
    "text said to be floats": (b"some words, " * 40_000, ("f", 8), Codec.ZSTD, 0.1),
}


@pytest.mark.parametrize("name", CASES)
def test_what_pays_is_chosen(name: str) -> None:
    data, item, codec, share = CASES[name]
    used, took = saved(data, item)
    assert used is codec
    assert took <= share


@pytest.mark.parametrize("item", [None, ("f", 4), ("f", 8), ("i", 8), ("u", 1), ("V", 12)])
@pytest.mark.parametrize("size", [0, 63, 64, 1000, 100_000, MIB, 9 * MIB])
def test_noise_stays_raw_whatever_it_is_said_to_be(item: Item | None, size: int) -> None:
    data = memoryview(noise(size))
    assert encode(data, choose(data, item)) == (Codec.RAW, data)


def test_a_segment_of_which_one_part_shrinks_is_not_given_up() -> None:
    half = memoryview(noise(MIB // 2) + b"some words, " * (MIB // 24))
    assert choose(half) == Plan(Codec.ZSTD)


@pytest.mark.parametrize("make", [weights, bf16, times, prices])
def test_numbers_that_begin_anywhere_in_a_file_are_known_by_their_planes(
    make: Callable[[int], bytes],
) -> None:
    data = make(200_000)
    aligned = choose(memoryview(data))
    assert aligned.codec in (Codec.PLANES, Codec.ZSTD)
    for skip in (1, 2, 3, 5):
        shifted = memoryview(data)[skip:]
        assert choose(shifted) == aligned
        codec, stored = encode(shifted, aligned)
        assert bytes(decode(codec, stored, len(shifted))) == shifted


items = st.none() | st.tuples(st.sampled_from("fiuV"), st.integers(1, 40) | st.just(1 << 30))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2000), items)
def test_any_bytes_said_to_be_anything_come_back(
    data: bytes, times: int, item: Item | None
) -> None:
    data = data * times
    codec, stored = encode(memoryview(data), choose(memoryview(data), item))
    assert bytes(decode(codec, stored, len(data))) == data
    assert len(stored) <= len(data)


def test_one_decision_holds_longer_for_numbers_than_for_bytes() -> None:
    assert segment_size(("f", 4)) == NUMBERS_SEGMENT
    assert segment_size(("u", 1)) == segment_size(None) == BYTES_SEGMENT
