"""Which task left which bytes: every blob of an artifact and of code, by the first bytes of its id.

A cache of its own, for it is large and only `whence` asks it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mfv.errors import MfvError
from mfv.ids import EntryId, ObjectId, OpeningId, PackId, RunId, TaskId, TreeId
from mfv.index import cachefile
from mfv.index.errors import DamagedLogError
from mfv.manifest.encoding import decode
from mfv.manifest.records import Opening, Run, Task, TaskRef, Tree
from mfv.repo import trees
from mfv.repo.entries import Entry, OpenRun, SealRun, Tasks
from mfv.repo.log import Log
from mfv.repo.names import State
from mfv.repo.repository import Repository

FOLDER = "cache/whence"
VERSION = 1
TABLES = """
CREATE TABLE artifacts (blob INTEGER, flow TEXT, run INTEGER, step TEXT, task INTEGER, name TEXT);
CREATE TABLE files (blob INTEGER, flow TEXT, run INTEGER, path TEXT);  -- where each came first
CREATE INDEX artifacts_by_blob ON artifacts (blob);
CREATE INDEX files_by_blob ON files (blob);
CREATE TABLE tasks (id BLOB PRIMARY KEY) WITHOUT ROWID;  -- that were looked at
CREATE TABLE trees (id BLOB PRIMARY KEY) WITHOUT ROWID;  -- that were looked at, parts too
"""


class Holder(NamedTuple):
    """An artifact that has the blob, perhaps: eight bytes of its id are the same."""

    flow: str
    run: int
    step: str
    task: int
    name: str


class Holders:
    """Asks the cache."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def artifacts(self, blob: bytes) -> Iterator[Holder]:
        """Those that may have it, the first that was made first."""
        sql = "SELECT flow, run, step, task, name FROM artifacts WHERE blob = ? ORDER BY rowid"
        for row in self._connection.execute(sql, (_short(blob),)).fetchall():
            yield Holder(*row)

    def files(self, blob: bytes) -> list[tuple[str, int, str]]:
        """Flow, run and path of the code files that may have it, each where it came first."""
        sql = "SELECT flow, run, path FROM files WHERE blob = ? ORDER BY rowid"
        return self._connection.execute(sql, (_short(blob),)).fetchall()


def open_holders(repository: Repository) -> Holders | None:
    """The cache, caught up, or one for this once; None where the log is damaged."""
    connection = cachefile.opened(repository, _KIND)
    if connection is None:  # full or read-only, and nothing else tells who holds what
        connection = cachefile.temporary(repository, _KIND)
    return None if connection is None else Holders(connection)


class _Reading(State):
    """Reads the log and keeps nothing of it in memory: the writer has taken what it wants."""

    writer: Any = None  # _Writer

    def apply(self, entry: Entry, seal: bytes) -> None:
        self.number, self.head = entry.number, bytes(seal)
        self.writer.take(entry)


class _Writer:
    def __init__(self, connection: sqlite3.Connection, repository: Repository) -> None:
        self._connection, self._repository = connection, repository

    def take(self, entry: Entry) -> None:
        """Notes what an entry brings in; what is damaged is no holder of anything."""
        body = entry.body
        with contextlib.suppress(MfvError):
            match body:
                case OpenRun():
                    record = self._read(OpeningId(body.opening), body.pack)
                    opening = decode(Opening, record)
                    self._tree(body.flow, body.number, opening.tree)
                case Tasks():
                    self._tasks(body.tasks)
                case SealRun():
                    run = decode(Run, self._read(RunId(body.manifest), body.pack))
                    self._tasks(run.tasks)

    def _tasks(self, refs: Iterable[TaskRef]) -> None:
        for ref in refs:
            known = "SELECT 1 FROM tasks WHERE id = ?"
            if self._connection.execute(known, (ref.manifest,)).fetchone():
                continue
            self._connection.execute("INSERT INTO tasks VALUES (?)", (ref.manifest,))
            with contextlib.suppress(MfvError):
                self._task(decode(Task, self._read(TaskId(ref.manifest), ref.pack)))

    def _task(self, task: Task) -> None:
        rows = dict.fromkeys(
            (_short(frame.blob), task.flow, task.run, task.step, task.id, artifact.name)
            for artifact in task.artifacts
            if artifact.name not in task.inherited
            for frame in artifact.frames
        )
        self._connection.executemany("INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _tree(self, flow: str, run: int, tree_id: bytes, *, is_part: bool = False) -> None:
        if self._connection.execute("SELECT 1 FROM trees WHERE id = ?", (tree_id,)).fetchone():
            return
        self._connection.execute("INSERT INTO trees VALUES (?)", (tree_id,))
        tree = decode(Tree, self._read(TreeId(tree_id), None))
        trees.check(tree, is_part=is_part)
        for part in tree.parts:
            self._tree(flow, run, part, is_part=True)
        for file in tree.files:
            key, path = _short(file.blob), file.path.decode("utf-8", "replace")
            sql = "SELECT 1 FROM files WHERE blob = ? AND path = ?"
            if not self._connection.execute(sql, (key, path)).fetchone():
                row = (key, flow, run, path)
                self._connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", row)

    def _read(self, record: ObjectId, pack: bytes | None) -> bytes:
        return self._repository.database.read_record(record, None if pack is None else PackId(pack))


def _fill(
    connection: sqlite3.Connection, repository: Repository, number: int, head: bytes
) -> tuple[int, bytes]:
    writer = _Writer(connection, repository)
    state = _Reading(number, head, writer=writer)
    log = Log(repository.backend, state=state)
    log.catch_up()
    if log.damaged:
        raise DamagedLogError
    return state.number, EntryId(state.head)


def _short(blob: bytes) -> int:
    """The first eight bytes of an id, as SQLite keeps a number."""
    return int.from_bytes(blob[:8], "big", signed=True)


_KIND = cachefile.Kind(FOLDER, VERSION, TABLES, "", _fill)
