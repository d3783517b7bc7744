"""Room for the entry without which a gc may delete nothing, on a disk that is wholly full.

The entry that condemns packs comes before their deletion, and is itself a file. So what needs no
entry goes first, and only where there is no room: what killed processes left half-written, packs
that an earlier entry condemned, and the cache, in which every gc leaves some bytes for the next.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from typing import TypeVar

from mfv.errors import NotFoundError, StorageError
from mfv.maintain.gc import delete_packs
from mfv.odb.packindex import list_packs
from mfv.repo.archive import FOLDER
from mfv.repo.files import FOLDER as FILES
from mfv.repo.repository import Repository
from mfv.storage.base import settle
from mfv.storage.local import LocalBackend

A = TypeVar("A")

_CACHE = "cache"
_RESERVE = "cache/reserve"
_RESERVED = 64 << 10  # bytes: three entries, the largest of which names all packs that go
_FULL = (errno.ENOSPC, errno.EDQUOT)


def having_room(repository: Repository, act: Callable[[], A]) -> A:
    """What `act` returns; where the disk is full, called once more when room was made.

    `act` may be stopped anywhere and called again.
    """
    try:
        return act()
    except StorageError as error:
        cause = error.__cause__
        if not (isinstance(cause, OSError) and cause.errno in _FULL and _make(repository)):
            raise
    return act()


def keep_reserve(repository: Repository) -> None:
    """Puts bytes aside for the next time that there is no room; does nothing where it cannot."""
    backend = repository.backend
    if not isinstance(backend, LocalBackend):
        return
    with contextlib.suppress(StorageError):
        try:
            backend.stat(_RESERVE)
        except NotFoundError:
            # A file system that compresses would keep nothing of zeros.
            backend.put(_RESERVE, [os.urandom(_RESERVED)], sync=False)


def _make(repository: Repository) -> bool:
    """Deletes what can go without an entry; whether anything could."""
    backend = repository.backend
    if not isinstance(backend, LocalBackend):
        return False
    cleared = backend.clear_abandoned()
    condemned = repository.state.condemned
    leftover = [bytes(pack) for pack in list_packs(backend) if pack in condemned]
    if leftover:
        settle(backend, FOLDER)
        delete_packs(repository, leftover)
    return _drop_cache(backend) or bool(cleared or leftover)


def _drop_cache(backend: LocalBackend) -> bool:
    """Deletes the cache, but for files that a step may have been given the path of."""
    found = False
    kept = os.path.basename(FILES)
    folder = os.path.join(backend.root, _CACHE)
    if os.path.islink(folder) or not os.path.isdir(folder):
        return False
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            if entry.name != kept:
                shutil.rmtree(entry.path, ignore_errors=True)
                found = True
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
                found = True
    return found
