"""Every copy of every object, read and hashed on two cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError, StorageError
from mfv.odb.codec import SHARED
from mfv.odb.database import Database
from mfv.odb.pack import Record
from mfv.odb.packindex import Location
from mfv.odb.pipeline import Lanes

_BATCH = 4 << 20  # bytes as stored
# Larger groups are left to the caller's thread: each may take tens of megabytes, what they build on
# as much again, and every thread keeps some of what it once had.
_LARGE = 1 << 20  # bytes

# Told now and then: bytes read so far.
Progress = Callable[[int], None]


class Checked(NamedTuple):
    """One copy of one object."""

    location: Location
    trouble: str  # what is wrong with it; empty where it is whole


def check(
    database: Database, locations: Iterable[Location], progress: Progress = lambda _: None
) -> Iterator[Checked]:
    """Reads the object at each location, in order.

    Raises FormatTooNewError and MissingCodecError: of what cannot be read here nothing can be said.
    """

    def look(batch: list[Location]) -> list[tuple[Location, str | None]]:
        return [(one, None if _is_large(one.record) else _trouble(database, one)) for one in batch]

    done = 0
    lanes = Lanes()
    try:
        for batch in lanes.in_order(look, _batches(locations)):
            for location, trouble in batch:
                if trouble is None:
                    trouble = _trouble(database, location)
                yield Checked(location, trouble)
                done += 0 if location.record.within else location.record.stored
            progress(done)
    finally:
        lanes.close()


def _is_large(record: Record) -> bool:
    most = max(record.stored, record.within + record.size)
    return record.codec in SHARED and most > _LARGE


def _trouble(database: Database, location: Location) -> str:
    try:
        database.verify(location)
    except FormatTooNewError:  # MissingCodecError is one
        raise
    except (CorruptError, StorageError) as error:
        return _named(location, error.message)
    return ""


def _named(location: Location, message: str) -> str:
    """What is wrong, and with which object of which pack."""
    pack = str(location.pack)
    if pack in message:
        return message
    return f"{location.record.id.hex()[:12]} in pack {pack} is damaged: {message}"


def _batches(locations: Iterable[Location]) -> Iterator[list[Location]]:
    batch: list[Location] = []
    size = 0  # bytes as stored
    for location in locations:
        batch.append(location)
        size += 0 if location.record.within else location.record.stored
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
