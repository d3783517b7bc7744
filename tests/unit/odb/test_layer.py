"""A layer says where an object probably lies, and what is no whole layer is refused."""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import PackId
from mfv.odb import merge
from mfv.odb.layer import Layer, Place, assemble, bits_for, split
from mfv.odb.pack import RECORD

Content = list[tuple[PackId, list[bytes]]]


def raw_of(ids: list[bytes]) -> bytes:
    return b"".join(RECORD.pack(one, 1, 0, 0, 0, 64, 0, 0) for one in sorted(ids))


def built(content: Content) -> Layer:
    return merge.build([(pack, raw_of(ids)) for pack, ids in content])


def places_of(content: Content, wanted: bytes) -> set[Place]:
    """Where ids lie that a layer cannot tell from `wanted`, which counts five bytes."""
    return {
        Place(pack, place)
        for pack, ids in content
        for place, one in enumerate(sorted(ids))
        if one[:5] == wanted[:5]
    }


def tells(layer: Layer, content: Content) -> bool:
    asked = [one for _, ids in content for one in ids] + [os.urandom(32) for _ in range(5)]
    return all(set(layer.find(*split(one))) == places_of(content, one) for one in asked)


def some_content(packs: int = 3, each: int = 40) -> Content:
    return [(PackId.new(), [os.urandom(32) for _ in range(each)]) for _ in range(packs)]


def changed(layer: Layer, at: int, flip: int = 1) -> memoryview:
    data = bytearray(layer.data)
    data[at] ^= flip
    return memoryview(data)


# Near ids and equal ids in several packs, which random ones never are.
NEAR = st.binary(min_size=1, max_size=3).map(lambda some: some.rjust(6, b"\x07").ljust(32, b"\x01"))
IDS = st.lists(st.one_of(st.binary(min_size=32, max_size=32), NEAR), max_size=30)
CONTENT = st.lists(IDS, max_size=5).map(lambda lists: [(PackId.new(), one) for one in lists])


@pytest.fixture(params=["Python", "numpy"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By whom layers are made."""
    if request.param == "numpy":
        pytest.importorskip("numpy")
        monkeypatch.setattr(merge, "_NUMPY_FROM", 0)
    else:
        monkeypatch.setattr(merge, "_numpy", lambda: None)
    return str(request.param)


@pytest.mark.parametrize("fast", [False, True])
@settings(deadline=None, max_examples=60)
@given(content=CONTENT)
def test_every_id_is_found_in_all_its_places_and_no_other(fast: bool, content: Content) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "_NUMPY_FROM", 0 if fast else 1 << 30)
        layer = built(content)
    assert tells(layer, content)
    assert layer.packs() == [pack for pack, _ in content]
    assert layer.is_whole()


@pytest.mark.parametrize("fast", [False, True])
@settings(deadline=None, max_examples=60)
@given(contents=st.lists(CONTENT, min_size=1, max_size=4), data=st.data())
def test_merged_layers_tell_what_all_of_them_told_without_the_unwanted(
    fast: bool, contents: list[Content], data: st.DataObject
) -> None:
    packs = [pack for content in contents for pack, _ in content]
    unwanted = data.draw(st.sets(st.sampled_from(packs)) if packs else st.just(set[PackId]()))
    twice = data.draw(st.sampled_from([[], contents[:1]]))  # overlapping, as after a race
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "_NUMPY_FROM", 0 if fast else 1 << 30)
        merged = merge.merge([built(content) for content in contents + twice], unwanted)
    left = [one for content in contents for one in content if one[0] not in unwanted]
    assert merged.packs() == [pack for pack, _ in left]
    assert merged.objects == sum(len(ids) for _, ids in left)
    assert tells(merged, left)


def test_python_and_numpy_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numpy")
    contents = [some_content(), some_content(2, 3000)]
    made = []
    for least in (1 << 30, 0):
        monkeypatch.setattr(merge, "_NUMPY_FROM", least)
        one = merge.merge([built(content) for content in contents])
        made.append((bytes(one.data), bytes(built(contents[1]).data)))
    assert made[0] == made[1]


def test_layers_of_many_sizes_merge_into_wider_buckets(by: str) -> None:
    contents = [some_content(2, each) for each in (1, 50, 2500, 6000)]
    merged = merge.merge([built(content) for content in contents])
    assert merged.bits == bits_for(2 * 8551) > built(contents[0]).bits
    assert tells(merged, [(pack, ids[:50]) for content in contents[:2] for pack, ids in content])
    for pack, ids in contents[3]:
        asked = {place for one in ids[:100] for place in merged.find(*split(one))}
        assert {place.pack for place in asked} == {pack}
        assert sorted(ids)[next(iter(asked)).position] in ids[:100]


def test_the_end_of_one_tail_and_the_beginning_of_the_next_are_no_tail(by: str) -> None:
    pack = PackId.new()
    ids = [one.ljust(32, b"\0") for one in (b"\x01\x07ABC", b"\x01DEFG", b"\x01GHIJ")]
    layer = built([(pack, ids)])
    assert list(layer.find(*split(b"\x01ABCD"))) == []
    assert list(layer.find(*split(b"\x01EFGG"))) == []
    assert [list(layer.find(*split(one))) for one in ids] == [[(pack, 0)], [(pack, 1)], [(pack, 2)]]


def test_buckets_have_eight_to_sixteen_entries() -> None:
    for objects in (1 << 12, 100_000, 10_000_000):
        assert 8 <= objects / (1 << bits_for(objects)) < 16


def test_a_head_with_any_bit_flipped_is_refused() -> None:
    layer = built(some_content(2, 3))
    head = 96 + 2 * 16 + 3 * 4
    for at in range(head):
        with pytest.raises(CorruptError):
            Layer(changed(layer, at, 0x10))


def test_a_body_with_any_bit_flipped_is_not_whole_and_still_answers() -> None:
    content = some_content(2, 3)
    layer = built(content)
    head = 96 + 2 * 16 + 3 * 4
    ids = [one for _, ids in content for one in ids]
    for at in range(head, len(layer.data)):
        hurt = Layer(changed(layer, at, 0x80))
        assert not hurt.is_whole()
        for one in ids:
            assert all(place.pack in hurt.packs() for place in hurt.find(*split(one)))


def test_a_layer_cut_or_lengthened_anywhere_is_refused() -> None:
    data = built(some_content(1, 2)).data
    for length in range(len(data)):
        with pytest.raises(CorruptError):
            Layer(data[:length])
    with pytest.raises(CorruptError):
        Layer(memoryview(bytes(data) + b"\0"))


@pytest.mark.parametrize("at", [7, 8])
def test_another_version_or_byte_order_is_foreign_and_not_damage(at: int) -> None:
    with pytest.raises(FormatTooNewError):
        Layer(changed(built(some_content()), at, 2))


def test_packs_numbered_out_of_order_are_refused_under_a_right_seal() -> None:
    packs = [(PackId.new(), 5), (PackId.new(), -3), (PackId.new(), 4)]
    with pytest.raises(CorruptError, match="out of order"):
        assemble(packs, 8, bytes(4 * 257), b"", b"")


def assemble_wild(numbers: list[int], fan: list[int]) -> Layer:
    tails = memoryview(bytes(4 * len(numbers)))
    raw = b"".join(number.to_bytes(4, "little") for number in numbers)
    edges = b"".join(edge.to_bytes(4, "little") for edge in fan)
    return assemble([(PackId.new(), len(numbers))], 8, edges, tails, raw)


@pytest.mark.parametrize(
    "layer",
    [
        assemble_wild([0, 1 << 31], [0] + [2] * 256),
        assemble_wild([0, 1], [1, 0] * 128 + [1 << 31]),
        assemble_wild([0, 1], [0] + [1 << 31] * 256),
    ],
)
def test_a_forged_body_leads_nowhere_and_merging_it_raises_nothing_unforeseen(
    layer: Layer, by: str
) -> None:
    assert layer.is_whole()
    for head in (0, 1 << 24, (1 << 32) - 1):
        assert all(place.position < 2 for place in layer.find(head, bytes(4)))
    with contextlib.suppress(ValueError, IndexError):
        merge.merge([layer, built(some_content())])
