"""The file of a cache in SQLite: found, caught up with the log, made anew on any doubt.

Every one that is made has a file name of its own, and `current` says which one counts. A name is
never used twice, because the journal that a killed process leaves beside one database would be
played back into another one of the same name.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Callable
from typing import NamedTuple

from mfv.errors import CorruptError, MfvError, StorageError
from mfv.ids import ID_BYTES
from mfv.index.errors import DamagedLogError, UnusableError
from mfv.modes import Modes
from mfv.repo.archive import read_entry
from mfv.repo.log import read_tip
from mfv.repo.repository import Repository
from mfv.repo.standing import refuse_writing
from mfv.storage.oserrors import storage_error
from mfv.storage.paths import leads_away

_CURRENT = "current"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe is not waited for
_NAME = re.compile(r"[0-9a-f]{12}\.sqlite")

_LONG_AGO = 3600.0  # seconds: none takes so long to be made
_PATIENCE = 20.0  # seconds that another process may take over a write
_CACHE = 64  # MiB of pages

# Takes the entries behind one, of which number and seal are given, in; returns where that ended.
Fill = Callable[[sqlite3.Connection, Repository, int, bytes], tuple[int, bytes]]


class Kind(NamedTuple):
    """One cache: where it is, what its tables are, how it is filled."""

    folder: str  # in the repository
    version: int
    tables: str  # SQL; beside them stands `meta`
    indexes: str  # SQL, for when the rows are there
    fill: Fill


_META = "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"


def opened(repository: Repository, kind: Kind) -> sqlite3.Connection | None:
    """The cache, caught up with the log; made anew where there is none that can be trusted.

    None where there cannot be one: the repository is no folder, or cannot be written and has
    none that is up to date, or its log is damaged.
    """
    if repository.folder is None or leads_away(repository.folder, kind.folder):
        return None
    may_write = repository.standing != "foreign"
    before = None
    while (path := current(repository.folder, kind.folder)) is not None and path != before:
        with contextlib.suppress(UnusableError, sqlite3.Error, OSError, DamagedLogError):
            return _existing(repository, kind, path, may_write=may_write)
        before = path  # another process may have made a new one meanwhile
    if not may_write:
        return None
    with contextlib.suppress(sqlite3.Error, OSError, DamagedLogError):
        return _rebuild(repository, kind)
    return None


def temporary(repository: Repository, kind: Kind) -> sqlite3.Connection | None:
    """One that is gone with its connection, for where none can be kept; None of a damaged log.

    In memory as long as it is small, then in the system's folder for temporary files.
    """
    connection = sqlite3.connect("", isolation_level=None)
    try:
        _fill_whole(connection, repository, kind)
        return connection
    except (sqlite3.Error, DamagedLogError):
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise


def renewed(repository: Repository, kind: Kind) -> sqlite3.Connection:
    """The cache made anew; CorruptError where the log is damaged, or StorageError."""
    try:
        return _rebuild(repository, kind)
    except DamagedLogError:
        raise CorruptError(
            "the log is damaged, so there is no index of it", hint="`mfv fsck` says what is touched"
        ) from None
    except OSError as error:
        raise storage_error(error, "write", kind.folder) from None
    except sqlite3.Error as error:
        raise StorageError(
            f"cannot write {kind.folder}: {error}", hint="check the room on the disk, then again"
        ) from None


def current(folder: str, kind: str) -> str | None:
    """The path of the one that counts, in a repository's folder; None without one."""
    try:
        descriptor = os.open(os.path.join(folder, kind, _CURRENT), _READ)
        try:
            name = os.read(descriptor, 100).decode("ascii")
        finally:
            os.close(descriptor)
    except (OSError, UnicodeError):
        return None
    path = os.path.join(folder, kind, name)
    return path if _NAME.fullmatch(name) and os.path.isfile(path) else None


def _rebuild(repository: Repository, kind: Kind) -> sqlite3.Connection:
    """Makes the cache anew, and has it count once it is whole and on the disk.

    Raises sqlite3.Error or OSError where that cannot be written, DamagedLogError.
    """
    assert repository.folder is not None
    if repository.standing == "foreign":
        raise refuse_writing(repository.folder)
    folder = os.path.join(repository.folder, kind.folder)
    if leads_away(repository.folder, kind.folder):
        raise OSError(f"{folder} leads through a symbolic link")
    repository.modes.make_folders(folder)
    before = current(repository.folder, kind.folder)
    made = os.path.join(folder, f"{os.urandom(6).hex()}.sqlite")
    try:
        _make(repository, kind, made)
        _point(folder, made, repository.modes)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(made)
        raise
    _clear(repository.folder, kind, before)
    return _connect(made)


def _make(repository: Repository, kind: Kind, path: str) -> None:
    os.close(_create(path, repository.modes))
    connection = _connect(path)
    try:
        _fill_whole(connection, repository, kind)
    finally:
        connection.close()
    _sync(path)


def _fill_whole(connection: sqlite3.Connection, repository: Repository, kind: Kind) -> None:
    # Nobody looks at it before it is done.
    connection.executescript(
        f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;{_META}{kind.tables}"
    )
    connection.execute("BEGIN")
    number, head = kind.fill(connection, repository, 0, bytes(ID_BYTES))
    _save(connection, repository, kind, number, head)
    connection.execute("COMMIT")
    connection.executescript(kind.indexes + "ANALYZE;")


def _create(path: str, modes: Modes) -> int:
    """A new file; the journal that SQLite puts beside a database has the same mode as that."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    modes.settle(fd, os.fstat(fd))
    return fd


def _point(folder: str, path: str, modes: Modes) -> None:
    """Has `path` count from now on."""
    made = os.path.join(folder, f"{_CURRENT}-{os.urandom(6).hex()}")
    with open(_create(made, modes), "w", encoding="ascii") as file:
        file.write(os.path.basename(path))
    _sync(made)
    os.replace(made, os.path.join(folder, _CURRENT))


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear(repository: str, kind: Kind, before: str | None) -> None:
    """Deletes the one that counted before, and what killed processes left long ago.

    Who has it open goes on with it.
    """
    folder, counts = os.path.join(repository, kind.folder), current(repository, kind.folder)
    kept = {_CURRENT}
    if counts is not None:
        kept |= {os.path.basename(counts), os.path.basename(counts) + "-journal"}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            old = before is not None and path.startswith(before)
            if name not in kept and (old or time.time() - os.lstat(path).st_mtime > _LONG_AGO):
                os.unlink(path)


def _existing(
    repository: Repository, kind: Kind, path: str, *, may_write: bool
) -> sqlite3.Connection:
    places = path, os.path.dirname(path)
    writable = may_write and all(os.access(place, os.W_OK) for place in places)
    connection = _connect(path, read_only=not writable)
    try:
        _catch_up(connection, repository, kind, writable=writable)
        return connection
    except BaseException:
        connection.close()
        raise


def _catch_up(
    connection: sqlite3.Connection, repository: Repository, kind: Kind, *, writable: bool
) -> None:
    number, head = _standing(connection, repository, kind)
    tip = read_tip(repository.backend)
    if tip is None or tip.number < number:
        raise UnusableError  # the log is another one, or was cut
    try:
        if number and read_entry(repository.backend, number)[-ID_BYTES:] != head:
            raise UnusableError
    except MfvError:
        raise UnusableError from None
    if tip.number == number and not _is_more(repository, number):
        return
    if not writable:
        raise UnusableError
    connection.execute("BEGIN IMMEDIATE")
    try:
        number, head = _standing(
            connection, repository, kind
        )  # another process may have been first
        number, head = kind.fill(connection, repository, number, head)
        _save(connection, repository, kind, number, head)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _is_more(repository: Repository, number: int) -> bool:
    """Whether the log goes on behind what the tip, a hint, says."""
    try:
        read_entry(repository.backend, number + 1)
    except MfvError:
        return False
    return True


def _standing(
    connection: sqlite3.Connection, repository: Repository, kind: Kind
) -> tuple[int, bytes]:
    """The entry that it has come to, and its seal."""
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    wanted = (kind.version, repository.format.repository)
    if (meta.get("version"), meta.get("repository")) != wanted:
        raise UnusableError
    number, head = meta.get("number"), meta.get("head")
    if not isinstance(number, int) or not isinstance(head, bytes) or len(head) != ID_BYTES:
        raise UnusableError
    return number, head


def _save(
    connection: sqlite3.Connection, repository: Repository, kind: Kind, number: int, head: bytes
) -> None:
    meta = {
        "version": kind.version,
        "repository": repository.format.repository,
        "number": number,
        "head": bytes(head),
    }
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())


def _connect(path: str, *, read_only: bool = False) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    for char in "%?#":  # which mean something in a URI
        path = path.replace(char, f"%{ord(char):02x}")
    connection = sqlite3.connect(
        f"file:{path}?mode={mode}", uri=True, timeout=_PATIENCE, isolation_level=None
    )
    connection.execute(f"PRAGMA cache_size=-{_CACHE * 1024}")
    connection.execute("PRAGMA mmap_size=2147483648")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection
