"""Which packs there are, and what each one's own index says: sealed, and the last word.

Where an object lies among all packs is `mfv.odb.whereabouts`; it points at records here.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError
from mfv.ids import ID_BYTES, PackId
from mfv.odb import pack as packs
from mfv.odb.pack import HEADER, RECORD, TRAILER, Record
from mfv.storage.base import Backend

FOLDER = "packs/"
SUFFIX = ".pack"

# A pack of one small task is read whole by one call, which costs less than finding its parts.
_ONE_READ = 16 << 10  # bytes
# What a reader believes of an index: a pack of a gigabyte has a tenth of that.
_LARGEST_INDEX = 128 << 20  # bytes
_COPIES = 16  # of one object in one pack; no writer makes more than two
# Kept of the indexes that were read last: some hundred small packs, or a few of the largest.
_KEPT = 16 << 20  # bytes


class Location(NamedTuple):
    """One copy of one object."""

    pack: PackId
    record: Record


class Sealed(NamedTuple):
    """A pack's own index, its seal and name checked, its records not yet parsed."""

    offset: int  # of the index in the pack, which is where the payload ends
    raw: bytes  # the records, 64 bytes each


def key_of(pack: PackId) -> str:
    """The backend's key of a pack."""
    return f"{FOLDER}{pack}{SUFFIX}"


def pack_of(key: str) -> PackId | None:
    """The pack whose key that is; None for another file in the folder."""
    pack = PackId.parse(key.removeprefix(FOLDER).removesuffix(SUFFIX))
    return pack if pack is not None and key.endswith(SUFFIX) else None


def list_packs(backend: Backend) -> Iterator[PackId]:
    """The packs that are there, by name; other files in the folder are passed over."""
    for key in backend.list(FOLDER):
        pack = pack_of(key)
        if pack is not None:
            yield pack


def read_sealed(backend: Backend, pack: PackId) -> Sealed:
    """The sealed index of one pack; NotFoundError, or CorruptError that names the pack."""
    key = key_of(pack)
    size = backend.stat(key).size
    try:
        if size < HEADER.size + TRAILER.size:
            raise CorruptError("it is cut short")
        end = backend.get(key, max(0, size - _ONE_READ), _ONE_READ)
        header = end[: HEADER.size] if size <= _ONE_READ else backend.get(key, 0, HEADER.size)
        trailer = end[-TRAILER.size :]
        if len(trailer) != TRAILER.size:
            raise CorruptError("it is cut short")
        offset, length = packs.index_range(trailer, size)
        if length > _LARGEST_INDEX:
            raise CorruptError(f"its trailer claims an index of {length} bytes")
        if length + TRAILER.size <= len(end):
            raw = end[len(end) - TRAILER.size - length : -TRAILER.size]
        else:
            raw = backend.get(key, offset, length)
        packs.check_index(pack, header, raw, trailer)
        return Sealed(offset, raw)
    except CorruptError as error:
        raise _damaged(pack, error) from None


def is_dense(backend: Backend, pack: PackId) -> bool:
    """Whether the pack says so; advice, unchecked. NotFoundError if it is gone."""
    return packs.is_dense(backend.get(key_of(pack), 0, HEADER.size))


def read_index(backend: Backend, pack: PackId) -> list[Record]:
    """The checked records of one pack; NotFoundError, or CorruptError that names the pack."""
    return _parse_all(pack, read_sealed(backend, pack))


class SealedIndexes:
    """Records out of packs' own indexes; every index is checked before its first use.

    May be used by several threads.
    """

    def __init__(self, backend: Backend, limit: int = _KEPT) -> None:
        """`limit`: bytes of indexes that are kept, though always the latest one."""
        self._backend = backend
        self._limit = limit
        self._kept: dict[PackId, Sealed] = {}
        self._size = 0
        # Packs never change: of one whose seal was checked, single records may be read later.
        self._checked: dict[PackId, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def record(self, pack: PackId, position: int, object_id: bytes) -> Record | None:
        """The record at `position` of a pack's index if it is of `object_id`, else None.

        Raises NotFoundError if the pack is gone, CorruptError if it is damaged.
        """
        at = position * RECORD.size
        sealed = self._kept.get(pack)
        if sealed is None and pack in self._checked:
            offset, length = self._checked[pack]
            if at >= length:
                return None
            # Its index did not stay: one record costs less than all of it once more.
            sealed = Sealed(offset, self._backend.get(key_of(pack), offset + at, RECORD.size))
            at = 0
        sealed = sealed or self.read(pack)
        if sealed.raw[at : at + ID_BYTES] != object_id or len(sealed.raw) < at + RECORD.size:
            return None
        return _parsed(pack, sealed, at)

    def find(self, pack: PackId, object_id: bytes) -> list[Record]:
        """All records of `object_id` in one pack; NotFoundError, or CorruptError as above."""
        sealed = self.read(pack)
        raw, size = sealed.raw, RECORD.size
        positions = range(0, len(raw), size)
        place = bisect_left(positions, object_id, key=lambda at: raw[at : at + ID_BYTES])
        found: list[Record] = []
        for at in positions[place:]:
            if raw[at : at + ID_BYTES] != object_id or len(found) == _COPIES:
                break
            found.append(_parsed(pack, sealed, at))
        return found

    def records(self, pack: PackId) -> list[Record]:
        """All checked records of one pack; NotFoundError, or CorruptError as above."""
        return _parse_all(pack, self.read(pack))

    def read(self, pack: PackId) -> Sealed:
        """The sealed index of one pack; NotFoundError, or CorruptError as above."""
        kept = self._kept.get(pack)
        if kept is not None:
            return kept
        sealed = read_sealed(self._backend, pack)
        with self._lock:
            self._checked[pack] = (sealed.offset, len(sealed.raw))
            if pack not in self._kept:
                self._kept[pack] = sealed
                self._size += len(sealed.raw)
            while self._size > self._limit and len(self._kept) > 1:
                self._size -= len(self._kept.pop(next(iter(self._kept))).raw)
        return sealed


def _parse_all(pack: PackId, sealed: Sealed) -> list[Record]:
    try:
        return packs.parse_records(sealed.raw, sealed.offset)
    except CorruptError as error:
        raise _damaged(pack, error) from None


def _parsed(pack: PackId, sealed: Sealed, at: int) -> Record:
    try:
        return packs.parse_record(sealed.raw, at, sealed.offset)
    except CorruptError as error:
        raise _damaged(pack, error) from None


def _damaged(pack: PackId, error: CorruptError) -> CorruptError:
    if isinstance(error, FormatTooNewError):
        return error
    return CorruptError(
        f"pack {pack} is damaged: {error.message}",
        hint="`mfv fsck` lists the runs that it touches",
    )
