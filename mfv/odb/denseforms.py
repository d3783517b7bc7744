"""The forms in which a repack writes things anew: what it makes of a few objects at a time.

Each is tried, and given up where it saves next to nothing. All of it is native code, and may run in
any thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mfv.errors import CorruptError
from mfv.ids import BlobId, Buffer, ChunkId, PackId
from mfv.odb import bundle, codec, delta, zframe
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.intake import Packed
from mfv.odb.likeness import Seen
from mfv.odb.pack import Member, Record
from mfv.odb.packindex import Location
from mfv.odb.transfer import member_of
from mfv.odb.trial import choose

# Levels by what they gained on the benchmarks' data; see docs/design/029-dense-repack.md.
_LEVEL_OF_SMALL = 19
_LEVEL_OF_RECORDS = 12  # which repeat each other so much that no level matters
_LEVEL_OF_LARGE = 9

_WORTH = 0.97  # of what it took before
_WORTH_OF_A_BASE = 0.7  # of what it takes without one, which costs more reading


class Found(NamedTuple):
    """An object that was read and found right."""

    location: Location
    data: Buffer

    @property
    def member(self) -> Member:
        return member_of(self.location.record)


# What was compressed; or where it lies, as it is to be copied.
Made = list[Packed] | list[Location]


def stays_raw(data: Buffer) -> bool:
    """Whether no codec saves anything on a chunk."""
    view = memoryview(data)
    return codec.encode(view, choose(view))[0] == Codec.RAW


def depth_after(base: Sequence[Seen]) -> int:
    """That of a group with this base; 0 of what has none."""
    return 1 + max(seen.depth for seen in base) if base else 0


def bundled(several: list[Found]) -> list[Packed]:
    """A bundle of these if that pays, or else each by itself."""
    kind = several[0].location.record.kind
    level = _LEVEL_OF_SMALL if kind in (ChunkId.kind, BlobId.kind) else _LEVEL_OF_RECORDS
    alone = [_alone(one, level) for one in several]
    if len(several) > 1:
        stored = bundle.encode(b"".join(one.data for one in several), level)
        if len(stored) < _WORTH * sum(len(one.stored) for one in alone):
            return [Packed([one.member for one in several], Codec.BUNDLE, stored)]
    return alone


def _alone(found: Found, level: int) -> Packed:
    packed = zframe.compress_hard(found.data, level) if len(found.data) >= codec.SMALLEST else b""
    if packed and len(packed) <= codec.WORTH * len(found.data):
        return Packed([found.member], Codec.ZSTD, packed)
    return Packed([found.member], Codec.RAW, found.data)


def run_made(database: Database, run: list[Found], base: Sequence[Seen]) -> Made:
    """Neighbours as what fits them best has them, if that pays."""
    data = memoryview(b"".join(one.data for one in run))
    made = _by_codec(run, data)
    least = sum(len(one.stored) for one in made)
    before = sum(one.location.record.stored for one in run)
    after = _after_base(database, [one.member for one in run], data, base) if base else None
    if after is not None and len(after.stored) < _WORTH_OF_A_BASE * min(least or before, before):
        return [after]
    if made and least < _WORTH * before:
        return made
    return [one.location for one in run]


def _after_base(
    database: Database, members: list[Member], data: memoryview, base: Sequence[Seen]
) -> Packed | None:
    ids, depth = [seen.id for seen in base], depth_after(base)
    try:
        before, packs = database.read_together(ids, depth)
    except CorruptError:
        return None  # it was whole when it was taken
    stored = delta.encode(data, ids, before, _LEVEL_OF_LARGE)
    return Packed(members, Codec.GROUP, stored, depth, packs)


def _by_codec(run: list[Found], data: memoryview) -> list[Packed]:
    """Neighbours, of which `data` are the joined bytes, by themselves; empty if no codec pays."""
    plan = choose(data)
    if plan.codec == Codec.RAW:
        return []
    if plan.codec == Codec.ZSTD:
        stored = bundle.encode(data, _LEVEL_OF_LARGE)
        return [Packed([one.member for one in run], Codec.BUNDLE, stored)]
    return [Packed([one.member], *codec.encode(memoryview(one.data), plan)) for one in run]


def regrouped(database: Database, pack: PackId, records: Sequence[Record]) -> list[Packed]:
    """The group after the same base, harder compressed if that pays."""
    stored, base, before, data = database.read_group(pack, records)
    again = delta.encode(data, base, before, _LEVEL_OF_LARGE)
    best = again if len(again) < _WORTH * len(stored) else stored
    return [Packed([member_of(one) for one in records], Codec.GROUP, best, records[0].depth)]
