"""A backend in a folder: write beside, fsync, then rename or link, then fsync the folder.

Half-written files live in `tmp/`, each locked by its writer with `flock`, so that the kernel
frees them when the writer dies and anybody can tell a dead file from one in use.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import stat as stat_module
from collections.abc import Iterable, Iterator

from mfv.errors import ConflictError, MfvError, NotFoundError, StorageError
from mfv.modes import PRIVATE, Modes
from mfv.storage.base import Buffer, Stat, check_key, check_prefix, is_key

TMP = "tmp"
_WRITEV_MAX = 512  # buffers a call; Linux takes 1024, others less
_BATCH = 4 << 20  # bytes gathered for one call: parts may still be on their way
_WRITEV_BYTES = 1 << 28  # bytes a call; macOS refuses more than INT_MAX
# A link planted in a repository is not followed, and a planted pipe does not hang its reader.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_HINTS = {
    errno.ENOSPC: "free some space, then run the same command again; what was recorded is kept",
    errno.EDQUOT: "free some of your quota, then run the same command again",
    errno.EROFS: "the file system is read-only; write to another folder with MFV_DIR",
    errno.EACCES: "check who owns the folder, or write to another one with MFV_DIR",
    errno.EPERM: "check who owns the folder, or write to another one with MFV_DIR",
    errno.ENFILE: "too many files are open on this machine: end something, then run it again",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`), then run it again",
    errno.EIO: "the disk reports an error: copy the repository away, then check the disk",
    errno.ENOTSUP: "mfv needs a file system with hard links; set MFV_DIR to a folder on one",
}


def storage_error(error: OSError, doing: str, path: str | os.PathLike[str]) -> StorageError:
    """`error` as one sentence about `path`, with what to do now."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(f"cannot {doing} {os.fspath(path)}: {reason}", hint=hint_for(error))


def hint_for(error: OSError) -> str | None:
    """What to do about what the machine refused; None where that is not known."""
    return _HINTS.get(error.errno or 0)


class LocalBackend:
    """Keys as files below `root`, private to their owner unless `modes` say otherwise."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.path.abspath(root)  # whoever uses it may go elsewhere
        self.durable = True  # False: nothing is synced; a power cut may cost what was written last
        self.modes = PRIVATE
        self.refusal: MfvError | None = None  # raised by whatever would write
        self._known_folders: set[str] = set()

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        path = self._path(key)
        try:
            fd = os.open(path, _READ)
            try:
                size = os.fstat(fd).st_size
                wanted = max(0, size - start)
                if length is not None:
                    wanted = min(wanted, length)
                return _pread(fd, wanted, start)
            finally:
                os.close(fd)
        except FileNotFoundError:
            raise NotFoundError(f"there is no {key} in {self.root}") from None
        except OSError as error:
            raise storage_error(error, "read", path) from error

    def put(self, key: str, parts: Iterable[Buffer], *, sync: bool = True) -> None:
        path = self._path(key)
        with self._staged(key, parts, sync=sync) as staged:
            os.rename(staged, path)
            self._sync_folder(os.path.dirname(path), sync=sync)

    def overwrite(self, key: str, data: bytes) -> None:
        # Renaming over a file frees its inode, and for half a minute ext4 passes over every freed
        # one whenever a file is made: a small file renamed over again and again cost each new
        # file of a repository 0.3 to 3 ms.
        path = self._path_to_write(key)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return self.put(key, [data], sync=False)
        try:
            found = os.fstat(fd)
            if found.st_size == len(data) and found.st_nlink == 1:
                os.pwrite(fd, data, 0)
                return None
        except OSError as error:
            raise storage_error(error, "write", path) from error
        finally:
            os.close(fd)
        return self.put(key, [data], sync=False)

    def start_id(self) -> bytes:
        # Elsewhere than on Linux nothing as plain tells one start from the next.
        try:
            with open("/proc/sys/kernel/random/boot_id", "rb") as file:
                return file.read(64)
        except OSError:
            return b""

    def witness(self, key: str) -> bytes:
        found = self._lstat(key)
        # The time of change is the kernel's own: who sets the others back cannot set it.
        facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return repr(facts).encode()

    def append(self, key: str, data: bytes, *, largest: int) -> None:
        path = self._path_to_write(key)
        try:
            self._ensure_folder(os.path.dirname(path))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(path, flags, 0o600)
            try:
                found = os.fstat(fd)
                if found.st_size == 0:
                    self.modes.settle(fd, found)
                elif found.st_size >= largest:
                    os.ftruncate(fd, 0)
                os.write(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "write", path) from error

    def create(self, key: str, parts: Iterable[Buffer]) -> None:
        path = self._path(key)
        with self._staged(key, parts, sync=True) as staged:
            try:
                os.link(staged, path, follow_symlinks=False)
            except FileExistsError:
                raise ConflictError(f"{key} exists already") from None
            self._sync_folder(os.path.dirname(path))

    def stat(self, key: str) -> Stat:
        found = self._lstat(key)
        return Stat(found.st_size, found.st_mtime)

    def list(self, prefix: str) -> Iterator[str]:
        key = check_prefix(prefix).rstrip("/")
        # What somebody else put here under a name that no key can have is none of ours.
        return iter(sorted(filter(is_key, self._walk(os.path.join(self.root, key), key))))

    def delete(self, key: str) -> None:
        path = self._path_to_write(key)
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_error(error, "delete", path) from error

    def settle(self, prefix: str) -> None:
        # Bytes are synced before a file gets its name; the name alone may not be.
        folder = os.path.join(self.root, check_prefix(prefix)).rstrip("/")
        try:
            self._sync_folder(folder)
            if not prefix:
                with contextlib.suppress(PermissionError):  # whoever made the root could
                    self._sync_folder(os.path.dirname(self.root))
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_error(error, "sync", folder) from error

    def view(self, key: str, start: int, length: int) -> memoryview:
        path = self._path(key)
        if length == 0:
            return memoryview(bytearray())
        skip = start % mmap.ALLOCATIONGRANULARITY
        try:
            fd = os.open(path, _READ)
            try:
                # Pages beyond the end would be SIGBUS at first touch, which nothing can catch.
                if os.fstat(fd).st_size < start + length:
                    raise StorageError(f"{path} is shorter than {start + length} bytes")
                pages = mmap.mmap(fd, skip + length, access=mmap.ACCESS_COPY, offset=start - skip)
            finally:
                os.close(fd)
        except FileNotFoundError:
            raise NotFoundError(f"there is no {key} in {self.root}") from None
        except OSError as error:
            raise storage_error(error, "map", path) from error
        return memoryview(pages)[skip:]

    def clear_abandoned(self) -> tuple[str, ...]:
        """Removes the files in `tmp/` that no living writer holds; returns their names.

        What cannot be told or removed stays: it costs room, and the next one tries again.
        """
        if self.refusal is not None:
            raise self.refusal
        removed: list[str] = []
        folder = os.path.join(self.root, TMP)
        if os.path.islink(folder):  # what lies where that leads is none of ours
            return ()
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                if _unlink_if_abandoned(path) or _remove_if_abandoned(path):
                    removed.append(name)
        return tuple(removed)

    def _lstat(self, key: str) -> os.stat_result:
        path = self._path(key)
        try:
            return os.lstat(path)
        except FileNotFoundError:
            raise NotFoundError(f"there is no {key} in {self.root}") from None
        except OSError as error:
            raise storage_error(error, "read", path) from error

    def _path(self, key: str) -> str:
        return os.path.join(self.root, check_key(key))

    def _path_to_write(self, key: str) -> str:
        if self.refusal is not None:
            raise self.refusal
        return self._path(key)

    @contextlib.contextmanager
    def _staged(self, key: str, parts: Iterable[Buffer], *, sync: bool) -> Iterator[str]:
        """A complete file under `tmp/` with the joined `parts`, removed again on leaving."""
        folder = os.path.join(self.root, TMP)
        path = os.path.join(folder, os.urandom(12).hex())
        fd = -1
        target = self._path_to_write(key)
        try:
            self._ensure_folder(folder)
            self._ensure_folder(os.path.dirname(target))
            fd = _create_locked(path, self.modes)
            _write_all(fd, parts)
            if sync and self.durable:
                os.fsync(fd)
            yield path
        except OSError as error:
            raise storage_error(error, "write", target) from error
        finally:
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.unlink(path)
                os.close(fd)

    def _ensure_folder(self, folder: str) -> None:
        if folder in self._known_folders:
            return
        # A link planted inside a repository would lead writes out of it.
        part = folder
        while len(part) >= len(self.root):
            refuse_link(part)
            part = os.path.dirname(part)
        for place in self.modes.make_folders(folder):
            self._sync_folder(os.path.dirname(place))
        self._known_folders.add(folder)

    def _sync_folder(self, folder: str, *, sync: bool = True) -> None:
        if not (sync and self.durable):
            return
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _walk(self, folder: str, key: str) -> Iterator[str]:
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise storage_error(error, "list", folder) from error
        for entry in entries:
            name = f"{key}/{entry.name}" if key else entry.name
            if entry.is_dir(follow_symlinks=False):
                if name != TMP:
                    yield from self._walk(entry.path, name)
            elif entry.is_file(follow_symlinks=False):
                yield name


def refuse_link(path: str) -> None:
    """StorageError where `path` is a symbolic link: it would lead what is written elsewhere."""
    if os.path.islink(path):
        raise StorageError(
            f"{path} is a symbolic link, and mfv writes through none",
            hint="set MFV_DIR to the folder that it points to, if you trust it",
        )


def leads_away(root: str, folder: str) -> bool:
    """Whether there is a symbolic link on the way from `root` to `folder` below it."""
    place = root
    for part in folder.split("/"):
        place = os.path.join(place, part)
        if os.path.islink(place):
            return True
    return False


def hold(path: str, modes: Modes = PRIVATE) -> int:
    """Creates and locks the file `path`; the lock lasts until the returned fd is closed.

    Kept by a living process for as long as it works on something; see `is_abandoned`.
    """
    refuse_link(os.path.dirname(path))
    try:
        modes.make_folders(os.path.dirname(path))
        return _create_locked(path, modes)
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
            fd = os.open(path, _READ)
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
            if name.startswith(prefix) and _remove_if_abandoned(os.path.join(parent, name)):
                removed.append(name)
    return tuple(removed)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder at `path`; StorageError where the disk does not tell.

    Taken for none, a repository that cannot be read would be looked for elsewhere, or made anew.
    """
    try:
        return stat_module.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        return False
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            return False
        raise storage_error(error, "read", path) from error


def is_abandoned(path: str) -> bool:
    """True if no living process holds the lock of `path` (also where it does not exist)."""
    try:
        fd = os.open(path, _READ)
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


def _create_locked(path: str, modes: Modes) -> int:
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


def _unlink_if_abandoned(path: str) -> bool:
    """Removes `path` while holding its lock, so that no writer can take it up in between."""
    try:
        fd = os.open(path, _READ)
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


def _remove_if_abandoned(path: str) -> bool:
    """Removes the folder at `path` while holding its lock; one of somebody else's stays."""
    try:
        fd = os.open(path, _READ | os.O_DIRECTORY)
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


def _write_all(fd: int, parts: Iterable[Buffer]) -> None:
    """Writes all `parts` without joining them; a short write goes on where it stopped."""
    batch: list[memoryview] = []
    size = 0
    for part in parts:
        view = memoryview(part).cast("B")
        if len(view) == 0:
            continue
        batch.append(view)
        size += len(view)
        if len(batch) >= _WRITEV_MAX or size >= _BATCH:
            _writev(fd, batch)
            batch, size = [], 0
    _writev(fd, batch)


def _writev(fd: int, batch: list[memoryview]) -> None:
    while batch:
        written = os.writev(fd, [view[:_WRITEV_BYTES] for view in batch])
        done = 0
        while done < len(batch) and written >= len(batch[done]):
            written -= len(batch[done])
            done += 1
        batch = batch[done:]
        if batch and written:
            batch[0] = batch[0][written:]


def _pread(fd: int, size: int, start: int) -> bytes:
    data = os.pread(fd, size, start)
    if len(data) == size or not data:
        return data
    pieces = [data]  # Linux reads at most 2 GiB a call
    while data and sum(map(len, pieces)) < size:
        data = os.pread(fd, size - sum(map(len, pieces)), start + sum(map(len, pieces)))
        pieces.append(data)
    return b"".join(pieces)
