"""Writing anew, smaller, what a repack takes out of old packs.

While a run waits, each object is compressed by itself and quickly. Later there is time: small
objects go into bundles with those that are most like them; neighbouring chunks of large blobs into
groups after older chunks that they resemble, whatever blob those are of, or else into bundles of
their own; and groups are compressed harder after the same base. What would not become smaller is
copied as it is. Two threads do it, beside the reading.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import BlobId, Buffer, ChunkId, TreeId
from mfv.odb import delta
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.denseforms import (
    Found,
    Made,
    bundled,
    depth_after,
    regrouped,
    run_made,
    stays_raw,
)
from mfv.odb.intake import Packed
from mfv.odb.likeness import Likeness, Seen, features_of
from mfv.odb.pack import ALIGNMENT, Record
from mfv.odb.packindex import Location
from mfv.odb.pipeline import Lanes
from mfv.odb.transfer import Transfer

if TYPE_CHECKING:
    from concurrent.futures import Future

SMALL = 128 << 10  # bytes raw: up to so many, an object is bundled with those that are like it
BUNDLE = 256 << 10  # bytes raw of small objects: what reading one of them expands
_RUN = 1 << 20  # bytes raw of neighbours, and what the last of them has beyond
# Larger chunks, of items as large, are left alone: a reader believes in ranges of 16 MiB at most.
_LARGEST_PART = 4 << 20  # bytes raw
# Small objects are gathered to so many before they are sorted.
_GATHERED = 32 << 20  # bytes
_GATHERED_OBJECTS = 1 << 15
_UNDER_WAY = 4  # bundles and groups at a time: each takes some tens of MB to compress

_BASE = 4 << 20  # bytes raw of chunks that a run is compressed after

_BEGINNING = 16  # bytes by which what is alike is found: a pickle's names, a file's first line


class Denser:
    """Takes objects that lead out of packs, and adds them to `transfer` in another form."""

    def __init__(
        self,
        database: Database,
        transfer: Transfer,
        needed: Container[bytes],
        bases: Container[bytes],
        likeness: Likeness,
    ) -> None:
        """`needed`: the ids of all objects that are kept; `bases`: of chunks that groups build on.

        Those stay as deep as they are. `likeness`: of chunks that were seen before.
        """
        self._database, self._transfer, self._needed = database, transfer, needed
        self._bases = bases
        self._likeness = likeness
        self._lanes: Lanes | None = None
        self._under_way: deque[tuple[Future[Made], Location | None]] = deque()
        self._small: list[Found] = []
        self._small_size = 0  # bytes
        self._run: list[Found] = []
        self._run_size = 0  # bytes
        self.damaged: list[Record] = []  # found so after they were taken
        self.deepened: set[bytes] = set()  # chunks that may be read through a group from now on

    def take(self, location: Location, *, is_part: bool, is_dense: bool) -> bool:
        """Takes the object at `location`; False if it is to be copied as it is.

        `is_part`: of a larger blob; `is_dense`: it was written by a repack. Raises CorruptError if
        it is damaged, unless that shows later: then it is in `damaged` after `finish`.
        """
        record = location.record
        if self._transfer.is_copied(location):
            return True
        if record.codec == Codec.BUNDLE:
            return self._take_apart(location)
        if is_dense or not record.size or record.size > _LARGEST_PART:
            return False
        if record.codec == Codec.GROUP:
            self._take_group(location)
        elif record.kind == ChunkId.kind and (is_part or record.size > SMALL):
            self._take_part(location)
        elif record.codec in (Codec.RAW, Codec.ZSTD) and record.size <= SMALL:
            self._take_small(location, self._database.read_at(location))
        else:
            return False
        return True

    def stays_raw(self, pieces: Sequence[Location]) -> bool:
        """Whether a blob of these chunks, which lies raw and in one piece, is best left so."""
        some = sorted({0, len(pieces) // 2, len(pieces) - 1})
        return all(stays_raw(self._database.read_at(pieces[place])) for place in some)

    def finish(self) -> None:
        """Adds all that was taken."""
        self._end_run()
        self._sort()
        self._take_in()
        self.close()

    def close(self) -> None:
        """Ends the threads, whatever is under way."""
        if self._lanes is not None:
            self._lanes.close()
            self._lanes = None

    def _take_small(self, location: Location, data: Buffer) -> None:
        self._transfer.claim(location)
        self._small.append(Found(location, data))
        self._small_size += len(data)
        if self._small_size >= _GATHERED or len(self._small) >= _GATHERED_OBJECTS:
            self._sort()

    def _take_part(self, location: Location) -> None:
        data = self._database.read_at(location)
        if self._run and not _follows(self._run[-1].location, location):
            self._end_run()
        self._run.append(Found(location, data))
        self._run_size += len(data)
        if self._run_size >= _RUN:
            self._end_run()

    def _take_group(self, location: Location) -> None:
        records = self._transfer.sharing(location)
        self._transfer.claim(location)
        self._submit(partial(regrouped, self._database, location.pack, records), owing=location)

    def _take_apart(self, location: Location) -> bool:
        """Takes what is needed out of a bundle that is too small, or mostly dead."""
        pack = location.pack
        records = self._transfer.sharing(location)
        kept = [one for one in records if one.id in self._needed]
        size = sum(one.size for one in kept)
        if 4 * size >= BUNDLE and 2 * size >= sum(one.size for one in records):
            return False
        found = [Location(pack, one) for one in kept]
        data = [self._database.read_at(one) for one in found]
        for one, each in zip(found, data, strict=True):
            self._take_small(one, each)
        self._transfer.claim(location)
        return True

    def _end_run(self) -> None:
        run, self._run, self._run_size = self._run, [], 0
        if run:
            base = self._like(run)
            self._submit(partial(run_made, self._database, run, base))

    def _like(self, run: list[Found]) -> list[Seen]:
        """The chunks after which `run` may be compressed; remembers those of it."""
        features = [features_of(memoryview(one.data)) for one in run]
        like: dict[ChunkId, Seen] = {}
        if not any(one.location.record.id in self._bases for one in run):
            like = {seen.id: seen for each in features for seen in self._likeness.like(each)}
        base: list[Seen] = []
        size = 0
        for seen in like.values():
            if seen.depth < delta.MAX_DEPTH and size + seen.size <= _BASE:
                base.append(seen)
                size += seen.size
        depth = depth_after(base)
        if base:
            self.deepened.update(one.location.record.id for one in run)
        for one, each in zip(run, features, strict=True):
            if depth < delta.MAX_DEPTH:
                record = one.location.record
                self._likeness.learn(Seen(ChunkId(record.id), record.size, depth), each)
        return base

    def _sort(self) -> None:
        found, self._small, self._small_size = self._small, [], 0
        for several in _bundles(sorted(found, key=_likeness)):
            self._submit(partial(bundled, several))

    def _submit(self, work: Callable[[], Made], owing: Location | None = None) -> None:
        self._lanes = self._lanes or Lanes()
        self._under_way.append((self._lanes.submit(lambda _: work(), None), owing))
        self._take_in(leave=_UNDER_WAY)

    def _take_in(self, leave: int = 0) -> None:
        while len(self._under_way) > leave:
            future, owing = self._under_way.popleft()
            try:
                made = future.result()
            except FormatTooNewError:
                raise
            except CorruptError:
                assert owing is not None  # all else was read before
                self._transfer.give_up(owing)
                self.damaged += self._transfer.sharing(owing)
                continue
            for one in made:
                if isinstance(one, Packed):
                    self._transfer.add(one, owing)
                else:
                    self._copy(one)

    def _copy(self, location: Location) -> None:
        try:
            self._transfer.copy(location)
        except FormatTooNewError:
            raise
        except CorruptError:
            self.damaged.append(location.record)


def _follows(before: Location, after: Location) -> bool:
    """Whether one lies right behind the other, but for what aligns it, and is written alike."""
    gap = after.record.offset - (before.record.offset + before.record.stored)
    alike = after.pack == before.pack and after.record.codec == before.record.codec
    return alike and 0 <= gap < ALIGNMENT


def _likeness(found: Found) -> tuple[int, bytes, int]:
    """Sorts what is alike together: by how it begins, and how large it is.

    Records of runs stay in the order of their runs, in which they are read.
    """
    record = found.location.record
    if record.kind in (ChunkId.kind, BlobId.kind, TreeId.kind):
        return record.kind, bytes(found.data[:_BEGINNING]), record.size
    return record.kind, b"", 0


def _bundles(found: Iterable[Found]) -> Iterator[list[Found]]:
    several: list[Found] = []
    size = 0
    for one in found:
        if several and (
            size + len(one.data) > BUNDLE
            or one.location.record.kind != several[0].location.record.kind
        ):
            yield several
            several, size = [], 0
        several.append(one)
        size += len(one.data)
    if several:
        yield several
