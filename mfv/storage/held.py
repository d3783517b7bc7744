"""Files and folders that a living process holds: locked, so that anybody can tell a dead one's.

The kernel frees them when their holder dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

from mfv.modes import PRIVATE, Modes
from mfv.storage.filebytes import READ
from mfv.storage.oserrors import storage_error
from mfv.storage.paths import refuse_link


def hold(path: str, modes: Modes = PRIVATE) -> int:
    """Creates and locks the file `path`; the lock lasts until the returned fd is closed.

    Kept by a living process for as long as it works on something; see `is_abandoned`.
    """
    refuse_link(os.path.dirname(path))
    try:
        modes.make_folders(os.path.dirname(path))
        return create_locked(path, modes)
    except OSError as error:
        raise storage_error(error, "write", path) from error


def make_held_folder(parent: str, prefix: str, modes: Modes = PRIVATE) -> tuple[str, int]:
    """A new folder below `parent`, and an fd that holds its lock until every copy is closed.

    It is private to this user; `modes` are for the folders above it that are missing.
    Once nobody holds it, `clear_held_folders` removes it with all that is in it.
    """
    refuse_link(parent)
    try:
        modes.make_folders(parent)
        while True:
            path = os.path.join(parent, prefix + os.urandom(6).hex())
            os.mkdir(path, 0o700)
            fd = os.open(path, READ)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink and os.path.isdir(path):
                return path, fd
            os.close(fd)  # a cleaner got between making and locking
    except OSError as error:
        raise storage_error(error, "write", parent) from error


def clear_held_folders(parent: str, prefix: str) -> tuple[str, ...]:
    """Removes the folders of `make_held_folder` that nobody holds any more; their names."""
    removed: list[str] = []
    if os.path.islink(parent):
        return ()
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(parent)):
            if name.startswith(prefix) and remove_if_abandoned(os.path.join(parent, name)):
                removed.append(name)
    return tuple(removed)


def is_abandoned(path: str) -> bool:
    """True if no living process holds the lock of `path` (also where it does not exist)."""
    try:
        fd = os.open(path, READ)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        # Shared, so that two readers asking at once do not take each other for the holder.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def create_locked(path: str, modes: Modes) -> int:
    """A new file at `path`, locked; made again where a cleaner got between making and locking."""
    while True:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(path, flags, 0o600)
        # Waits: only a reader that asks `is_abandoned` can hold it, and only for a moment.
        fcntl.flock(fd, fcntl.LOCK_EX)
        found = os.fstat(fd)
        if found.st_nlink:
            modes.settle(fd, found)
            return fd
        os.close(fd)


def unlink_if_abandoned(path: str) -> bool:
    """Removes `path` while holding its lock, so that no writer can take it up in between."""
    try:
        fd = os.open(path, READ)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def remove_if_abandoned(path: str) -> bool:
    """Removes the folder at `path` while holding its lock; one of somebody else's stays."""
    try:
        fd = os.open(path, READ | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        if os.fstat(fd).st_uid != os.getuid():
            return False
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        import shutil

        shutil.rmtree(path)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
