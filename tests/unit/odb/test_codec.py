"""Codecs: what was written is read back, and nothing stored makes more of itself than it says."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError, FormatTooNewError
from mfv.odb.codec import PLAIN, Codec, Plan, decode, encode
from mfv.odb.zframe import zstd

PLANS = [
    PLAIN,
    Plan(Codec.ZSTD),
    *(Plan(Codec.PLANES, width) for width in (2, 4, 8)),
    *(Plan(Codec.PCODEC, number) for number in range(1, 12)),
]


@pytest.mark.parametrize("plan", PLANS)
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=200), times=st.integers(1, 300))
def test_what_was_encoded_is_decoded(plan: Plan, data: bytes, times: int) -> None:
    data = data * times
    codec, stored = encode(memoryview(data), plan)
    assert codec in (plan.codec, Codec.RAW)
    assert bytes(decode(codec, stored, len(data))) == data
    assert len(stored) <= len(data)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("size", [0, 8, 63, 1000, 20_000, 1 << 20])
def test_random_bytes_stay_raw_and_are_not_copied_whatever_the_plan(plan: Plan, size: int) -> None:
    view = memoryview(os.urandom(size))
    codec, stored = encode(view, plan)
    assert codec is Codec.RAW
    assert stored is view


@pytest.mark.parametrize("size", [100, 20_000, 1 << 20])
def test_text_is_compressed(size: int) -> None:
    text = (b"the same words again and again " * size)[:size]
    codec, stored = encode(memoryview(text), Plan(Codec.ZSTD))
    assert codec is Codec.ZSTD
    assert len(stored) < size // 2


@pytest.mark.parametrize("plan", PLANS)
def test_bytes_too_few_to_save_anything_stay_raw(plan: Plan) -> None:
    assert encode(memoryview(b"a" * 63), plan)[0] is Codec.RAW


def test_a_codec_of_later_is_refused_by_its_number() -> None:
    with pytest.raises(FormatTooNewError, match="codec 9"):
        decode(9, b"abc", 3)


@pytest.mark.parametrize("size", [0, 2, 4, 1 << 32])
def test_a_raw_object_of_another_size_than_recorded_is_refused(size: int) -> None:
    with pytest.raises(CorruptError):
        decode(Codec.RAW, b"abc", size)


DATA = b"some data " * 100
FRAME = zstd.compress(DATA, level=3)
SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"skip"
WITH_DICTIONARY = b"\x28\xb5\x2f\xfd" + b"\x21" + b"\x07" + b"\x04" + b"\x21\x00\x00abcd"
HUGE_WINDOW = b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([21 << 3]) + b"\x21\x00\x00abcd"
CLAIMS_1_TIB = b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", 1 << 40) + b"\x21\x00\x00abcd"

HOSTILE = {
    "empty": b"",
    "no frame": b"not zstd at all",
    "cut short": FRAME[:-1],
    "half": FRAME[: len(FRAME) // 2],
    "two frames": FRAME + FRAME,
    "trailing garbage": FRAME + b"x",
    "a skippable frame behind": FRAME + SKIPPABLE,
    "only a skippable frame": SKIPPABLE,
    "a skippable frame before": SKIPPABLE + FRAME,
    "wants a dictionary": WITH_DICTIONARY,
    "a window of 2 GiB": HUGE_WINDOW,
    "claims 1 TiB": CLAIMS_1_TIB,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_frame_that_is_not_exactly_one_whole_frame_is_refused(name: str) -> None:
    with pytest.raises(CorruptError):
        decode(Codec.ZSTD, HOSTILE[name], len(DATA))


@pytest.mark.parametrize("size", [0, 1, len(DATA) - 1, len(DATA) + 1, 1 << 32])
def test_a_frame_of_another_size_than_recorded_is_refused(size: int) -> None:
    with pytest.raises(CorruptError):
        decode(Codec.ZSTD, FRAME, size)


@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_the_decoder_raise_anything_else(stored: bytes) -> None:
    try:
        data = decode(Codec.ZSTD, b"\x28\xb5\x2f\xfd" + stored, 10)
    except CorruptError:
        return
    assert len(data) == 10


BOMB = """
import resource, sys
from mfv.errors import CorruptError
from mfv.odb.codec import Codec, decode
from mfv.odb.zframe import zstd

pieces = zstd.ZstdCompressor(level=19)
frame, block = b"", bytes(1 << 24)
for _ in range(64):
    frame += pieces.compress(block)
frame += pieces.flush()
assert len(frame) < 64 * 1024, len(frame)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for size in (100, 4096, 1 << 20):
    try:
        decode(Codec.ZSTD, frame, size)
    except CorruptError:
        continue
    sys.exit("it was decoded")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(after - before)
"""


def test_a_gibibyte_in_a_frame_of_a_few_kilobytes_is_refused_in_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 64 << 20
