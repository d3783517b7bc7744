"""Byte planes: apart what compresses and what does not, and exactly as large as they say."""

from __future__ import annotations

import random
import struct
import subprocess
import sys

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError
from mfv.odb import zframe
from mfv.odb.planes import WIDTHS, decode, encode, split

RANDOM = numpy.random.default_rng(5)
WEIGHTS = (RANDOM.standard_normal(40_000) * 0.02).astype("f4").tobytes()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plane_holds_the_bytes_of_one_place(width: int) -> None:
    items = [bytes([10 * item + place for place in range(width)]) for item in range(3)]
    planes = split(memoryview(b"".join(items) + b"!"), width)
    assert planes == [bytes([place, 10 + place, 20 + place]) for place in range(width)]


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(0, 400), st.sampled_from(WIDTHS))
@example(b"", 0, 8)
@example(b"1234567", 1, 8)
def test_any_bytes_come_back_also_where_they_make_no_whole_items(
    data: bytes, times: int, width: int
) -> None:
    data = data * times
    assert decode(encode(memoryview(data), width), len(data)) == data


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["f2", "f4", "f8", "i2", "i4", "i8"]), st.integers(0, 40_000))
def test_any_numbers_come_back(dtype: str, count: int) -> None:
    data = (numpy.random.default_rng(count).standard_normal(count) * 1000).astype(dtype).tobytes()
    width = int(dtype[1])
    assert decode(encode(memoryview(data), width), len(data)) == data


def test_of_weights_the_exponents_are_compressed_and_the_mantissas_raw() -> None:
    stored = encode(memoryview(WEIGHTS), 4)
    lengths = struct.unpack_from("<4I", stored, 1)
    assert lengths[:3] == (40_000,) * 3
    assert lengths[3] < 0.4 * 40_000
    assert stored[17 : 17 + 40_000] == WEIGHTS[0::4]


def test_a_plane_is_probed_in_the_middle_alone_and_never_grows() -> None:
    noise = random.Random(1).randbytes(60_000)
    mixed = bytearray(120_000)
    mixed[1::2] = noise[:20_000] + bytes(20_000) + noise[40_000:]
    stored = encode(memoryview(mixed), 2)
    assert struct.unpack_from("<2I", stored, 1)[1] < 45_000
    assert decode(stored, len(mixed)) == mixed


STORED = encode(memoryview(WEIGHTS + b"abc"), 4)
SIZE = len(WEIGHTS) + 3
HEAD = 17  # bytes
FRAME = zframe.compress(bytes(1000))


def made(width: int, lengths: tuple[int, ...], *rest: bytes) -> bytes:
    return struct.pack(f"<B{len(lengths)}I", width, *lengths) + b"".join(rest)


HOSTILE = {
    "empty": b"",
    "a width alone": b"\x04",
    "half a head": STORED[: HEAD - 1],
    "the head alone": STORED[:HEAD],
    "cut short": STORED[:-1],
    "one byte more": STORED + b"x",
    "twice": STORED + STORED,
    "items of 0 bytes": b"\x00" + STORED[1:],
    "items of 1 byte": b"\x01" + STORED[1:],
    "items of 2 bytes": b"\x02" + STORED[1:],
    "items of 3 bytes": b"\x03" + STORED[1:],
    "items of 255 bytes": b"\xff" + STORED[1:],
    "a plane of another length": made(4, (39_999, 40_001), STORED[9:]),
    "a frame that is none": made(4, (40_000, 40_000, 40_000, 4), bytes(120_000), b"none", b"abc"),
    "a frame of too few": made(
        4, (40_000, 40_000, 40_000, len(FRAME)), bytes(120_000), FRAME, b"abc"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_planes_that_are_not_exactly_what_they_say_are_refused(name: str) -> None:
    assert decode(STORED, SIZE) == WEIGHTS + b"abc"
    with pytest.raises(CorruptError):
        decode(HOSTILE[name], SIZE)


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE + 1, SIZE - 4, SIZE + 4, 1 << 32])
def test_planes_of_another_size_than_recorded_are_refused(size: int) -> None:
    with pytest.raises(CorruptError):
        decode(STORED, size)


@given(st.binary(max_size=200), st.integers(0, 300), st.sampled_from([2, 4, 8]))
def test_no_bytes_at_all_make_the_decoder_raise_anything_else(
    stored: bytes, size: int, width: int
) -> None:
    for attempt in (stored, bytes([width]) + stored):
        try:
            data = decode(attempt, size)
        except CorruptError:
            continue
        assert len(data) == size


BOMB = """
import resource, struct, sys
from mfv.errors import CorruptError
from mfv.odb.planes import decode
from mfv.odb.zframe import compress

count = 1 << 26
frame = compress(bytes(count))
assert len(frame) < 16 * 1024
head = struct.pack("<B2I", 2, len(frame), len(frame))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for size in (0, 100, 40_000, 1 << 20, 1 << 32):
    try:
        decode(head + frame + frame, size)
    except CorruptError:
        continue
    sys.exit("it was decoded")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(after - before)
"""


def test_planes_that_hold_much_more_than_recorded_or_less_are_refused_in_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    # One plane of what the frame really holds, before the size is seen to be false.
    assert int(done.stdout) * unit < 192 << 20
