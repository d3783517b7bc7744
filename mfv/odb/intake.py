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
from mfv.odb.source import Piece, joined
from mfv.odb.trial import choose, segment_size

_BATCH = 1 << 20  # bytes, at least
# So much of a blob is looked at before it is planned beside an older version: far enough to see
# where the versions meet again, little enough to be held.
_AHEAD = 16 << 20  # bytes
_SAMPLE = 64 << 10  # bytes compressed to learn whether an older version helps
# What comes of it must be at most half as large as without: reading it costs that much more.
_PAYS = 0.5

Known = Callable[[ChunkId], frozenset[PackId] | None]


class Hashed(NamedTuple):
    """One chunk of the blob."""

    id: ChunkId
    piece: Piece
    packs: frozenset[PackId] | None  # those of a verified copy; None where there is none
    plan: Plan | None = None  # of the segment that begins here, where it was worked out ahead


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


def batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The pieces in order, in lists of at least a MiB together."""
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece.data)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def hash_pieces(
    known: Known,
    whole: BlobId | None,
    ahead: Callable[[memoryview], Plan] | None,
    pieces: list[Piece],
) -> list[Hashed]:
    """Each piece with its id, and where it is stored already.

    `whole` is the id of the blob where that is known: a blob that was not cut is its own chunk,
    and need not be hashed again. `ahead` chooses for the start of a window, if that is new, how
    to write it: beside other work, where `plan_chunks` would hold up all.
    """
    found = []
    for piece in pieces:
        uncut = whole is not None and len(piece.data) == len(piece.window)
        one = ChunkId(whole) if uncut and whole is not None else ChunkId.of(piece.data)
        packs = known(one)
        starts = packs is None and piece.at == 0
        plan = ahead(piece.window) if ahead is not None and starts else None
        found.append(Hashed(one, piece, packs, plan))
    return found


def plan_start(window: memoryview, item: Item | None, *, fast: bool = False) -> Plan:
    """How to write the first segment of `window`; `fast` as for `choose`."""
    return choose(window[: segment_size(item)], item, fast=fast)


def plan_chunks(
    hashed: Iterable[list[Hashed]],
    is_new: Callable[[Hashed], bool],
    item: Item | None,
    chunks: list[ChunkId],
    *,
    fast: bool = False,
) -> Iterator[list[Chunk | Group]]:
    """Batches of what is new, each chunk by itself; notes all ids in `chunks`.

    `fast` as for `choose`.
    """
    window = memoryview(b"")
    decided = 0  # offset in the window, to where `plan` holds
    plan = codec.PLAIN
    for batch in hashed:
        new: list[Chunk | Group] = []
        for one in batch:
            chunks.append(one.id)
            if not is_new(one):
                continue
            data, around, at = one.piece
            if around is not window or at >= decided:
                window, decided = around, at + segment_size(item)
                plan = one.plan or choose(window[at:decided], item, fast=fast)
            new.append(Chunk(one.id, data, plan))
        yield new


def plan_groups(
    hashed: Iterable[list[Hashed]],
    is_new: Callable[[Hashed], bool],
    item: Item | None,
    chunks: list[ChunkId],
    older: Aligner,
) -> Iterator[list[Chunk | Group]]:
    """As `plan_chunks`, but neighbours together, beside what stood in their place in `older`."""
    waiting: list[New] = []
    pieces: list[Piece] = []  # beside `waiting`
    size = 0  # bytes that wait
    for batch in hashed:
        for one in batch:
            chunks.append(one.id)
            waiting.append(New(one.id, len(one.piece.data), not is_new(one)))
            pieces.append(one.piece)
            size += len(one.piece.data)
        if size >= _AHEAD:
            done = _up_to_an_anchor(waiting)
            yield from _groups(older, waiting[:done], pieces, item)
            del waiting[:done], pieces[:done]
            size = sum(one.size for one in waiting)
    yield from _groups(older, waiting, pieces, item)


def _up_to_an_anchor(waiting: list[New]) -> int:
    """How many can be planned now: up to the last known one, unless that leaves too many."""
    left = 0  # bytes
    for place in range(len(waiting), 0, -1):
        if waiting[place - 1].known:
            return place
        left += waiting[place - 1].size
        if left > delta.GROUP:
            break
    return len(waiting)


def _groups(
    older: Aligner, chunks: list[New], pieces: list[Piece], item: Item | None
) -> Iterator[list[Chunk | Group]]:
    batch: list[Chunk | Group] = []
    size = 0  # bytes in `batch`
    for span in older.spans(chunks):
        members = [Member(one.id, one.id.kind, one.size) for one in chunks[span.first : span.end]]
        data = joined(pieces[span.first : span.end])
        batch.append(Group(members, data, item, span.base, span.probable))
        size += len(data)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
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
