"""Packs whose seals are right, and whose indexes, frames, groups and lists of chunks lie."""

# ruff: noqa: E501 -- a row a line

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

import pytest
from backports import zstd
from forge import NAME, Forge
from sites import Row, Site, try_row

from mfv.ids import ChunkId, PackId
from mfv.manifest.artifact import BYTES, PICKLE, Artifact, Frame
from mfv.odb.codec import Codec
from mfv.odb.pack import MAX_CHUNK, Record
from mfv.odb.packindex import key_of

CORRUPT = 5
FAR = 2**63
VALUE = b"value" * 100
BAD = {"cat @/start/1/x": CORRUPT, "fsck": CORRUPT}
BAD_DATA = {"cat @/start/1/x": CORRUPT, "fsck --data": CORRUPT}


def value(made: Forge, data: bytes = VALUE, *, size: int | None = None, **lies: Any) -> None:
    """A run whose artifact is said to be `data`, in a pack that says other things of it."""
    made.run()
    blob = made.blob(data, size=size, **lies)
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(blob, size or len(data)),))])


def stored_as(codec: int, stored: bytes, data: bytes = VALUE, **lies: Any) -> Callable[..., None]:
    return lambda made: value(made, data, codec=codec, stored=stored, **lies)


def frame(data: bytes, **options: int) -> bytes:
    parameters = {getattr(zstd.CompressionParameter, name): one for name, one in options.items()}
    return zstd.compress(data, options=parameters or None)


def bomb(size: int, *, told: bool) -> bytes:
    """A frame that becomes `size` zeros."""
    encoder = zstd.ZstdCompressor(options={zstd.CompressionParameter.content_size_flag: int(told)})
    if told:
        return encoder.compress(bytes(size), zstd.ZstdCompressor.FLUSH_FRAME)
    pieces = [encoder.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*pieces, encoder.flush()])


def claims(size: int, window: int = 0) -> bytes:
    """The head of a frame that says it has `size` bytes, and then one raw block."""
    magic = b"\x28\xb5\x2f\xfd"
    head = bytes([0xC0]) + bytes([window]) + struct.pack("<Q", size)
    return magic + head + struct.pack("<I", (4 << 3) | 1)[:3] + b"abcd"


def skippable(data: bytes) -> bytes:
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", len(data)) + data


def with_dictionary(data: bytes) -> bytes:
    samples = [bytes([place % 7]) * 40 + bytes(range(place, place + 40)) for place in range(200)]
    return zstd.compress(data, zstd_dict=zstd.train_dict(samples, 1024))


def changed(**fields: int | bytes) -> Callable[[Forge], None]:
    """A run of which the record of one chunk says other things than it should."""

    def change(records: list[Record]) -> list[Record]:
        chunk = ChunkId.of(VALUE)
        return sorted(
            one._replace(**fields) if one.id == chunk else one
            for one in records  # type: ignore[arg-type]
        )

    def forge(made: Forge) -> None:
        made.run()
        made.run(values=[made.artifact(VALUE)], pack=change)

    return forge


def reversed_index(made: Forge) -> None:
    made.run()
    made.run(values=[made.artifact(VALUE)], pack=lambda records: sorted(records)[::-1])


def same_place(made: Forge) -> None:
    """All objects of the pack lie at one offset."""
    made.run()
    made.run(
        values=[made.artifact(VALUE)],
        pack=lambda records: sorted(one._replace(offset=64) for one in records),
    )


def one_many_times(made: Forge) -> None:
    """The index lists one object twenty thousand times, at as many places."""

    def change(records: list[Record]) -> list[Record]:
        chunk = next(one for one in records if one.id == ChunkId.of(VALUE))
        more = [chunk._replace(offset=64 + at % 100) for at in range(20_000)]
        return sorted([*records, *more])

    made.run()
    made.run(values=[made.artifact(VALUE)], pack=change)


def other_pack(change: Callable[[bytearray, PackId], object]) -> Callable[[Forge], None]:
    """Honest runs, and beside their packs one more whose bytes are changed."""

    def forge(made: Forge) -> None:
        made.run()
        made.run()
        made.blob(VALUE)
        pack = made.pack()
        data = bytearray(made.backend.get(key_of(pack)))
        change(data, pack)
        made.backend.put(key_of(pack), [bytes(data)])

    return forge


def count_of(count: int) -> Callable[[bytearray, PackId], None]:
    def change(data: bytearray, pack: PackId) -> None:
        data[-56:-48] = struct.pack("<Q", count)

    return change


def long_and_empty(made: Forge) -> None:
    """A pack of 8 GiB of nothing, whose trailer says that it is all index."""
    made.run()
    made.run()
    made.blob(VALUE)
    pack = made.pack()
    path = made.folder / key_of(pack)
    head = path.read_bytes()[:64]
    count = (8 << 30) // 64
    with open(path, "wb") as out:
        out.write(head)
        out.seek(64 + count * 64)
        out.write(struct.pack("<QQ", 64, count) + bytes(48))


def chunks_of(count: int, size: int = 1 << 20, claim: int | None = None) -> Callable[..., None]:
    """A blob that is said to be one chunk of zeros again and again."""

    def forge(made: Forge) -> None:
        made.run()
        data = bytes(size)
        chunk = made.blob(data, codec=Codec.ZSTD, stored=frame(data))
        blob = bytes(range(32))
        ids = chunk * count
        made.chunks(blob, [ids], codec=Codec.ZSTD, stored=frame(ids))
        whole = size * count if claim is None else claim
        made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(blob, whole),))])

    return forge


def chunks_of_itself(made: Forge) -> None:
    made.run()
    blob = bytes(range(32))
    made.chunks(blob, [blob, blob])
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(blob, 64),))])


def chunks_of_each_other(made: Forge) -> None:
    made.run()
    one, other = bytes(range(32)), bytes(range(1, 33))
    made.chunks(one, [other])
    made.chunks(other, [one, one])
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(one, 64),))])


def chunks_that_are(ids: bytes) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        made.run()
        blob = bytes(range(32))
        made.chunks(blob, [ids])
        made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(blob, 5),))])

    return forge


def chunks_in_another_order(made: Forge) -> None:
    made.run()
    one, other = made.blob(b"one"), made.blob(b"other")
    blob = bytes(ChunkId.of(b"oneother"))
    made.chunks(blob, [other, one])
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(blob, 8),))])


def group(size: int, base: list[bytes], data: bytes) -> bytes:
    return struct.pack("<II", size, len(base)) + b"".join(base) + data


def group_on_itself(depth: int) -> Callable[[Forge], None]:
    """A chunk of a group that builds on the chunk itself."""

    def forge(made: Forge) -> None:
        chunk = bytes(ChunkId.of(VALUE))
        value(made, codec=Codec.GROUP, stored=group(len(VALUE), [chunk], frame(VALUE)), depth=depth)

    return forge


def groups_in_a_ring(made: Forge) -> None:
    """Groups of which each builds on the next, with depths that cannot be true."""
    made.run()
    texts = [bytes([65 + place]) * 500 for place in range(6)]
    ids = [bytes(ChunkId.of(text)) for text in texts]
    for place, text in enumerate(texts):
        stored = group(500, [ids[(place + 1) % 6]], frame(text))
        made.blob(text, codec=Codec.GROUP, stored=stored, depth=200 - place)
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(ids[0], 500),))])


def groups_very_deep(made: Forge) -> None:
    """250 groups, each of which builds on the one before."""
    made.run()
    text = os.urandom(500)
    chunk = made.blob(text)
    for depth in range(1, 251):
        before, text = text, bytes([depth]) + text[1:]
        prefix = zstd.ZstdDict(before, is_raw=True).as_prefix
        stored = group(500, [chunk], zstd.compress(text, zstd_dict=prefix))
        chunk = made.blob(text, codec=Codec.GROUP, stored=stored, depth=depth)
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(chunk, 500),))])


def groups_as_large_as_any(made: Forge) -> None:
    """Eight groups, each of which builds on as much as any may, in which the one before lies."""
    made.run()
    size = 15 << 20
    text = os.urandom(1000) + bytes(size)
    chunk = made.blob(text)
    for depth in range(1, 9):
        before, text = text, bytes([depth]) + text[1:]
        prefix = zstd.ZstdDict(before, is_raw=True).as_prefix
        packed = zstd.compress(text, zstd_dict=prefix)
        stored = group(len(text), [chunk], packed)
        chunk = made.blob(text, codec=Codec.GROUP, stored=stored, depth=depth)
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(chunk, len(text)),))])


def group_after_much(made: Forge) -> None:
    """A group that builds on 4096 chunks of 16 MiB, all the same."""
    made.run()
    zeros = bytes(16 << 20)
    chunk = made.blob(zeros, codec=Codec.ZSTD, stored=frame(zeros))
    stored = group(len(VALUE), [chunk] * 4096, frame(VALUE))
    blob = made.blob(VALUE, codec=Codec.GROUP, stored=stored, depth=1)
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(blob, len(VALUE)),))])


def planes(width: int, *lengths: int, payload: bytes = b"") -> bytes:
    return struct.pack(f"<B{len(lengths)}I", width, *lengths) + payload


def large_chunks(made: Forge) -> None:
    """A value of many chunks, each as large as any may be."""
    made.run()
    zeros = bytes(MAX_CHUNK)
    chunk = made.blob(zeros, codec=Codec.ZSTD, stored=frame(zeros))
    hasher = __import__("blake3").blake3()
    for _ in range(10):
        hasher.update(zeros)
    blob = hasher.digest()
    made.chunks(blob, [chunk] * 10)
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(blob, 10 * MAX_CHUNK),))])


def stream_of_zeros(made: Forge) -> None:
    """A pickle whose stream is said to have five bytes, and has 512 MiB of zeros."""
    chunks_of(512, claim=5)(made)
    blob = bytes(range(32))
    made.run(values=[Artifact(NAME, "evil.Thing", PICKLE, None, (Frame(blob, 5),))])


FEW = (
    "log",
    "show",
    "show @/start/1/x",
    "cat @/start/1/x",
    "ls -l @/start/1/x",
    "fsck",
    "fsck --data",
)
# What tells of a value without reading it: who asks for a large one waits for it.
UNREAD = ("log", "show", "show @/start/1/x", "ls -l @/start/1/x", "du", "diff @{-1} @", "fsck")
GIB = 1 << 30
ROWS = [
    # What a frame says and holds.
    Row("zstd-bomb-with-its-size", stored_as(1, bomb(GIB >> 2, told=True)), BAD_DATA),
    Row("zstd-bomb-without-its-size", stored_as(1, bomb(GIB >> 2, told=False)), BAD_DATA),
    Row("zstd-bomb-recorded-as-it-is", stored_as(1, bomb(GIB >> 2, told=True), size=GIB >> 2), BAD),
    Row("zstd-claims-1-TiB", stored_as(1, claims(1 << 40)), BAD_DATA),
    Row("zstd-claims-2^64", stored_as(1, claims(2**64 - 1)), BAD_DATA),
    Row("zstd-window-of-2-GiB", stored_as(1, claims(500, 0xA8).replace(b"\xc0", b"\x80")), BAD_DATA),
    Row("zstd-dictionary", stored_as(1, with_dictionary(VALUE)), BAD_DATA),
    Row("zstd-skippable-frame", stored_as(1, skippable(VALUE)), BAD_DATA),
    Row("zstd-skippable-before", stored_as(1, skippable(b"x") + frame(VALUE)), BAD_DATA),
    Row("zstd-two-frames", stored_as(1, frame(VALUE[:100]) + frame(VALUE[100:])), BAD_DATA),
    Row("zstd-trailing-bytes", stored_as(1, frame(VALUE) + b"more"), BAD_DATA),
    Row("zstd-cut-short", stored_as(1, frame(VALUE)[:-3]), BAD_DATA),
    Row("zstd-empty", stored_as(1, b""), BAD_DATA),
    Row("zstd-one-byte-less", stored_as(1, frame(VALUE[:-1])), BAD_DATA),
    Row("zstd-other-bytes", stored_as(1, frame(b"other" * 100)), BAD_DATA),
    Row("raw-other-bytes", stored_as(0, b"other" * 100), BAD_DATA),
    # Codecs.
    Row("codec-unknown", stored_as(99, VALUE), BAD_DATA),
    Row("codec-255", stored_as(255, VALUE), BAD_DATA),
    Row("planes-width-3", stored_as(2, planes(3, 1, 1, 1, payload=b"abc")), BAD_DATA),
    Row("planes-of-4-GiB", stored_as(2, planes(2, 2**32 - 1, 2**32 - 1)), BAD_DATA),
    Row("planes-empty", stored_as(2, b""), BAD_DATA),
    Row("planes-no-payload", stored_as(2, planes(2, 250, 250)), BAD_DATA),
    Row("planes-bomb", stored_as(2, planes(2, *[len(bomb(64 << 20, told=True))] * 2, payload=bomb(64 << 20, told=True) * 2)), BAD_DATA),
    Row("pcodec-garbage", stored_as(3, b"\x0apco!" + bytes(30)), BAD_DATA),
    Row("pcodec-type-0", stored_as(3, b"\x00" + bytes(30)), BAD_DATA),
    Row("pcodec-empty", stored_as(3, b""), BAD_DATA),
    Row("pcodec-claims-much", stored_as(3, bytes.fromhex("0a70636f21ffffffffffffff") + bytes(99)), BAD_DATA),
    # What an index says.
    Row("offset-2^63", changed(offset=FAR), BAD),
    Row("offset-2^64", changed(offset=2**64 - 1), BAD),
    Row("offset-in-the-header", changed(offset=0), BAD),
    Row("offset-in-the-index", changed(offset=3000), BAD),
    Row("stored-2^63", changed(stored=FAR), BAD),
    Row("stored-to-wrap-around", changed(offset=64, stored=2**64 - 64), BAD),
    Row("stored-nothing", changed(stored=0), BAD_DATA),
    Row("size-2^63", changed(size=FAR), BAD),
    Row("size-1-GiB", changed(size=GIB), BAD),
    Row("size-0", changed(size=0), BAD_DATA),
    Row("kind-unknown", changed(kind=77), BAD_DATA),
    Row("kind-list-of-chunks", changed(kind=2), BAD_DATA),
    Row("kind-record", changed(kind=16), BAD_DATA),
    Row("depth-255-without-group", changed(depth=255)),
    Row("within-2^32", changed(within=2**32 - 1)),
    Row("within-a-group-that-is-none", changed(codec=4, within=2**32 - 1, depth=1), BAD_DATA),
    Row("index-backwards", reversed_index, {"fsck": CORRUPT}),
    Row("objects-at-one-place", same_place, {"show": CORRUPT, "fsck": CORRUPT}),
    Row("one-object-20000-times", one_many_times, {"show": 0}, commands=FEW),
    Row("pack-of-version-99", other_pack(lambda d, _: d.__setitem__(7, 99)), {"fsck": CORRUPT, "show": 0}, "newer"),
    Row("pack-of-version-0", other_pack(lambda d, _: d.__setitem__(7, 0)), {"fsck": CORRUPT, "show": 0}, "never was"),
    Row("pack-with-another-magic", other_pack(lambda d, _: d.__setitem__(0, 0)), {"fsck": CORRUPT, "show": 0}),
    Row("pack-under-another-name", other_pack(lambda d, _: d.__setitem__(9, d[9] ^ 1)), {"fsck": CORRUPT, "show": 0}),
    Row("pack-seal-wrong", other_pack(lambda d, _: d.__setitem__(-1, d[-1] ^ 1)), {"fsck": CORRUPT, "show": 0}),
    Row("pack-count-2^63", other_pack(count_of(2**63)), {"fsck": CORRUPT, "show": 0}),
    Row("pack-count-2^58", other_pack(count_of(2**58 + 1)), {"fsck": CORRUPT, "show": 0}),
    Row("pack-cut-short", other_pack(lambda d, _: d.__delitem__(slice(100, None))), {"fsck": CORRUPT, "show": 0}),
    Row("pack-empty", other_pack(lambda d, _: d.clear()), {"fsck": CORRUPT, "show": 0}),
    Row("pack-of-8-GiB-of-index", long_and_empty, {"fsck": CORRUPT, "show": 0}, commands=FEW),
    # Lists of chunks.
    Row("chunks-of-1-TiB", chunks_of(1 << 20), {"show": 0}, commands=UNREAD),
    Row("chunks-that-lie-about-their-sum", chunks_of(512, claim=5), {"show @/start/1/x": 0}, commands=FEW),
    Row("chunks-of-themselves", chunks_of_itself, BAD_DATA),
    Row("chunks-of-each-other", chunks_of_each_other, BAD_DATA),
    Row("chunks-31-bytes", chunks_that_are(bytes(31)), BAD_DATA),
    Row("chunks-none", chunks_that_are(b""), BAD_DATA),
    Row("chunks-not-there", chunks_that_are(bytes(64)), BAD),
    Row("chunks-in-another-order", chunks_in_another_order, {"fsck --data": CORRUPT}),
    Row("stream-of-a-pickle-of-512-MiB", stream_of_zeros, {"fsck": CORRUPT}, commands=(*FEW, "diff @{-1} @")),
    Row("value-of-320-MiB-of-zeros", large_chunks, {"cat @/start/1/x": 0, "fsck --data": 0}, commands=FEW),
    # Groups.
    Row("group-on-itself", group_on_itself(1), BAD_DATA),
    Row("group-on-itself-at-depth-0", group_on_itself(0), BAD_DATA),
    Row("groups-in-a-ring", groups_in_a_ring, BAD_DATA),
    Row("groups-250-deep", groups_very_deep, {"cat @/start/1/x": CORRUPT}),
    Row("groups-as-large-as-any", groups_as_large_as_any, {"cat @/start/1/x": 0}, commands=FEW),
    Row("group-after-64-GiB", group_after_much, BAD_DATA, commands=FEW),
    Row("group-claims-4-GiB", stored_as(4, group(2**32 - 1, [], b""), depth=1), BAD_DATA),
    Row("group-of-4e9-chunks", stored_as(4, struct.pack("<II", 500, 2**32 - 1), depth=1), BAD_DATA),
    Row("group-empty", stored_as(4, b"", depth=1), BAD_DATA),
    # Bundles.
    Row("bundle-empty", stored_as(5, b""), BAD_DATA),
    Row("bundle-claims-4-GiB", stored_as(5, struct.pack("<I", 2**32 - 1) + frame(VALUE)), BAD_DATA),
    Row("bundle-of-another-size", stored_as(5, struct.pack("<I", 499) + frame(VALUE)), BAD_DATA),
    Row("bundle-of-a-bomb", stored_as(5, struct.pack("<I", 1 << 24) + bomb(GIB >> 2, told=True)), BAD_DATA),
    Row("bundle-of-other-bytes", stored_as(5, struct.pack("<I", 500) + frame(b"other" * 100)), BAD_DATA),
    Row("bundle-cut-short", stored_as(5, struct.pack("<I", len(VALUE)) + frame(VALUE)[:-2]), BAD_DATA),
    Row("bundle-200-deep", stored_as(5, struct.pack("<I", len(VALUE)) + frame(VALUE), depth=200), BAD_DATA),
    Row("within-a-bundle-that-is-none", changed(codec=5, within=2**32 - 1), BAD_DATA),
    Row("group-on-what-is-not-there", stored_as(4, group(500, [bytes(32)], frame(VALUE)), depth=1), BAD),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_pack_that_lies_is_refused_and_costs_what_lies_in_it(
    site: Site, row: Row, long: bool
) -> None:
    done = try_row(site, row, long)
    for line in {"log", "ls", "tag"} & set(done):
        assert done[line].status in (0, CORRUPT), done[line]
