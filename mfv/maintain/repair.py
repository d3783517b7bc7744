"""Repair: what can be made whole again is, and what cannot is set aside and told by name.

Nothing is deleted: a damaged file is copied to `lost-found/` before anything takes its place. What
copies of the repository still have is fetched from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from mfv.errors import CorruptError, MfvError, NotFoundError, StorageError
from mfv.ids import BlobId, Buffer, ObjectId, RunId
from mfv.maintain import fsck, logrepair, packrepair
from mfv.maintain.checking import Progress
from mfv.maintain.needs import missing
from mfv.maintain.onebit import mended
from mfv.manifest.encoding import decode
from mfv.manifest.records import Run
from mfv.odb.database import Database
from mfv.odb.packindex import Location, list_packs, read_index
from mfv.odb.writer import Writer
from mfv.repo import format as formats
from mfv.repo.entries import MarkDamage, PackMade, Repack
from mfv.repo.log import read_tip
from mfv.repo.names import State
from mfv.repo.repository import Repository
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend

CACHE = "cache/"


class Done(msgspec.Struct, frozen=True):
    """One thing that a repair did."""

    kind: str  # `format`, `log`, `fold`, `pack`, `fetched`, `lost`, `found`, `cache`
    message: str
    runs: tuple[str, ...] = ()  # those that it touches


class Repaired(NamedTuple):
    """What a repair did, and how the repository stands after it."""

    done: tuple[Done, ...]
    report: fsck.Report

    @property
    def facts(self) -> dict[str, object]:
        return {
            "done": msgspec.to_builtins(self.done),
            **msgspec.to_builtins(self.report),
            "errors": self.report.errors,
        }


def repair_format(backend: Backend) -> Done | None:
    """Makes a damaged or missing `format` file anew; None where nothing is wrong with it.

    It says which repository this is, which the manifests of its runs say too. Raises
    CorruptError where no run tells, NotFoundError where there are no packs either.
    """
    try:
        formats.read(backend)
        return None
    except NotFoundError:
        data = b""
        if not any(True for _ in list_packs(backend)):
            raise
    except CorruptError:
        data = backend.get(formats.KEY)
    if data:
        backend.put(packrepair.LOST_FOUND + formats.KEY, [data])
    again = mended(data, _is_format)
    if again is None:
        again = formats.encode(_origin(backend))
    backend.put(formats.KEY, [again])
    return Done("format", "the `format` file was damaged, and is what it was again")


def repair(
    repository: Repository,
    sources: Sequence[Repository] = (),
    *,
    progress: Progress = lambda _: None,
) -> Repaired:
    """Repairs all that can be repaired; may be stopped anywhere and called again.

    `sources`: copies of the repository, or others that may hold the same bytes; `progress` is told
    twice how many bytes were read so far: before what is damaged is replaced, and after.
    """
    done = [*_repair_log(repository)]
    # The next ones open it as if for the first time: what was read of it before may be wrong.
    repository = _again(repository)
    packs = packrepair.mend(repository, packrepair.damaged(repository, progress))
    for one in packs:
        message = f"{one.trouble}: {one.objects} objects are whole in a new pack"
        if one.lost:
            message += f", {len(one.lost)} are not"
        done.append(Done("pack", message))
    repository = _again(repository)
    done += _fetch(repository, sources)
    done += _mark(repository)
    if done:
        for key in list(repository.backend.list(CACHE)):
            repository.backend.delete(key)
        done.append(Done("cache", "all caches are made anew when they are needed"))
    return Repaired(tuple(done), fsck.fsck(_again(repository), data=True, progress=progress))


def _again(repository: Repository) -> Repository:
    return Repository(repository.backend, folder=repository.folder, writer=repository.log.writer)


def _is_format(data: bytes) -> bool:
    backend = MemoryBackend()
    backend.put(formats.KEY, [data])
    try:
        formats.read(backend)
    except MfvError:
        return False
    return True


def _origin(backend: Backend) -> bytes:
    """The repository that most of the sealed runs were made in."""
    database, found = Database(backend), Counter[bytes]()
    for pack in list_packs(backend):
        try:
            records = [one for one in read_index(backend, pack) if one.kind == RunId.kind]
            for record in records:
                data = database.read_at(Location(pack, record))
                found[bytes(decode(Run, bytes(data)).origin)] += 1
        except MfvError:
            continue
    if not found:
        raise CorruptError(
            "the repository's `format` file is damaged, and no run tells which one it is",
            hint="restore `format` from a copy of the repository",
        )
    return found.most_common(1)[0][0]


def _repair_log(repository: Repository) -> list[Done]:
    found = []
    for key in logrepair.mend_folds(repository):
        found.append(Done("fold", f"{key} was damaged; the log itself is read instead"))
    log = logrepair.mend(repository)
    for number in log.mended:
        found.append(Done("log", f"log entry {number} is what it was again: one bit had turned"))
    for number in log.lost:
        found.append(
            Done("log", f"log entry {number} is lost; another stands in its place", log.runs)
        )
    again = _again(repository)
    state = again.log.catch_up()
    tip = read_tip(repository.backend)
    if tip is None or tip.number < state.number or tip.checkpoint > state.number:
        again.log.write_checkpoint()
        found.append(Done("fold", "the hint to the end of the log is made anew"))
    return found


def _fetch(repository: Repository, sources: Sequence[Repository]) -> list[Done]:
    """Brings in what runs need, is not here, and some source has."""
    tried: set[bytes] = set()
    came = 0
    while sources:
        # A record that came may need more.
        gone = (one for run in repository.state for one in missing(repository, run))
        wanted = {bytes(one): one for one in gone if one not in tried}
        tried |= wanted.keys()
        writer, new = Writer(repository.database), 0
        for object_id in wanted.values():
            new += any(_take(writer, source.database, object_id) for source in sources)
        outcome = writer.flush()
        if not new:
            break
        made = tuple(map(PackMade.of, outcome.receipts))

        def build(state: State, made: tuple[PackMade, ...] = made) -> Repack:
            return Repack((), made)

        repository.log.append(build, receipts=outcome.receipts, relied=outcome.relied)
        repository.database.index.load_all()
        came += new
    return [Done("fetched", f"{came} objects came from copies")] if came else []


def _take(writer: Writer, source: Database, object_id: ObjectId) -> bool:
    data: Buffer
    try:
        if isinstance(object_id, BlobId):
            data = source.read_blob(object_id)
        else:
            data = source.read_record(object_id)
    except (CorruptError, StorageError):
        return False
    if isinstance(object_id, BlobId):
        writer.add_blob(data)
    else:
        writer.add_record(object_id, bytes(data))
    return True


def _mark(repository: Repository) -> list[Done]:
    """Says in the log which objects of which runs are lost, and which of them came back."""
    found = []
    for run in list(repository.state):
        lost = tuple(map(bytes, missing(repository, run)))
        if lost == tuple(run.lost):
            continue
        repository.log.append(
            lambda _, run=run, lost=lost: MarkDamage(run.flow, run.number, lost)  # type: ignore[misc]
        )
        if lost:
            message = f"{run.name} is damaged: {len(lost)} of its objects are lost"
            found.append(Done("lost", message, (run.name,)))
        else:
            found.append(Done("found", f"{run.name} is whole again", (run.name,)))
    return found
