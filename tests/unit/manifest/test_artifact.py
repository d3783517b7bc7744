"""Artifact ids, sizes and which scalars are metrics."""

from __future__ import annotations

import itertools

import pytest

from mfv.errors import CorruptError
from mfv.ids import ID_BYTES, RECORD_TYPES, ArtifactId, BlobId, ChunkId, EntryId, ObjectId, Seal
from mfv.manifest.artifact import PICKLE, Artifact, Frame, Summary

FRAME = Frame(bytes(BlobId.of(b"a frame")), 7)


def test_equal_values_have_one_id_under_different_names_types_and_summaries() -> None:
    one = Artifact("a", "list", PICKLE, None, (FRAME,), Summary(text="[1]"))
    other = Artifact("b", "List", PICKLE, None, (FRAME,))
    assert one.id == other.id


def test_every_difference_in_the_stored_value_is_another_id() -> None:
    two = Frame(bytes(BlobId.of(b"another")), 7)
    made = [
        *(Artifact("x", "t", value=value) for value in (None, 0, 1, 0.0, 1.0, -0.0, True, False)),
        *(Artifact("x", "t", value=value) for value in ("", "0", "1", 2**63, -1)),
        Artifact("x", "t", PICKLE, None, ()),
        Artifact("x", "t", PICKLE, None, (FRAME,)),
        Artifact("x", "t", PICKLE, None, (FRAME, FRAME)),
        Artifact("x", "t", PICKLE, None, (FRAME, two)),
        Artifact("x", "t", PICKLE, None, (two, FRAME)),
        Artifact("x", "t", "bytes", None, (FRAME,)),
    ]
    assert len({artifact.id for artifact in made}) == len(made)


def test_the_size_is_that_of_the_serialized_value() -> None:
    assert Artifact("x", "t", PICKLE, None, (FRAME, FRAME)).size == 14
    assert Artifact("x", "float", value=0.5).size == 9


@pytest.mark.parametrize("value", [0, 1, 0.5, float("nan"), -(2**63)])
def test_ints_and_floats_are_numbers(value: float) -> None:
    assert Artifact("x", "t", value=value).is_number


@pytest.mark.parametrize("value", [True, False, None, "1", ""])
def test_bools_texts_and_nothing_are_no_numbers(value: object) -> None:
    assert not Artifact("x", "t", value=value).is_number  # type: ignore[arg-type]


KINDS: list[type[ObjectId]] = [BlobId, *RECORD_TYPES.values(), ArtifactId, EntryId, Seal]


@pytest.mark.parametrize("data", [b"", b"the same bytes", bytes(2 << 20)])
def test_an_id_of_one_kind_never_equals_that_of_another(data: bytes) -> None:
    for one, other in itertools.combinations(KINDS, 2):
        assert one.of(data) != other.of(data)


def test_a_blob_of_one_chunk_has_the_id_of_that_chunk() -> None:
    assert BlobId.of(b"x") == ChunkId.of(b"x")


def test_a_large_buffer_has_the_id_of_its_bytes_whatever_holds_it() -> None:
    data = bytes(range(256)) * (1 << 13)
    holders = (data, bytearray(data), memoryview(data))
    assert len({BlobId.of(holder) for holder in holders}) == 1


@pytest.mark.parametrize("size", [0, 31, 33])
def test_bytes_of_another_length_are_no_id(size: int) -> None:
    with pytest.raises(CorruptError):
        BlobId.checked(bytes(size))
    assert BlobId.checked(bytes(ID_BYTES)) == bytes(ID_BYTES)
