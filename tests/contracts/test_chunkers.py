"""What every way to cut promises. A new one joins `CUTTERS` and passes all of this."""

from __future__ import annotations

import mmap
import random
from collections.abc import Callable

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.odb import source
from mfv.odb.chunker import SPREAD, average_for, cut
from mfv.odb.item import Item
from mfv.odb.source import from_memory, from_reader


def in_memory(data: bytes) -> list[bytes]:
    return [bytes(piece) for piece in cut(memoryview(data))]


def as_a_blob(data: bytes) -> list[bytes]:
    return [bytes(piece.data) for piece in from_memory(memoryview(data))]


def by_windows(data: bytes) -> list[bytes]:
    """As a file is read, by windows of a size that no cut knows of."""

    def read_at(into: memoryview, offset: int) -> int:
        found = data[offset : offset + len(into)]
        into[: len(found)] = found
        return len(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "WINDOW", 400_000 + len(data) % 300_000)
        return [bytes(piece.data) for piece in from_reader(read_at)]


CUTTERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "in memory": in_memory,
    "as a blob": as_a_blob,
    "by windows": by_windows,
}


def made(seed: int, size: int, kind: str) -> bytes:
    """`size` bytes: noise, text, one byte again and again, or rows of a table."""
    source_ = random.Random(seed)
    if kind == "noise":
        return source_.randbytes(size)
    if kind == "constant":
        return bytes([seed % 256]) * size
    if kind == "rows":
        rows = (b"%d,%d,paid\n" % (n, source_.randrange(1000)) for n in range(size // 10 + 1))
        return b"".join(rows)[:size]
    return (source_.randbytes(97) * (size // 97 + 1))[:size]


contents = st.builds(
    made,
    st.integers(0, 999),
    st.integers(0, 1_500_000),
    st.sampled_from(["noise", "constant", "rows", "repeating"]),
)
LAWS = settings(max_examples=25, deadline=None)


@pytest.fixture(params=CUTTERS)
def cutter(request: pytest.FixtureRequest) -> Callable[[bytes], list[bytes]]:
    return CUTTERS[request.param]


@LAWS
@given(data=contents)
@pytest.mark.parametrize("name", CUTTERS)
def test_joined_the_pieces_are_the_whole(name: str, data: bytes) -> None:
    assert b"".join(CUTTERS[name](data)) == data


@LAWS
@given(data=contents)
@pytest.mark.parametrize("name", CUTTERS)
def test_no_piece_is_empty_or_larger_than_agreed_and_only_the_last_is_smaller(
    name: str, data: bytes
) -> None:
    sizes = [len(piece) for piece in CUTTERS[name](data)]
    average = average_for(None)
    assert all(0 < size <= average * SPREAD for size in sizes)
    assert all(size >= average // SPREAD for size in sizes[:-1])


@LAWS
@given(data=contents)
def test_all_cut_at_the_same_places(data: bytes) -> None:
    first, *others = (cutter(data) for cutter in CUTTERS.values())
    assert all(other == first for other in others)


@LAWS
@given(
    seed=st.integers(0, 99),
    where=st.integers(300_000, 1_200_000),
    put_in=st.binary(min_size=1, max_size=5000),
)
@pytest.mark.parametrize("name", CUTTERS)
def test_what_is_put_in_changes_the_pieces_around_it_alone(
    name: str, seed: int, where: int, put_in: bytes
) -> None:
    data = random.Random(seed).randbytes(3_000_000)
    before, after = CUTTERS[name](data), CUTTERS[name](data[:where] + put_in + data[where:])
    kept = set(before) & set(after)
    changed = sum(len(piece) for piece in after if piece not in kept)
    assert changed <= 6 * average_for(None) * SPREAD
    assert after[-1] == before[-1]


@pytest.mark.parametrize("hold", [bytes, bytearray, memoryview, numpy.frombuffer, "mmap"])
def test_what_holds_the_bytes_makes_no_difference(hold: Callable[[bytes], object] | str) -> None:
    data = made(5, 1_000_000, "rows")
    if isinstance(hold, str):
        held: object = mmap.mmap(-1, len(data))
        held[:] = data  # type: ignore[index]
    else:
        held = hold(data) if hold is not numpy.frombuffer else numpy.frombuffer(data, "u1")
    pieces = [bytes(piece) for piece in cut(memoryview(held).cast("B"))]  # type: ignore[arg-type]
    assert pieces == in_memory(data)


@LAWS
@given(
    seed=st.integers(0, 99),
    count=st.integers(0, 300_000),
    item=st.sampled_from([("f", 2), ("f", 4), ("i", 8), ("V", 12), ("V", 100)]),
)
def test_numbers_are_cut_between_items(seed: int, count: int, item: Item) -> None:
    data = random.Random(seed).randbytes(min(count * item[1], 3_000_000) // item[1] * item[1])
    pieces = list(cut(memoryview(data), item))
    assert b"".join(pieces) == data
    assert all(len(piece) % item[1] == 0 for piece in pieces)
