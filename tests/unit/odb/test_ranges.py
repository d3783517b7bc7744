"""Objects of one stored range are told together, whatever lies at the same place."""

from __future__ import annotations

from making import memory_repository

from mfv.ids import BlobId, ChunkId
from mfv.odb import bundle
from mfv.odb.codec import Codec
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import key_of
from mfv.odb.ranges import by_range


def test_empty_objects_that_begin_where_a_bundle_does_are_no_part_of_it() -> None:
    backend = memory_repository().backend
    texts = [b"one" * 30, b"two" * 30, b"three" * 30]
    builder = PackBuilder()
    for kind in (BlobId, ChunkId):
        builder.add([Member(kind.of(b""), kind.kind, 0)], Codec.RAW, b"")
    members = [Member(ChunkId.of(text), ChunkId.kind, len(text)) for text in texts]
    builder.add(members, Codec.BUNDLE, bundle.encode(b"".join(texts), 3))
    parts, receipt = builder.finish()
    backend.put(key_of(receipt.pack), parts)
    ranges = list(by_range(memory_repository(backend).database.index))
    (shared,) = (some for some in ranges if some[0].record.codec == Codec.BUNDLE)
    assert [one.record.within for one in shared] == [0, 90, 180]
