"""One file of the user's, opened: its bytes, and whether they stayed as they were meanwhile."""

# Paths are bytes here, for not every file name is text; pathlib knows only text.
from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mfv.errors import NotFoundError, StorageError

_MORE = 1 << 20  # bytes
_STEP = 64 << 10  # bytes


class Stamp(NamedTuple):
    """What a file system says of one file; another one where it may hold something else."""

    mtime: int  # ns since 1970
    ctime: int  # ns since 1970, of the last change of anything; no program can set it
    inode: int
    mode: int  # with the kind of file
    size: int  # bytes


def stamp_of(status: os.stat_result) -> Stamp:
    """What of a file's status tells whether it is as it was."""
    return Stamp(
        status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode, status.st_size
    )


class Source(NamedTuple):
    """One file of a snapshot, opened."""

    path: str
    descriptor: int  # of a symlink -1
    target: bytes  # of a symlink, the name that it points to
    stamp: Stamp  # before anything was read

    def read(self) -> bytes:
        """All that it holds; of one that grows without an end only a little more than it had."""
        if self.descriptor < 0:
            return self.target
        parts: list[bytes] = []
        done = 0
        while done < self.stamp.size + _MORE:
            part = os.pread(self.descriptor, max(self.stamp.size - done, _STEP), done)
            if not part:
                break
            parts.append(part)
            done += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_at(self, into: memoryview, offset: int) -> int:
        """Fills `into` with what there is from `offset` on; fewer bytes only at the end."""
        into = into[: max(0, self.stamp.size + _MORE - offset)]
        done = 0
        while done < len(into):
            count = os.preadv(self.descriptor, [into[done:]], offset + done)
            if not count:
                break
            done += count
        return done

    def is_still(self, size: int) -> bool:
        """Whether `size` bytes are all that it had, and nobody has written to it meanwhile."""
        if self.descriptor < 0:
            return True
        return size == self.stamp.size and stamp_of(os.fstat(self.descriptor)) == self.stamp


@contextmanager
def opened(path: bytes, name: str, root: str, *, is_link: bool) -> Iterator[Source]:
    """The file at `path`, called `name` in `root`; a link in its place is not followed.

    NotFoundError if it is gone, StorageError if it cannot be read, now or inside, or is another
    kind of thing than `is_link` says.
    """
    descriptor = -1
    try:
        if is_link:
            stamp = stamp_of(os.lstat(path))
            yield Source(name, -1, os.readlink(path), stamp)
            return
        # Without O_NONBLOCK, a pipe in the file's place would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("no longer a regular file")
        yield Source(name, descriptor, b"", stamp_of(status))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"'{name}' is gone from {root}",
            hint="it was there when the code was listed; keep files still while a run starts",
        ) from error
    except OSError as error:
        raise StorageError(
            f"cannot read '{name}' in {root}: {error.strerror or error}",
            hint="make it a readable file, or name it in .mfvignore to leave it out",
        ) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)
