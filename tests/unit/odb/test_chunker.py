"""Cutting: nothing lost, the same cuts for the same bytes, and pieces of bounded size."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.odb.chunker import AVERAGE, NUMBERS_AVERAGE, SPREAD, average_for, cut
from mfv.odb.item import Item
from mfv.odb.pack import MAX_CHUNK

SMALLEST, LARGEST = AVERAGE // SPREAD, AVERAGE * SPREAD


def seeded(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


blobs = st.one_of(
    st.binary(max_size=200),
    st.builds(seeded, st.integers(0, 99), st.integers(0, 1_200_000)),
    st.builds(
        lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.integers(0, 900_000)
    ),
)


@settings(max_examples=60, deadline=None)
@given(blobs)
def test_the_pieces_joined_are_the_input_and_of_bounded_size(data: bytes) -> None:
    pieces = list(cut(memoryview(data)))
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= LARGEST for piece in pieces)
    assert all(len(piece) >= SMALLEST for piece in pieces[:-1])


@settings(max_examples=20, deadline=None)
@given(blobs)
def test_the_same_bytes_are_cut_alike_whatever_holds_them(data: bytes) -> None:
    one = [len(piece) for piece in cut(memoryview(data))]
    other = [len(piece) for piece in cut(memoryview(bytearray(b"x" + data))[1:])]
    assert one == other


def test_nothing_is_cut_from_nothing() -> None:
    assert list(cut(memoryview(b""))) == []


def test_the_pieces_are_views_and_not_copies() -> None:
    data = bytearray(seeded(1, 500_000))
    pieces = list(cut(memoryview(data)))
    data[0] ^= 0xFF
    assert pieces[0][0] == data[0]


def test_a_byte_put_in_at_the_front_leaves_most_pieces_as_they_were() -> None:
    data = seeded(2, 4 << 20)
    before = {bytes(piece) for piece in cut(memoryview(data))}
    after = {bytes(piece) for piece in cut(memoryview(b"!" + data))}
    assert len(before & after) > 0.8 * len(before)


items = st.none() | st.tuples(st.sampled_from("fiuV"), st.sampled_from([1, 2, 3, 4, 8, 12, 1000]))


@settings(max_examples=60, deadline=None)
@given(blobs, items)
def test_with_items_the_pieces_are_whole_items_and_joined_the_input(
    data: bytes, item: Item | None
) -> None:
    pieces = list(cut(memoryview(data), item))
    average = average_for(item)
    assert b"".join(pieces) == data
    assert all(0 < len(piece) < average * SPREAD + 1000 for piece in pieces)
    if item is not None:
        assert all(len(piece) % item[1] == 0 for piece in pieces[:-1])


def test_items_larger_than_any_reader_believes_are_cut() -> None:
    data = memoryview(bytes(100 << 20))
    assert max(len(piece) for piece in cut(data, ("V", 50 << 20))) <= 16 << 20
    assert max(len(piece) for piece in cut(data, ("V", 15 << 20))) < MAX_CHUNK


def test_items_larger_than_a_piece_are_not_cut() -> None:
    data = seeded(3, 3 << 20)
    pieces = [len(piece) for piece in cut(memoryview(data), ("V", 1 << 21))]
    assert pieces == [1 << 21, 1 << 20]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 5000), st.sampled_from([2, 4, 8, 12]))
def test_rows_put_in_leave_most_pieces_of_numbers_as_they_were(rows: int, width: int) -> None:
    data, item = seeded(4, 8 << 20), ("f", width)
    at = 100_000 * width
    changed = data[:at] + seeded(5, rows * width) + data[at:]
    before = {bytes(piece) for piece in cut(memoryview(data), item)}
    after = {bytes(piece) for piece in cut(memoryview(changed), item)}
    assert len(before & after) > 0.7 * len(before)


def test_numbers_are_cut_into_larger_pieces_than_bytes() -> None:
    assert average_for(("f", 4)) == NUMBERS_AVERAGE > AVERAGE
    assert average_for(("u", 1)) == average_for(None) == AVERAGE


def test_a_huge_blob_is_cut_into_no_more_pieces_than_can_be_kept_in_mind() -> None:
    gib = 1 << 30
    assert average_for(None, gib) == AVERAGE
    assert average_for(("f", 4), 4 * gib) == NUMBERS_AVERAGE
    assert average_for(None, 2 * gib) == 2 * AVERAGE
    assert average_for(None, 5 * gib) == 8 * AVERAGE
    assert average_for(None, 100 * gib) == average_for(("f", 4), 100 * gib) == 512 << 10
    data = seeded(1, 3_000_000)
    coarse = [len(piece) for piece in cut(memoryview(data), None, 20 * gib)]
    assert sum(coarse) == len(data)
    assert len(coarse) < len(list(cut(memoryview(data)))) / 3
