"""One repository: opening it, and reading what the log leads to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from mfv.errors import ConflictError, CorruptError, NotFoundError, StorageError
from mfv.ids import EnvironmentId, ObjectId, OpeningId, PackId, RunId, TaskId, TreeId
from mfv.manifest.encoding import decode
from mfv.manifest.records import Environment, Opening, Run, Task, TaskRef, Tree
from mfv.modes import PRIVATE, Modes
from mfv.odb.database import Database
from mfv.repo import config as configs
from mfv.repo import format as formats
from mfv.repo import trees
from mfv.repo.access import modes_for, refusal
from mfv.repo.entries import NoteRun, TagRuns
from mfv.repo.log import Log
from mfv.repo.names import OPEN, RunState, State
from mfv.repo.standing import Standing, refuse_writing, standing_of
from mfv.repo.tags import TAGS_PER_RUN, check_note, check_tag
from mfv.storage.base import Backend
from mfv.storage.held import is_abandoned
from mfv.storage.local import TMP, LocalBackend
from mfv.storage.paths import is_folder

FOLDER_NAME = ".mfv"
# Records are small, and views of runs keep theirs. Of large ones a few are kept in all, those that
# were asked for last: a listing goes from run to run.
_LARGE = 256 << 10  # bytes of a record
_FILE = 64  # bytes that a file of a snapshot takes in its record
_KEPT, _KEPT_SIZE = 4, 16 << 20  # records; bytes of all of them
CRASHED = "crashed"
R = TypeVar("R", bound=msgspec.Struct)


class Repository:
    """A repository over one backend; `folder` is None unless it is a local one."""

    def __init__(self, backend: Backend, *, folder: str | None = None, writer: str = "") -> None:
        """Opens what is there.

        Raises NotFoundError, FormatTooNewError, CorruptError, or ConfigError for its settings.
        """
        self.backend = backend
        self.folder = folder
        self.format = formats.read(backend)
        self.config = configs.read(backend)
        if isinstance(backend, LocalBackend):
            backend.durable = self.config.durability != "fast"
            backend.modes = modes_for(backend.root, shared=self.config.shared)
        self.standing: Standing = standing_of(folder)
        if folder is not None and self.standing == "foreign" and isinstance(backend, LocalBackend):
            backend.refusal = refuse_writing(folder)
        self.log = Log(backend, writer)
        self.database = Database(backend, fast=self.config.compression == "fast")
        # Records with their bytes, the one that was used last at the end.
        self._large: dict[bytes, tuple[msgspec.Struct, int]] = {}

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, writer: str = "") -> Repository:
        """The local repository in `folder` (the `.mfv` folder itself)."""
        path = os.fspath(folder)
        if not is_folder(path):
            raise NotFoundError(f"there is no repository at {path}", hint="`mfv init` makes one")
        try:
            return cls(LocalBackend(path), folder=path, writer=writer)
        except StorageError:
            if os.access(path, os.R_OK | os.X_OK):
                raise
            raise refusal(path) from None

    @classmethod
    def create(cls, folder: str | os.PathLike[str], *, writer: str = "") -> Repository:
        """Makes a local repository in `folder`, or opens the one that is there."""
        path = os.fspath(folder)
        backend = LocalBackend(path)
        if os.path.isdir(path):
            if not os.access(path, os.R_OK | os.X_OK):
                raise refusal(path)
            backend.modes = modes_for(path)
            if is_made(path):
                return cls.open(path, writer=writer)
            if standing_of(path) == "foreign":
                raise refuse_writing(path)
        if formats.create(backend):
            with contextlib.suppress(ConflictError):
                backend.create(configs.KEY, [configs.DEFAULT])
        return cls.open(path, writer=writer)

    @property
    def modes(self) -> Modes:
        """The modes of what is made in its folder."""
        return self.backend.modes if isinstance(self.backend, LocalBackend) else PRIVATE

    @property
    def state(self) -> State:
        """The names as of now: reads on in the log."""
        return self.log.catch_up()

    def status(self, run: RunState) -> str:
        """`open`, or how the run ended; an open run whose process is gone has `crashed`."""
        if run.status != OPEN or self.folder is None or run.host != os.uname().nodename:
            return run.status
        return CRASHED if is_abandoned(self.lease_path(run.lease)) else OPEN

    def lease_path(self, lease: str) -> str:
        """The file that the process of an open run holds locked."""
        if not lease.isalnum():
            raise CorruptError(f"{lease!r} is no name of a lease")
        assert self.folder is not None
        return os.path.join(self.folder, TMP, lease)

    def opening(self, run: RunState) -> Opening:
        """What the run began with."""
        opening, pack = run.opening, run.opening_pack
        if opening is None:
            manifest = self.manifest(run)
            if manifest is None:
                raise CorruptError(f"the log entry that opened {run.name} is damaged")
            opening = manifest.opening
        return self._record(Opening, OpeningId(opening), _hint(pack))

    def manifest(self, run: RunState) -> Run | None:
        """The sealed run; None while it is open."""
        if run.manifest is None:
            return None
        found = self._record(Run, RunId(run.manifest), _hint(run.pack))
        if (found.flow, found.number) != (run.flow, run.number):
            raise CorruptError(f"the manifest of {run.name} is of {found.flow}/{found.number}")
        return found

    def tasks(self, run: RunState) -> tuple[TaskRef, ...]:
        """The finished attempts of a run, in the order in which they were committed."""
        manifest = self.manifest(run)
        return tuple(run.tasks) if manifest is None else manifest.tasks

    def task(self, ref: TaskRef) -> Task:
        """The record of one finished attempt; CorruptError where it is of another."""
        record = self.database.read_record(TaskId(ref.manifest), PackId(ref.pack))
        task = decode(Task, record)
        if (task.step, task.id, task.attempt) != (ref.step, ref.id, ref.attempt):
            raise CorruptError(f"the record of task {ref.step}/{ref.id} is of {task.pathspec}")
        return task

    def tree(self, opening: Opening) -> Tree:
        """The code snapshot of a run, whole, however it is stored."""
        known, size = self._large.get(opening.tree, (None, 0))
        if isinstance(known, Tree):
            return self._keep(opening.tree, known, size)
        tree = trees.read(self.database, TreeId(opening.tree))
        return self._keep(opening.tree, tree, len(tree.files) * _FILE)

    def environment(self, opening: Opening) -> Environment:
        """The machine and packages of a run."""
        return self._record(Environment, EnvironmentId(opening.environment))

    def is_large(self, record: object) -> bool:
        """Whether a record takes so much memory that nobody should keep one for each run."""
        return any(record is one for one, _ in self._large.values())

    def _record(self, kind: type[R], record_id: ObjectId, hint: PackId | None = None) -> R:
        known, size = self._large.get(record_id, (None, 0))
        if isinstance(known, kind):
            return self._keep(record_id, known, size)
        data = self.database.read_record(record_id, hint)
        return self._keep(record_id, decode(kind, data), len(data))

    def _keep(self, record_id: bytes, record: R, size: int) -> R:
        """`record`; a large one is kept until some others were asked for."""
        if size <= _LARGE:
            return record
        kept = {key: one for key, one in list(self._large.items()) if key != record_id}
        while kept and (len(kept) >= _KEPT or sum(n for _, n in kept.values()) + size > _KEPT_SIZE):
            del kept[next(iter(kept))]
        # Replaced as a whole, so that several threads may ask.
        self._large = {**kept, bytes(record_id): (record, size)}
        return record

    def tag(
        self,
        *,
        add: Iterable[tuple[RunState, str]] = (),
        remove: Iterable[tuple[RunState, str]] = (),
    ) -> None:
        """Takes tags off and puts tags on, all or nothing, removals first.

        Raises UsageError for a name that cannot be a tag, NotFoundError for one to be removed
        that is not there, ConflictError past the limit of tags for one run.
        """
        adding = tuple((run.flow, run.number, check_tag(tag)) for run, tag in add)
        removing = tuple((run.flow, run.number, tag) for run, tag in remove)

        def build(state: State) -> TagRuns:
            for flow, number, tag in removing:
                run = state.find(flow, number)
                if run is None or tag not in run.tags:
                    raise NotFoundError(f"{flow}/{number} does not bear the tag {tag!r}")
            for flow, number in {(flow, number) for flow, number, _ in adding}:
                run = state.find(flow, number)
                if run is None:
                    raise NotFoundError(f"there is no run {flow}/{number}")
                gone = {tag for one, n, tag in removing if (one, n) == (flow, number)}
                came = {tag for one, n, tag in adding if (one, n) == (flow, number)}
                if len(set(run.tags) - gone | came) > TAGS_PER_RUN:
                    raise ConflictError(f"{run.name} would bear more than {TAGS_PER_RUN} tags")
            return TagRuns(removing, adding)

        if adding or removing:
            self.log.append(build)


def note(repository: Repository, run: RunState, text: str) -> None:
    """Says `text` of a run, in place of what was said; empty: nothing. UsageError if it cannot be.

    NotFoundError if the run is not there.
    """
    check_note(text)

    def build(state: State) -> NoteRun:
        if state.find(run.flow, run.number) is None:
            raise NotFoundError(f"there is no run {run.name}")
        return NoteRun(run.flow, run.number, text)

    repository.log.append(build)


def find(start: str | os.PathLike[str]) -> str | None:
    """The repository folder that `start` belongs to: the nearest `.mfv` upwards, or None."""
    place = os.path.abspath(start)
    while True:
        candidate = os.path.join(place, FOLDER_NAME)
        if is_folder(candidate):
            return candidate
        above = os.path.dirname(place)
        if above == place:
            return None
        place = above


def is_made(folder: str | os.PathLike[str]) -> bool:
    """Whether there is a repository in `folder`; StorageError where one may not look."""
    path = os.fspath(folder)
    if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
        raise refusal(path)
    return os.path.lexists(os.path.join(path, formats.KEY))


def _hint(pack: bytes | None) -> PackId | None:
    return None if pack is None else PackId(pack)
