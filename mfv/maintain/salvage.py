"""What is whole in a damaged pack: records that prove themselves, whatever the seal says.

A record names an object by the hash of its bytes. So one of a damaged index is right if the bytes
where it points hash to what it says, and what a damaged range of the pack holds is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mfv.errors import CorruptError, MfvError, StorageError
from mfv.ids import BlobId, PackId
from mfv.maintain.onebit import mended
from mfv.odb import bundle, codec
from mfv.odb.codec import SHARED
from mfv.odb.database import Database, object_type
from mfv.odb.pack import HEADER, RECORD, TRAILER, Record, parse_record
from mfv.odb.packindex import Location, key_of

_MENDED = 64  # records of a pack that are tried bit by bit: each costs hundreds of looks


def records_of(database: Database, pack: PackId) -> list[Record]:
    """The records of a pack whose index is damaged, as far as each proves itself.

    One in which a single bit turned over is mended. Lists of chunks come as they are written:
    what they list may lie in this very pack, and whoever copies them looks.
    """
    found: list[Record] = []
    doubtful: list[tuple[bytes, int]] = []
    for raw, end in _raw_records(database, pack):
        record = _parsed(raw, end)
        if record is not None and _proves_itself(database, pack, record):
            found.append(record)
        else:
            doubtful.append((raw, end))
    for raw, end in doubtful[:_MENDED]:
        record = _mended(raw, end, lambda one: _proves_itself(database, pack, one))
        if record is not None:
            found.append(record)
    return sorted(found)


def mended_bytes(database: Database, pack: PackId, record: Record) -> bytes | None:
    """The stored bytes of an object in which a single bit turned over; None for any other damage.

    Not of groups, bundles and lists of chunks, which only other objects prove.
    """
    if record.codec in SHARED or record.kind == BlobId.kind:
        return None
    kind = object_type(record.kind)

    def is_right(stored: bytes) -> bool:
        try:
            return kind.of(codec.decode(record.codec, stored, record.size)) == record.id
        except MfvError:
            return False

    stored = database.backend.get(key_of(pack), record.offset, record.stored)
    return mended(stored, is_right)


def mended_bundle(database: Database, location: Location) -> bytes | None:
    """The objects of a bundle in which a single bit turned over, joined; None for other damage.

    The object at `location` is right in it. What a list of chunks says proves nothing here.
    """
    pack, record = location
    if record.kind == BlobId.kind:
        return None
    kind = object_type(record.kind)

    def is_right(stored: bytes) -> bool:
        try:
            data = bundle.decode(stored)
        except MfvError:
            return False
        return kind.of(data[record.within : record.within + record.size]) == record.id

    stored = mended(database.backend.get(key_of(pack), record.offset, record.stored), is_right)
    return None if stored is None else bundle.decode(stored)


def _raw_records(database: Database, pack: PackId) -> Iterator[tuple[bytes, int]]:
    """The bytes of each record of the index, wherever that seems to be, and where it begins."""
    backend, key = database.backend, key_of(pack)
    size = backend.stat(key).size
    if size < HEADER.size + TRAILER.size + RECORD.size:
        return
    # Offset and count tell the same of a file whose size is known: one of them may be wrong.
    offset, count, _ = TRAILER.unpack(backend.get(key, size - TRAILER.size))
    room = size - TRAILER.size
    begins = {offset, room - count * RECORD.size}
    for begin in sorted(begins):
        if HEADER.size <= begin < room and (room - begin) % RECORD.size == 0:
            index = backend.get(key, begin, room - begin)
            for at in range(0, len(index), RECORD.size):
                yield index[at : at + RECORD.size], begin


def _parsed(raw: bytes, end: int) -> Record | None:
    try:
        return parse_record(raw, 0, end)
    except CorruptError:
        return None


def _proves_itself(database: Database, pack: PackId, record: Record) -> bool:
    try:
        if record.kind == BlobId.kind:
            # Its chunks may be among those that are not known yet; their number says enough here.
            data = codec.decode(record.codec, _stored(database, pack, record), record.size)
            return len(data) % len(record.id) == 0
        database.verify(Location(pack, record))
    except (CorruptError, StorageError, OverflowError):
        return False
    return True


def _stored(database: Database, pack: PackId, record: Record) -> bytes:
    return database.backend.get(key_of(pack), record.offset, record.stored)


def _mended(raw: bytes, end: int, proves: Callable[[Record], bool]) -> Record | None:
    found: list[Record] = []

    def is_right(tried: bytes) -> bool:
        record = _parsed(tried, end)
        if record is None or record.kind == BlobId.kind or not proves(record):
            return False
        found.append(record)
        return True

    return found[0] if mended(raw, is_right) is not None else None
