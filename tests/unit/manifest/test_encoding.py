"""One value, one encoding; and nothing else is read."""

from __future__ import annotations

import contextlib
import struct
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError
from mfv.manifest import artifact, records
from mfv.manifest.artifact import Artifact, Column, Frame, Summary
from mfv.manifest.counting import holds_more_than
from mfv.manifest.encoding import LARGEST, MOST_VALUES, TooLargeError, decode, encode
from mfv.manifest.records import Failure, Log, Run, Split, Task, TaskRef, Tree, TreeFile

HASH, PACK = bytes(range(32)), bytes(range(16))

whole = st.integers(-(2**63), 2**64 - 1)
counts = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
floats = st.floats(allow_nan=False)
hashes = st.binary(min_size=32, max_size=32)
scalars = st.one_of(st.none(), st.booleans(), whole, floats, texts)
summaries = st.builds(
    Summary,
    text=texts,
    shape=st.none() | st.lists(counts, max_size=3).map(tuple),
    length=st.none() | counts,
    columns=st.lists(st.builds(Column, texts, texts), max_size=2).map(tuple),
    low=st.none() | floats,
)
artifacts = st.builds(
    Artifact,
    name=texts,
    type=texts,
    serializer=texts | st.just("scalar"),
    value=scalars,
    frames=st.lists(st.builds(Frame, hashes, counts), max_size=2).map(tuple),
    summary=summaries,
)
tasks = st.builds(
    Task,
    flow=texts,
    run=counts,
    step=texts,
    id=counts,
    status=st.sampled_from(["ok", "failed"]),
    started=counts,
    ended=counts,
    cpu=st.floats(0, 1e9),
    peak_memory=counts,
    artifacts=st.lists(artifacts, max_size=3).map(tuple),
    splits=st.lists(st.builds(Split, texts, texts, counts, counts, texts), max_size=2).map(tuple),
    dropped=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    stdout=st.builds(Log, size=counts, text=st.none() | st.binary(max_size=9)),
    failure=st.none() | st.builds(Failure, texts, texts, texts),
)
refs = st.builds(
    TaskRef,
    *(texts, counts, counts, st.sampled_from(["ok", "failed"]), counts, counts, hashes),
    st.binary(min_size=16, max_size=16),
)
runs = st.builds(
    Run,
    flow=texts,
    number=counts,
    origin=st.binary(min_size=16, max_size=16),
    opening=hashes,
    status=st.sampled_from(["ok", "failed", "interrupted", "crashed"]),
    started=counts,
    ended=counts,
    tasks=st.lists(refs, max_size=3).map(tuple),
    results=st.lists(artifacts, max_size=2).map(tuple),
)


@settings(deadline=None)
@given(st.one_of(tasks, runs, artifacts))
def test_a_record_that_was_encoded_is_decoded(record: Any) -> None:
    data = encode(record)
    again = decode(type(record), data)
    assert again == record
    assert encode(again) == data


def task(**fields: Any) -> Task:
    return Task("Flow", 1, "start", 1, "ok", 1, 2, **fields)


def test_a_value_equal_to_the_default_is_left_out_however_it_came_about() -> None:
    plain = encode(task())
    assert encode(task(stdout=Log(), cpu=float("0"), attempt=int("0"), failure=None)) == plain
    assert encode(task(artifacts=(), splits=())) == plain
    scalar = Artifact("x", "int", "".join(["sca", "lar"]), 1, (), Summary(text="".join([])))
    assert encode(scalar) == encode(Artifact("x", "int", value=1))
    assert encode(task(artifacts=(scalar,))) == encode(
        task(artifacts=(Artifact("x", "int", value=1),))
    )


def test_what_was_left_out_may_not_be_written() -> None:
    fields = msgspec.msgpack.decode(encode(task()))
    for name, value in (("cpu", 0.0), ("stdout", {}), ("attempt", 0), ("failure", None)):
        written = msgspec.msgpack.encode({**fields, name: value})
        with pytest.raises(CorruptError, match="canonical"):
            decode(Task, written)


def test_a_map_has_the_shortest_header_also_where_fields_are_left_out() -> None:
    assert len(Task.__struct_fields__) > 15
    assert encode(task())[0] == 0x87
    many = dict.fromkeys(("attempt", "pid", "exit_code", "signal", "peak_memory"), 1)
    full = task(
        **many, cpu=1.0, parents=(1,), inherited=("a",), dropped=(("a", "b"),), stdout=Log(1)
    )
    assert encode(full)[:3] == b"\xde\x00\x11"
    assert decode(Task, encode(full)) == full
    with pytest.raises(CorruptError, match="canonical"):
        decode(Task, b"\xde\x00\x07" + encode(task())[1:])


def test_only_a_record_on_its_own_has_more_fields_than_a_short_header_counts() -> None:
    """Inside another record nobody would shorten its header: see `encode`."""
    kinds = [
        kind
        for module in (artifact, records)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ]
    inside = {
        arg
        for kind in kinds
        for hint in get_type_hints(kind).values()
        for arg in (hint, *get_args(hint))
        if isinstance(arg, type) and issubclass(arg, msgspec.Struct)
    }
    assert {Artifact, Summary, Log, Failure} <= inside
    for kind in inside:
        assert not kind.__struct_config__.omit_defaults or len(kind.__struct_fields__) <= 15


FAILURE = Failure("ValueError", "no", "trace")
GOOD = encode(FAILURE)


def text(word: str) -> bytes:
    return bytes([0xA0 | len(word)]) + word.encode()


def pairs(*items: bytes) -> bytes:
    return bytes([0x80 | len(items) // 2]) + b"".join(items)


T, M, B = (text("type"), text("a")), (text("message"), text("b")), (text("traceback"), text("c"))

NOT_CANONICAL = {
    "empty": b"",
    "nil": b"\xc0",
    "trailing byte": GOOD + b"\x00",
    "twice": GOOD + GOOD,
    "cut short": GOOD[:-1],
    "other order": pairs(*M, *T, *B),
    "a field missing": pairs(*T, *M),
    "a field too many": pairs(*T, *M, *B, text("more"), text("x")),
    "a key twice": pairs(*T, *T, *M, *B),
    "a key that is a number": pairs(*T, *M, *B, b"\x01", b"\x01"),
    "a key that is NaN": pairs(*T, *M, *B, b"\xcb\x7f\xf8" + bytes(6), b"\x01"),
    "a key that is nil": pairs(*T, *M, *B, b"\xc0", b"\x01"),
    "a longer map header": b"\xde\x00\x03" + pairs(*T, *M, *B)[1:],
    "a longer string header": pairs(text("type"), b"\xd9\x01a", *M, *B),
    "bytes for text": pairs(text("type"), b"\xc4\x01a", *M, *B),
    "no utf-8": pairs(text("type"), b"\xa1\xff", *M, *B),
    "an extension": pairs(text("type"), b"\xd4\x01a", *M, *B),
    "a timestamp": pairs(text("type"), b"\xd6\xff" + bytes(4), *M, *B),
    "the reserved byte": b"\xc1",
    "an array for a map": b"\x93" + text("a") * 3,
}


@pytest.mark.parametrize("name", NOT_CANONICAL)
def test_what_is_not_exactly_the_one_encoding_is_refused(name: str) -> None:
    assert decode(Failure, pairs(*T, *M, *B)) == Failure("a", "b", "c")
    with pytest.raises(CorruptError, match="Failure"):
        decode(Failure, NOT_CANONICAL[name])


@pytest.mark.parametrize(
    "value", [b"\xd0\x05", b"\xcc\x05", b"\xcd\x00\x05", b"\xca\x00\x00\x00\x00"]
)
def test_a_number_in_a_longer_form_than_it_needs_is_refused(value: bytes) -> None:
    good = encode(Artifact("x", "int", value=5))
    assert good.endswith(b"\x05")
    with pytest.raises(CorruptError, match="canonical"):
        decode(Artifact, good[:-1] + value)


@pytest.mark.parametrize("size", [0, 20, 31, 33, 64])
def test_an_id_of_another_length_is_refused(size: int) -> None:
    tree = Tree((TreeFile(b"a", 0o100644, b"x" * size, 1),))
    with pytest.raises(CorruptError):
        decode(Tree, encode(tree))


def test_an_id_in_hex_is_refused() -> None:
    row = [b"a", 0o100644, HASH.hex(), 1]
    with pytest.raises(CorruptError):
        decode(Tree, msgspec.msgpack.encode({"files": [row]}))


def test_a_row_longer_or_shorter_than_its_fields_is_refused() -> None:
    for row in ([b"a", 0o100644, HASH], [b"a", 0o100644, HASH, 1, 1]):
        with pytest.raises(CorruptError):
            decode(Tree, msgspec.msgpack.encode({"files": [row]}))


@pytest.mark.parametrize(
    "data",
    [
        b"\x91" * 100_000 + b"\xc0",
        b"\x81\xa1x" * 50_000 + b"\xc0",
        pairs(*T, *M, *B, text("more"), b"\x91" * 100_000),
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x81\xa5files\xdd\xff\xff\xff\xff",
        b"\x81\xa5files\x91\x94\xc6\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("kind", [Failure, Tree])
def test_deep_nesting_and_huge_claims_are_refused(kind: type[Any], data: bytes) -> None:
    with pytest.raises(CorruptError):
        decode(kind, data)


def test_a_record_larger_than_any_may_be_is_refused_unread() -> None:
    with pytest.raises(CorruptError, match="larger"):
        decode(Failure, bytes(LARGEST + 1))


def count(value: object) -> int:
    """The values in `value`, keys included."""
    if isinstance(value, dict):
        return 1 + sum(count(key) + count(inner) for key, inner in value.items())
    return 1 + (sum(map(count, value)) if isinstance(value, list) else 0)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | whole | floats | texts | st.binary(max_size=40),
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=30,
    )
)
def test_the_values_in_a_record_are_counted_in_its_bytes(value: Any) -> None:
    _is_counted(value)


def test_long_values_are_counted_too() -> None:
    for length in (31, 32, 255, 256, 65_535, 65_536, 70_000):
        inside = {"text": "x" * length, "bytes": b"x" * length, "list": [1] * length}
        _is_counted([inside, {str(place): place for place in range(length)}])


def _is_counted(value: Any) -> None:
    data, number = msgspec.msgpack.encode(value), count(value)
    assert not holds_more_than(data, number)
    assert holds_more_than(data, number - 1) == (len(data) > number - 1)


@pytest.mark.parametrize("kind", [Task, Run])
def test_a_record_of_more_values_than_any_may_hold_is_neither_read_nor_written(kind: Any) -> None:
    most = getattr(kind, "most_values", MOST_VALUES)
    data = msgspec.msgpack.encode({"flow": [""] * most})
    with pytest.raises(CorruptError, match="larger than any"):
        decode(kind, data)
    with pytest.raises(TooLargeError):
        encode(task(inherited=("",) * MOST_VALUES))


@given(st.binary(max_size=80))
def test_no_bytes_at_all_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(CorruptError):
        assert encode(decode(Failure, data)) == data


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_means_something_else(at: int, flip: int) -> None:
    damaged = GOOD[:at] + bytes([GOOD[at] ^ flip]) + GOOD[at + 1 :]
    with contextlib.suppress(CorruptError):
        assert decode(Failure, damaged) != FAILURE


def test_nan_is_a_value_and_keeps_its_bits() -> None:
    nan = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0001))[0]
    data = encode(Artifact("loss", "float", value=nan))
    assert encode(decode(Artifact, data)) == data
