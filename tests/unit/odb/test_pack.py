"""A pack is read back as it was laid out, or refused with the reason."""

from __future__ import annotations

import os

import pytest

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError
from mfv.ids import BlobId, ChunkId, PackId, Seal
from mfv.odb import pack as packs
from mfv.odb.pack import (
    HEADER,
    RECORD,
    TRAILER,
    Member,
    PackBuilder,
    Receipt,
    Record,
    index_range,
    parse_index,
)
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.odb.whereabouts import PackIndex
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import CountingBackend

PAYLOADS = [b"one", b"second object", b"", b"x" * 200]


def built(payloads: list[bytes] = PAYLOADS, *, align: bool = False) -> tuple[bytes, Receipt]:
    builder = PackBuilder()
    for data in payloads:
        builder.add([Member(ChunkId.of(data), ChunkId.kind, len(data))], 0, data, align=align)
    parts, receipt = builder.finish()
    return b"".join(parts), receipt


def parsed(data: bytes, pack: PackId) -> list[packs.Record]:
    trailer = data[-TRAILER.size :]
    offset, length = index_range(trailer, len(data))
    return parse_index(pack, data[: HEADER.size], data[offset : offset + length], trailer)


def packed(record: Record) -> bytes:
    numbers = (record.kind, record.codec, record.depth, record.within)
    return RECORD.pack(record.id, *numbers, record.offset, record.stored, record.size)


def forged(data: bytes, pack: PackId, records: list[packs.Record], end: int) -> bytes:
    """The pack `data` with other records, under a seal that is right for them."""
    header, index = data[: HEADER.size], b"".join(map(packed, records))
    head = TRAILER.pack(end, len(records), bytes(32))[:-32]
    return data[:end] + index + head + Seal.of(header + index + head)


@pytest.mark.parametrize("align", [False, True])
def test_every_object_is_found_where_its_record_says(align: bool) -> None:
    data, receipt = built(align=align)
    records = parsed(data, receipt.pack)
    assert len(data) == receipt.size
    found = {record.id: data[record.offset : record.offset + record.stored] for record in records}
    assert found == {bytes(ChunkId.of(payload)): payload for payload in PAYLOADS}
    assert [record.id for record in records] == sorted(record.id for record in records)
    if align:
        assert all(record.offset % 64 == 0 for record in records)


def test_a_pack_of_nothing_is_a_pack() -> None:
    data, receipt = built([])
    assert len(data) == HEADER.size + TRAILER.size
    assert parsed(data, receipt.pack) == []


def test_the_receipt_bears_the_seal_with_which_the_file_ends() -> None:
    data, receipt = built()
    assert data[-32:] == receipt.seal


def test_two_packs_of_the_same_objects_have_different_names() -> None:
    assert built()[1].pack != built()[1].pack


def test_a_file_that_does_not_start_as_a_pack_is_refused() -> None:
    data, receipt = built()
    with pytest.raises(CorruptError, match="does not start"):
        parsed(b"PK" + data[2:], receipt.pack)


def test_a_newer_version_is_refused_by_name_and_not_called_damage() -> None:
    data, receipt = built()
    with pytest.raises(FormatTooNewError, match=r"version 2") as caught:
        parsed(data[:7] + b"\x02" + data[8:], receipt.pack)
    assert caught.value.hint


def test_version_zero_is_refused() -> None:
    data, receipt = built()
    with pytest.raises(CorruptError, match="version 0"):
        parsed(data[:7] + b"\x00" + data[8:], receipt.pack)


def test_a_pack_under_another_packs_name_is_refused() -> None:
    data, _ = built()
    with pytest.raises(CorruptError, match="another pack's name"):
        parsed(data, PackId.new())


def test_a_changed_index_does_not_match_its_seal() -> None:
    data, receipt = built()
    at = len(data) - TRAILER.size - 10
    with pytest.raises(CorruptError, match="seal"):
        parsed(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], receipt.pack)


def test_the_zeros_of_header_and_trailer_are_sealed_too() -> None:
    data, receipt = built()
    for at in (HEADER.size - 1, len(data) - 33):
        with pytest.raises(CorruptError, match="seal"):
            parsed(data[:at] + b"\x01" + data[at + 1 :], receipt.pack)


def test_records_out_of_order_are_refused_under_a_right_seal() -> None:
    data, receipt = built()
    records = parsed(data, receipt.pack)
    end = max(record.offset + record.stored for record in records)
    assert parsed(forged(data, receipt.pack, records, end), receipt.pack) == records
    with pytest.raises(CorruptError, match="sorted"):
        parsed(forged(data, receipt.pack, records[::-1], end), receipt.pack)


@pytest.mark.parametrize("offset", [0, 63, 1 << 20, 1 << 62, (1 << 64) - 1])
def test_an_object_outside_the_payload_is_refused_under_a_right_seal(offset: int) -> None:
    data, receipt = built([b"only"])
    (record,) = parsed(data, receipt.pack)
    hostile = forged(data, receipt.pack, [record._replace(offset=offset)], HEADER.size + 4)
    with pytest.raises(CorruptError, match="outside"):
        parsed(hostile, receipt.pack)


@pytest.mark.parametrize("stored", [5, 1 << 40, (1 << 64) - 1])
def test_an_object_longer_than_the_payload_is_refused_under_a_right_seal(stored: int) -> None:
    data, receipt = built([b"only"])
    (record,) = parsed(data, receipt.pack)
    hostile = forged(data, receipt.pack, [record._replace(stored=stored)], HEADER.size + 4)
    with pytest.raises(CorruptError, match="outside"):
        parsed(hostile, receipt.pack)


def test_a_size_that_nobody_could_hold_is_refused_under_a_right_seal() -> None:
    data, receipt = built([b"only"])
    (record,) = parsed(data, receipt.pack)
    hostile = forged(data, receipt.pack, [record._replace(size=1 << 40)], HEADER.size + 4)
    with pytest.raises(CorruptError, match="claims"):
        parsed(hostile, receipt.pack)


@pytest.mark.parametrize(("offset", "count"), [(0, 4), (1 << 63, 4), (64, 1 << 60), (64, 0)])
def test_a_trailer_that_does_not_fit_its_file_is_refused_before_anything_is_read(
    offset: int, count: int
) -> None:
    data, _ = built()
    with pytest.raises(CorruptError, match="trailer"):
        index_range(TRAILER.pack(offset, count, bytes(32)), len(data))


def test_a_pack_cut_short_anywhere_is_damage_that_names_it() -> None:
    data, receipt = built()
    backend = MemoryBackend()
    for length in range(len(data)):
        backend.put(key_of(receipt.pack), [data[:length]])
        with pytest.raises(CorruptError, match=str(receipt.pack)):
            read_index(backend, receipt.pack)


def test_a_pack_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        read_index(MemoryBackend(), PackId.new())


def test_only_files_that_are_named_as_packs_are_packs() -> None:
    backend = MemoryBackend()
    good = [PackId.new() for _ in range(3)]
    for pack in good:
        backend.put(key_of(pack), [b""])
    for name in ("readme", f"{PackId.new()}.tmp", "ABCD.pack", f"{PackId.new()}x.pack", "a/b.pack"):
        backend.put(f"packs/{name}", [b""])
    assert list(list_packs(backend)) == sorted(good)


def test_a_damaged_pack_is_set_aside_by_name_and_the_others_work() -> None:
    backend = MemoryBackend()
    good, bad = built([b"good"]), built([b"bad"])
    backend.put(key_of(good[1].pack), [good[0]])
    backend.put(key_of(bad[1].pack), [bad[0][:-1]])
    index = PackIndex(backend)
    assert [copy.pack for copy in index.find(ChunkId.of(b"good"))] == [good[1].pack]
    assert index.find(ChunkId.of(b"bad")) == []
    assert set(index.damaged) == {bad[1].pack}


def test_every_copy_is_found_and_a_forgotten_pack_takes_only_its_own_away() -> None:
    backend = MemoryBackend()
    one, two = built([b"same", b"first only"]), built([b"same", b"second only"])
    for data, receipt in (one, two):
        backend.put(key_of(receipt.pack), [data])
    index = PackIndex(backend)
    assert {copy.pack for copy in index.find(ChunkId.of(b"same"))} == {one[1].pack, two[1].pack}
    index.forget({one[1].pack})
    index.refresh()
    assert [copy.pack for copy in index.find(ChunkId.of(b"same"))] == [two[1].pack]
    assert index.find(ChunkId.of(b"first only")) == []
    assert len(index.find(ChunkId.of(b"second only"))) == 1
    assert len(list(index)) == 2


def test_a_pack_that_came_later_is_seen_after_a_refresh() -> None:
    backend = MemoryBackend()
    index = PackIndex(backend)
    assert index.find(ChunkId.of(b"late")) == []
    data, receipt = built([b"late"])
    backend.put(key_of(receipt.pack), [data])
    index.refresh()
    assert len(index.find(ChunkId.of(b"late"))) == 1


def test_a_hint_reads_one_index_and_not_all() -> None:
    backend = MemoryBackend()
    wanted, other = built([b"wanted"]), built([b"other"])
    for data, receipt in (wanted, other):
        backend.put(key_of(receipt.pack), [data])
    counting = CountingBackend(backend)
    index = PackIndex(counting)
    assert len(index.find(BlobId.of(b"wanted"), wanted[1].pack)) == 1
    assert counting.calls == {"stat": 1, "get": 1}


def test_pack_names_are_parsed_only_from_what_spells_one() -> None:
    pack = PackId(os.urandom(16))
    assert PackId.parse(str(pack)) == pack
    for text in ("", "0" * 31, "0" * 33, "0" * 31 + "A", "0" * 31 + "g", "../" + "0" * 29):
        assert PackId.parse(text) is None
