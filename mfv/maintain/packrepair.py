"""Damaged packs: what is whole in them goes into new ones, and they themselves out of the way.

By the same entry as a repack, so it is safe beside writers and gcs, and a writer that relied on a
damaged pack stores its bytes anew. The damaged file is copied to `lost-found/` before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError, MfvError, NotFoundError, StorageError
from mfv.ids import BlobId, PackId
from mfv.maintain import salvage
from mfv.maintain.checking import Progress, check
from mfv.maintain.gc import delete_packs
from mfv.odb.codec import SHARED, Codec
from mfv.odb.database import Database, object_type
from mfv.odb.intake import Packed
from mfv.odb.pack import Record
from mfv.odb.packindex import Location, key_of, list_packs
from mfv.odb.transfer import Transfer, alone, member_of
from mfv.repo.entries import PackMade, Repack
from mfv.repo.names import State
from mfv.repo.repository import Repository

LOST_FOUND = "lost-found/"
_PART = 8 << 20  # bytes copied at a time


class Mended(NamedTuple):
    """What became of one damaged pack."""

    pack: PackId
    trouble: str  # what was wrong with it
    objects: int  # that are whole in a new pack
    lost: tuple[bytes, ...]  # ids of those that are not whole in it


def damaged(repository: Repository, progress: Progress = lambda _: None) -> dict[PackId, str]:
    """Reads every object of every pack; what is wrong with those of which any is not whole.

    Packs that are condemned are left out. Raises MissingCodecError and FormatTooNewError: of what
    cannot be read here nothing can be said.
    """
    database, condemned = repository.database, repository.state.condemned
    database.index.load_all()
    found: dict[PackId, str] = {}
    for location, trouble in check(database, database.index, progress):
        if trouble and location.pack not in condemned:
            found.setdefault(location.pack, trouble)
    for pack, error in database.index.damaged.items():
        if isinstance(error, FormatTooNewError):
            raise error
        if pack not in condemned:
            found[pack] = error.message
    return found


def mend(repository: Repository, packs: dict[PackId, str]) -> list[Mended]:
    """Moves what is whole in `packs` into new ones, and has the old ones condemned and deleted.

    The files are copied to `lost-found/` first.
    """
    # One that was stopped here left packs that are condemned, and set aside before that.
    condemned = repository.log.state.condemned
    left = [bytes(pack) for pack in list_packs(repository.backend) if pack in condemned]
    if left:
        delete_packs(repository, left)
    if not packs:
        return []
    database, salvaged = repository.database, dict[PackId, list[Record]]()
    for pack in packs:
        if pack in database.index.damaged:
            salvaged[pack] = salvage.records_of(database, pack)
            database.index.add(pack, salvaged[pack])
    transfer = Transfer(database, set(packs), lambda copy: copy.record.depth, salvaged)
    done = []
    try:
        for pack, trouble in packs.items():
            lost = set(_copy(repository, transfer, pack, is_salvaged=pack in salvaged))
            known = salvaged[pack] if pack in salvaged else transfer.ranges(pack)
            whole = len({one.id for one in known} - lost)
            done.append(Mended(pack, trouble, whole, tuple(sorted(lost))))
        receipts = transfer.flush()
    except BaseException:
        transfer.abandon()
        raise
    for pack in packs:
        set_aside(repository, key_of(pack))
    made = tuple(map(PackMade.of, receipts))

    def build(state: State) -> Repack:
        return Repack(tuple(map(bytes, packs)), made)

    repository.log.append(build, receipts=receipts)
    database.leave(repository.log.state.condemned)
    delete_packs(repository, map(bytes, packs))
    return done


def set_aside(repository: Repository, key: str) -> str:
    """Copies a file to `lost-found/`, durably; returns the key there."""
    backend = repository.backend
    to = LOST_FOUND + key.rpartition("/")[2]
    size = backend.stat(key).size
    backend.put(to, (backend.get(key, at, _PART) for at in range(0, size, _PART)))
    return to


def _copy(
    repository: Repository, transfer: Transfer, pack: PackId, *, is_salvaged: bool
) -> Iterator[bytes]:
    """Copies what is whole; the ids of all else."""
    database = repository.database
    try:
        records = transfer.ranges(pack)
    except (CorruptError, NotFoundError):
        return  # nothing proved itself
    bundles: dict[int, bytes | None] = {}  # by offset, in which a bit was turned back
    # Lists of chunks last: what they list is known to be whole by then.
    for record in sorted(records, key=lambda one: one.kind == BlobId.kind):
        location = Location(pack, record)
        try:
            transfer.copy(location)
            continue
        except (CorruptError, StorageError):
            pass
        if record.codec in SHARED:
            taken = _taken_out(database, location, bundles)
            if taken is None:
                yield record.id
            else:
                transfer.add(taken)
            continue
        again = _renamed(repository, location) if is_salvaged else None
        try:
            stored = again and database.backend.get(key_of(pack), record.offset, record.stored)
            stored = stored or salvage.mended_bytes(database, pack, record)
        except MfvError:
            stored = None
        if stored is None:
            yield record.id
        else:
            transfer.add(_as_stored(again or record, stored))


def _taken_out(
    database: Database, location: Location, bundles: dict[int, bytes | None]
) -> Packed | None:
    """An object of a group or bundle of which not all can be told; None if it is damaged itself."""
    record = location.record
    try:
        data = database.read_at(location)
    except (CorruptError, StorageError):
        if record.codec != Codec.BUNDLE or record.kind == BlobId.kind:
            return None
        if record.offset not in bundles:
            bundles[record.offset] = salvage.mended_bundle(database, location)
        data = (bundles[record.offset] or b"")[record.within : record.within + record.size]
        if object_type(record.kind).of(data) != record.id:
            return None
    return alone(record, data)


def _as_stored(record: Record, stored: bytes) -> Packed:
    return Packed([member_of(record)], record.codec, stored, record.depth)


def _renamed(repository: Repository, location: Location) -> Record | None:
    """A list of chunks under the id of the blob that it makes up, where its own was damaged."""
    record = location.record
    if record.kind != BlobId.kind:
        return None
    try:
        return record._replace(id=bytes(repository.database.id_of(location)))
    except (CorruptError, StorageError):
        return None
