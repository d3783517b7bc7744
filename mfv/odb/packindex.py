"""Which object lies where: the pack indexes of a repository, read as they are needed.

A pack whose index is damaged is set aside by name and costs only the objects in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError
from mfv.ids import PackId
from mfv.odb import pack as packs
from mfv.odb.pack import HEADER, TRAILER, Record
from mfv.storage.base import Backend

FOLDER = "packs/"
SUFFIX = ".pack"


class Location(NamedTuple):
    """One copy of one object."""

    pack: PackId
    record: Record


def key_of(pack: PackId) -> str:
    """The backend's key of a pack."""
    return f"{FOLDER}{pack}{SUFFIX}"


def list_packs(backend: Backend) -> Iterator[PackId]:
    """The packs that are there, by name; other files in the folder are passed over."""
    for key in backend.list(FOLDER):
        pack = PackId.parse(key.removeprefix(FOLDER).removesuffix(SUFFIX))
        if pack is not None and key.endswith(SUFFIX):
            yield pack


def read_index(backend: Backend, pack: PackId) -> list[Record]:
    """The checked records of one pack; NotFoundError, or CorruptError that names the pack."""
    key = key_of(pack)
    size = backend.stat(key).size
    try:
        if size < HEADER.size + TRAILER.size:
            raise CorruptError("it is cut short")
        header = backend.get(key, 0, HEADER.size)
        trailer = backend.get(key, size - TRAILER.size, TRAILER.size)
        offset, length = packs.index_range(trailer, size)
        return packs.parse_index(pack, header, backend.get(key, offset, length), trailer)
    except FormatTooNewError:
        raise
    except CorruptError as error:
        raise CorruptError(
            f"pack {pack} is damaged: {error.message}",
            hint="`mfv fsck` lists the runs that it touches",
        ) from None


class PackIndex:
    """Object id to locations, over one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._where: dict[bytes, Location] = {}
        self._copies: dict[bytes, list[Location]] = {}
        self._loaded: set[PackId] = set()
        self._complete = False
        self.damaged: dict[PackId, CorruptError] = {}

    def find(self, object_id: bytes, hint: PackId | None = None) -> list[Location]:
        """Every known copy of an object, none if there is none.

        `hint` names the pack where it probably lies, so that one index is read and not all.
        """
        if hint is not None and object_id not in self._where:
            self._load(hint)
        if object_id not in self._where and not self._complete:
            self.refresh()
        first = self._where.get(object_id)
        if first is None:
            return []
        return [first, *self._copies.get(object_id, ())]

    def refresh(self) -> None:
        """Reads the index of every pack that came since."""
        for pack in list_packs(self._backend):
            self._load(pack)
        self._complete = True

    def add(self, pack: PackId, records: list[Record]) -> None:
        """Makes the objects of a pack known."""
        if pack in self._loaded:
            return
        for record in records:
            location = Location(pack, record)
            if self._where.setdefault(record.id, location) is not location:
                self._copies.setdefault(record.id, []).append(location)
        # Last, so that another thread never takes a pack for read that is not.
        self._loaded.add(pack)

    def forget(self, gone: set[PackId]) -> bool:
        """Drops what was known of packs that must not be relied on any more.

        Returns whether anything was known of them; their damage is forgotten too.
        """
        for pack in gone & self.damaged.keys():
            del self.damaged[pack]
        if not gone & self._loaded:
            return False
        kept: dict[PackId, list[Record]] = {}
        for object_id in list(self._where):
            for pack, record in self.find(object_id):
                if pack not in gone:
                    kept.setdefault(pack, []).append(record)
        self._where.clear()
        self._copies.clear()
        # Those that are gone stay marked as read, or they would come back with the next refresh.
        self._loaded -= kept.keys()
        for pack, records in kept.items():
            self.add(pack, records)
        return True

    def __iter__(self) -> Iterator[Location]:
        """All known locations; call `refresh` first for those of the whole repository."""
        yield from self._where.values()
        for copies in self._copies.values():
            yield from copies

    def _load(self, pack: PackId) -> None:
        if pack in self._loaded:
            return
        try:
            self.add(pack, read_index(self._backend, pack))
        except NotFoundError:
            return  # gone, or not yet there
        except CorruptError as error:
            self._loaded.add(pack)
            self.damaged[pack] = error
