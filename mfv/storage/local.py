"""A backend in a folder: write beside, fsync, then rename or link, then fsync the folder.

Half-written files live in `tmp/`, each locked by its writer with `flock`, so that the kernel
frees them when the writer dies and anybody can tell a dead file from one in use.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable, Iterator
from functools import cache

from mfv.errors import ConflictError, MfvError, NotFoundError, StorageError
from mfv.modes import PRIVATE
from mfv.storage.base import Buffer, Stat, check_key, check_prefix, is_key
from mfv.storage.filebytes import READ, DiskAhead, pread, write_all
from mfv.storage.held import create_locked, remove_if_abandoned, unlink_if_abandoned
from mfv.storage.oserrors import storage_error
from mfv.storage.paths import refuse_link

TMP = "tmp"


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
            fd = os.open(path, READ)
            try:
                size = os.fstat(fd).st_size
                wanted = max(0, size - start)
                if length is not None:
                    wanted = min(wanted, length)
                return pread(fd, wanted, start)
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
        return _start_of_machine()

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

    def has(self, key: str) -> bool:
        try:
            self._lstat(key)
        except NotFoundError:
            return False
        return True

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
            fd = os.open(path, READ)
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
                if unlink_if_abandoned(path) or remove_if_abandoned(path):
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
            fd = create_locked(path, self.modes)
            if sync and self.durable:
                write_all(fd, parts, DiskAhead(fd))
                os.fsync(fd)
            else:
                write_all(fd, parts)
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


@cache
def _start_of_machine() -> bytes:
    """What `start_id` says: no process outlives a start."""
    # Elsewhere than on Linux nothing as plain tells one start from the next.
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read(64)
    except OSError:
        return b""
