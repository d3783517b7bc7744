"""The index of runs: opened, or made anew."""

from __future__ import annotations

import sqlite3

from mfv.index import cachefile, schema
from mfv.index.index import Index
from mfv.repo.repository import Repository

FOLDER = "cache/index"


def open_index(repository: Repository) -> Index | None:
    """The index, caught up with the log; made anew where there is none that can be trusted.

    None where there cannot be one: the repository is no folder, or cannot be written and has
    none that is up to date, or its log is damaged.
    """
    connection = cachefile.opened(repository, _KIND)
    return None if connection is None else _index(repository, connection)


def rebuild(repository: Repository) -> Index:
    """The index made anew; CorruptError where the log is damaged, or StorageError."""
    return _index(repository, cachefile.renewed(repository, _KIND))


def current(folder: str) -> str | None:
    """The path of the index that counts, in a repository's folder; None without one."""
    return cachefile.current(folder, FOLDER)


def _index(repository: Repository, connection: sqlite3.Connection) -> Index:
    return Index(connection, lambda: cachefile.renewed(repository, _KIND))


def _fill(
    connection: sqlite3.Connection, repository: Repository, number: int, head: bytes
) -> tuple[int, bytes]:
    from mfv.index.filling import fill  # whoever only asks does without

    return fill(connection, repository, number, head)


_KIND = cachefile.Kind(FOLDER, schema.VERSION, schema.TABLES, schema.INDEXES, _fill)
