"""One object at a time: where its copies lie, and its bytes out of a pack.

What is handed out is verified; what only this room calls says of itself whether it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError
from mfv.ids import Buffer, ChunkId, ObjectId, PackId
from mfv.odb import bundle, codec, delta
from mfv.odb.codec import SHARED, Codec
from mfv.odb.packindex import Location, key_of
from mfv.odb.recent import Expanded, Recent
from mfv.odb.verified import Notes
from mfv.odb.whereabouts import PackIndex
from mfv.storage.base import Backend

T = TypeVar("T")

# Enough for what reading one blob from start to end asks for again and again.
_KEPT = 32 << 20  # bytes of groups, and as many of chunks that groups build on


class Objects:
    """The objects of one repository, read through one backend."""

    def __init__(self, backend: Backend, *, fast: bool = False) -> None:
        """`fast`: what is written is kept as it is loaded fastest, not as small as can be."""
        self.backend = backend
        self.fast = fast
        self.index = PackIndex(backend)
        self.notes = Notes()  # of verified packs, shared by all writers of this process
        self._groups: Recent[tuple[PackId, int]] = Recent(_KEPT)
        self._bases: Recent[ChunkId] = Recent(_KEPT)
        self._left = 0  # condemned packs that were left

    def read_record(self, record_id: ObjectId, hint: PackId | None = None) -> bytes:
        """The bytes of a record, verified; CorruptError if it is missing or damaged.

        `hint` names the pack in which it was written.
        """

        def fetch(location: Location) -> bytes:
            data = self._decode(location)
            if type(record_id).of(data) != record_id:
                raise CorruptError("its bytes do not match its id")
            return bytes(data)

        return self._any_copy(record_id, fetch, hint)

    def read_together(
        self, chunks: list[ChunkId], depth: int
    ) -> tuple[bytearray, frozenset[PackId]]:
        """The verified bytes of `chunks`, joined, and the packs that they came from.

        Only copies less deep than `depth` are read. CorruptError where one has no whole copy.
        """
        data, packs = bytearray(), set[PackId]()
        for chunk in chunks:
            read = self._less_deep(chunk, depth)
            data += read.data
            packs |= read.packs
            if len(data) > delta.CREDIBLE_BASE:
                raise CorruptError("a group builds on more than any writer puts before one")
        return data, frozenset(packs)

    def base_of(self, location: Location) -> list[ChunkId]:
        """The chunks that the group at `location` builds on; none where there is no group."""
        pack, record = location
        if record.codec != Codec.GROUP:
            return []
        head = self._fetch(pack, record.offset, min(record.stored, delta.HEAD_BYTES))
        return delta.parse(head).base

    def read_anew(self) -> None:
        """Takes nothing for verified that was read before now: it may be damaged since."""
        self._groups.clear()
        self._bases.clear()

    def leave(self, condemned: set[bytes]) -> None:
        """Drops what is known of packs that were condemned; what a repack moved is found anew."""
        if len(condemned) != self._left:  # none ever comes off again
            self._left = len(condemned)
            self.index.forget(map(PackId, condemned))

    def _locate(self, object_id: ObjectId, hint: PackId | None = None) -> list[Location]:
        found = self.index.find(object_id, hint)
        if not found:
            self.index.refresh()  # a pack that came since, or one that a repack moved it to
            found = self.index.find(object_id) or self.index.find_sealed(object_id)
        if not found:
            for error in self.index.damaged.values():
                if isinstance(error, FormatTooNewError):
                    raise error  # it may well lie there
            raise CorruptError(
                f"{type(object_id).__name__} {object_id} is missing",
                hint="`mfv fsck` lists the runs that need it",
            )
        return found

    def _any_copy(
        self, object_id: ObjectId, read: Callable[[Location], T], hint: PackId | None = None
    ) -> T:
        """What `read` makes of the first copy that is whole; else CorruptError for the last."""
        trouble: CorruptError | None = None
        tried: list[Location] = []
        copies = self._locate(object_id, hint)
        while copies:
            for location in copies:
                try:
                    return read(location)
                except CorruptError as error:
                    trouble = error
            tried += copies
            self.index.refresh()  # the hint is not all there is, and a repack may have moved it
            copies = [copy for copy in self.index.find(object_id) if copy not in tried]
            if not copies:
                copies = [one for one in self.index.find_sealed(object_id) if one not in tried]
        assert trouble is not None
        if isinstance(trouble, FormatTooNewError):
            raise trouble  # nothing is damaged; it says what is missing here
        raise CorruptError(
            f"{type(object_id).__name__} {object_id} is damaged: {trouble.message}",
            hint="`mfv fsck` lists the runs that it touches",
        )

    def _decode(self, location: Location, at_hand: memoryview | None = None) -> Buffer:
        """The bytes at `location`, unchecked; those of a group build on checked ones.

        `at_hand`: what is stored there and behind it, where that was read already.
        """
        record = location.record
        if record.codec not in SHARED:
            stored = self._stored(location) if at_hand is None else at_hand[: record.stored]
            return codec.decode(record.codec, stored, record.size)
        data = memoryview(self._group(location).data)[record.within : record.within + record.size]
        if len(data) != record.size:
            raise CorruptError(f"an object of pack {location.pack} lies outside its group")
        return data

    def _needed(self, location: Location) -> frozenset[PackId]:
        """The packs without which the chunk or record at `location` cannot be read."""
        if location.record.codec != Codec.GROUP:
            return frozenset({location.pack})
        return self._group(location).packs

    def _group(self, location: Location) -> Expanded:
        """The whole group or bundle of the object at `location`; what it builds on is verified."""
        pack, record = location
        if record.depth > delta.CREDIBLE_DEPTH:
            raise CorruptError(f"a group that leads through {record.depth} others")

        def expand() -> Expanded:
            if record.codec == Codec.BUNDLE:
                return Expanded(bundle.decode(self._stored(location)), frozenset({pack}), 0)
            group = delta.parse(self._stored(location))
            before, packs = self.read_together(group.base, record.depth)
            return Expanded(delta.decode(group, before), packs | {pack}, record.depth)

        return self._groups.read_once((pack, record.offset), expand)

    def _less_deep(self, chunk: ChunkId, depth: int) -> Expanded:
        """The verified bytes of a chunk that a group of `depth` builds on."""

        def read(copy: Location) -> Expanded:
            if copy.record.kind != ChunkId.kind or copy.record.depth >= depth:
                raise CorruptError("no copy that a group could build on")
            data = self._decode(copy)
            if ChunkId.of(data) != chunk:
                raise CorruptError("its bytes do not match its id")
            return Expanded(bytes(data), self._needed(copy), copy.record.depth)

        found = self._bases.get(chunk)
        if found is None or found.depth >= depth:
            found = self._bases.keep(chunk, self._any_copy(chunk, read))
        return found

    def _stored(self, location: Location) -> Buffer:
        return self._fetch(location.pack, location.record.offset, location.record.stored)

    def _fetch(self, pack: PackId, start: int, length: int) -> bytes:
        try:
            stored = self.backend.get(key_of(pack), start, length)
        except NotFoundError:
            raise CorruptError(f"pack {pack} is gone") from None
        if len(stored) != length:
            raise CorruptError(f"pack {pack} is cut short")
        return stored
