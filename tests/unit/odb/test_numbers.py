"""Numbers by pcodec: every type comes back bit for bit, and whoever lacks it is told its name."""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError
from mfv.odb.numbers import TYPES, decode, encode, type_of


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(TYPES)), st.binary(min_size=1, max_size=300), st.integers(1, 40))
def test_any_bits_of_any_type_come_back(number: int, data: bytes, times: int) -> None:
    width = TYPES[number][1]
    data = (data * times * width)[: len(data) * times // width * width]
    stored = encode(data, number)
    if not data:
        assert stored is None
        return
    assert stored is not None
    assert bytes(decode(stored, len(data))) == data


@pytest.mark.parametrize("name", ["f2", "f4", "f8"])
def test_what_floats_have_besides_numbers_comes_back_bit_for_bit(name: str) -> None:
    special = numpy.array([0.0, -0.0, numpy.inf, -numpy.inf, numpy.nan, -numpy.nan, 1e-7] * 50)
    data = special.astype(name).tobytes()
    number = type_of(("f", int(name[1])))
    assert number is not None
    stored = encode(data, number)
    assert stored is not None
    assert bytes(decode(stored, len(data))) == data


@pytest.mark.parametrize("number", sorted(TYPES))
def test_bytes_that_make_no_whole_numbers_are_left_to_others(number: int) -> None:
    assert encode(b"", number) is None
    if TYPES[number][1] > 1:
        assert encode(b"12345678" * 10 + b"9", number) is None


@pytest.mark.parametrize("item", [None, ("V", 8), ("f", 16), ("f", 1), ("i", 3)])
def test_what_is_no_number_has_no_type(item: tuple[str, int] | None) -> None:
    assert type_of(item) is None


def test_what_is_read_is_memory_of_the_readers_own() -> None:
    data = numpy.arange(100).tobytes()
    stored = encode(data, 10)
    assert stored is not None
    view = decode(stored, len(data))
    assert (view.format, view.itemsize, view.readonly) == ("B", 1, False)


DATA = numpy.cumsum(numpy.random.default_rng(3).integers(0, 1000, 3000)).tobytes()
MADE = encode(DATA, 10)
STORED = MADE if MADE is not None else b""

HOSTILE = {
    "empty": b"",
    "a type alone": STORED[:1],
    "cut short": STORED[:-1],
    "half": STORED[: len(STORED) // 2],
    "an unknown type": b"\x00" + STORED[1:],
    "another unknown type": b"\x0c" + STORED[1:],
    "another type": b"\x09" + STORED[1:],
    "a type of another width": b"\x01" + STORED[1:],
    "no pcodec at all": b"\x0a" + b"nothing of the kind",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_numbers_that_are_not_exactly_what_they_say_are_refused(name: str) -> None:
    assert bytes(decode(STORED, len(DATA))) == DATA
    with pytest.raises(CorruptError):
        decode(HOSTILE[name], len(DATA))


@pytest.mark.parametrize("size", [0, 1, 8, len(DATA) - 8, len(DATA) + 8, len(DATA) + 1, 1 << 32])
def test_numbers_of_another_size_than_recorded_are_refused(size: int) -> None:
    with pytest.raises(CorruptError):
        decode(STORED, size)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(STORED) - 1), st.integers(0, 255), st.integers(0, 80), st.integers(0, 99))
def test_damaged_numbers_are_refused_or_as_many_as_recorded(
    at: int, byte: int, other: int, cut: int
) -> None:
    stored = bytearray(STORED)
    stored[at] = stored[other] = byte
    try:
        data = decode(bytes(stored[: len(stored) - cut // 10]), len(DATA))
    except CorruptError:
        return
    assert len(data) == len(DATA)


MEMORY = """
import resource, sys
from mfv.errors import CorruptError
from mfv.odb.numbers import decode, encode

few = encode(bytes(8 << 20), 10)
assert len(few) < 10_000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for size in (8, 4096, 1 << 20, 1 << 32):
    try:
        decode(few, size)
    except CorruptError:
        continue
    sys.exit("it was decoded")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(after - before)
"""


def test_a_false_claim_of_size_costs_no_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 64 << 20


WITHOUT = """
import sys
sys.modules["pcodec"] = None
from mfv.errors import CorruptError
from mfv.odb.codec import Codec, Plan, decode
from mfv.odb.numbers import MissingCodecError, encode, type_of
from mfv.odb.trial import choose

data = b"".join(n.to_bytes(8, "little") for n in range(0, 90_000, 3))
assert type_of(("i", 8)) is None
assert encode(data, 10) is None
assert choose(memoryview(data), ("i", 8)).codec is Codec.PLANES
try:
    decode(Codec.PCODEC, bytes.fromhex(sys.argv[1]), int(sys.argv[2]))
except MissingCodecError as error:
    print(error)
"""


def test_without_the_package_one_writes_otherwise_and_reads_its_name() -> None:
    command = [sys.executable, "-c", WITHOUT, STORED.hex(), str(len(DATA))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the package pcodec is missing here" in done.stdout
    assert "pip install pcodec" in done.stdout
