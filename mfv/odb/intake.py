"""On the way into a pack: the chunks of a blob, which of them are new, and how to write those.

The stages, each an iterator over the one before: batches of pieces; hashed, and looked up; the new
ones planned; packed. The first and third run in the caller's thread, the others in lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from typing import NamedTuple

from mfv.errors import CorruptError, NotFoundError, StorageError
from mfv.ids import BlobId, Buffer, ChunkId, PackId
from mfv.odb import codec, delta, zframe
from mfv.odb.aligner import Aligner, New, Old
from mfv.odb.codec import Codec, Plan
from mfv.odb.database import Database
from mfv.odb.item import Item
from mfv.odb.pack import Member
from mfv.odb.trial import choose, segment_size

_BATCH = 1 << 20  # bytes, at least
# So much of a blob is looked at before it is planned beside an older version: far enough to see
# where the versions meet again, little enough to be held.
_WINDOW = 16 << 20  # bytes
_SAMPLE = 64 << 10  # bytes compressed to learn whether an older version helps
# What comes of it must be at most half as large as without: reading it costs that much more.
_PAYS = 0.5

Known = Callable[[ChunkId], frozenset[PackId] | None]


class Hashed(NamedTuple):
    """One chunk of the blob."""

    id: ChunkId
    data: memoryview
    packs: frozenset[PackId] | None  # those of a verified copy; None where there is none


class Chunk(NamedTuple):
    """A new chunk that is written by itself."""

    id: ChunkId
    data: memoryview
    plan: Plan


class Group(NamedTuple):
    """New neighbours that may be written together, after what stood in their place."""

    members: list[Member]
    data: memoryview  # of all
    item: Item | None
    base: list[Old]
    probable: range  # of `base`: what resembles the middle most


class Packed(NamedTuple):
    """One stored range of a pack, and the objects in it; several only for a group."""

    members: list[Member]
    codec: int
    stored: Buffer
    depth: int = 0
    relied: frozenset[PackId] = frozenset()


def batches(pieces: Iterable[memoryview]) -> Iterator[list[memoryview]]:
    """The pieces in order, in lists of at least a MiB together."""
    batch: list[memoryview] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def hash_pieces(
    known: Known, whole: BlobId | None, size: int, pieces: list[memoryview]
) -> list[Hashed]:
    """Each piece with its id, and where it is stored already.

    `whole` is the id of the blob of `size` bytes where that is known: a blob that was not cut is
    its own chunk, and need not be hashed again.
    """
    found = []
    for piece in pieces:
        one = ChunkId(whole) if whole is not None and len(piece) == size else ChunkId.of(piece)
        found.append(Hashed(one, piece, known(one)))
    return found


def plan_chunks(
    hashed: Iterable[list[Hashed]],
    is_new: Callable[[Hashed], bool],
    view: memoryview,
    item: Item | None,
    chunks: list[ChunkId],
) -> Iterator[list[Chunk | Group]]:
    """Batches of what is new of `view`, each chunk by itself; notes all ids in `chunks`."""
    start = decided = 0  # offsets: of this piece, and to where `plan` holds
    plan = codec.PLAIN
    for batch in hashed:
        new: list[Chunk | Group] = []
        for one in batch:
            chunks.append(one.id)
            if is_new(one):
                if start >= decided:
                    decided = start + segment_size(item)
                    plan = choose(view[start:decided], item)
                new.append(Chunk(one.id, one.data, plan))
            start += len(one.data)
        yield new


def plan_groups(
    hashed: Iterable[list[Hashed]],
    is_new: Callable[[Hashed], bool],
    view: memoryview,
    item: Item | None,
    chunks: list[ChunkId],
    older: Aligner,
    *,
    copied: bool = False,
) -> Iterator[list[Chunk | Group]]:
    """As `plan_chunks`, but neighbours together, beside what stood in their place in `older`.

    `copied`: the chunks are copies of what was in `view`, and count in its place.
    """
    window: list[New] = []
    copies: list[memoryview] = []
    start = end = 0  # offsets of the window
    for batch in hashed:
        for one in batch:
            chunks.append(one.id)
            window.append(New(one.id, len(one.data), not is_new(one)))
            end += len(one.data)
            if copied:
                copies.append(one.data)
        if end - start >= _WINDOW or end == len(view):
            data = memoryview(b"".join(copies)) if copied else view[start:end]
            yield from _groups(older, window, data, item)
            window, copies, start = [], [], end


def _groups(
    older: Aligner, window: list[New], view: memoryview, item: Item | None
) -> Iterator[list[Chunk | Group]]:
    place = offset = 0
    batch: list[Chunk | Group] = []
    waiting = 0
    for span in older.spans(window):
        offset += sum(one.size for one in window[place : span.first])
        members = [Member(one.id, one.id.kind, one.size) for one in window[span.first : span.end]]
        size = sum(one.size for one in members)
        data = view[offset : offset + size]
        batch.append(Group(members, data, item, span.base, span.probable))
        place, offset, waiting = span.end, offset + size, waiting + size
        if waiting >= _BATCH:
            yield batch
            batch, waiting = [], 0
    if batch:
        yield batch


def pack(database: Database, avoid: Set[PackId], batch: list[Chunk | Group]) -> list[Packed]:
    """What is to be written of each; nothing builds on a pack of `avoid`."""
    packed: list[Packed] = []
    for one in batch:
        if isinstance(one, Chunk):
            packed.append(_pack_chunk(one))
        else:
            packed += _pack_group(database, avoid, one)
    return packed


def _pack_chunk(one: Chunk) -> Packed:
    return Packed([Member(one.id, one.id.kind, len(one.data))], *codec.encode(one.data, one.plan))


def _pack_group(database: Database, avoid: Set[PackId], group: Group) -> list[Packed]:
    """The group as one after its base if that pays, or else chunk by chunk."""
    plan = choose(group.data, group.item)
    depth = 1 + max((old.depth for old in group.base), default=delta.MAX_DEPTH)
    if depth <= delta.MAX_DEPTH:
        try:
            packed = _after_base(database, group, plan, depth)
        except (CorruptError, NotFoundError, StorageError):
            packed = None  # what cannot be read cannot be built on
        if packed is not None and not packed.relied & avoid:
            return [packed]
    found, offset = [], 0
    for member in group.members:
        data = group.data[offset : offset + member.size]
        found.append(Packed([member], *codec.encode(data, plan)))
        offset += member.size
    return found


def _after_base(database: Database, group: Group, plan: Plan, depth: int) -> Packed | None:
    middle = max(0, (len(group.data) - _SAMPLE) // 2)
    middle -= middle % 8  # numbers stay whole
    sample = group.data[middle : middle + _SAMPLE]
    plain = len(codec.encode(sample, plan)[1]) / len(sample)
    near = group.base[group.probable.start : group.probable.stop]
    before, _ = database.read_together([old.id for old in near], depth)
    if len(before) < zframe.LEAST_BEFORE:
        return None
    if len(delta.encode(sample, [], before)) > plain * _PAYS * len(sample):
        return None
    ids = [old.id for old in group.base]
    before, relied = database.read_together(ids, depth)
    stored = delta.encode(group.data, ids, before)
    if len(stored) > plain * len(group.data):
        return None
    return Packed(group.members, Codec.GROUP, stored, depth, relied)
