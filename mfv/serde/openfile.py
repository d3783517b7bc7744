"""Files that stand for their content: a path to one, or an open one.

Such a value is stored as the bytes of the file and given back as a file that holds them.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from mfv.errors import UnpicklableError

PATH, BINARY = "path", "binary"  # how a value is given back; else the encoding of its text

_STANDARD = (0, 1, 2)  # file descriptors of the process, not of the step
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe does not hang whoever looks at it


class OpenFile(NamedTuple):
    """A regular file, open for reading. Close it."""

    fd: int
    size: int  # bytes, when it was opened
    path: str
    kind: str

    def read_at(self, into: memoryview, offset: int) -> int:
        """Fills `into` from `offset` on; returns how many bytes, fewer only at the file's end."""
        done = 0
        while done < len(into):
            read = os.preadv(self.fd, [into[done:]], offset + done)
            if read == 0:
                break
            done += read
        return done

    def close(self) -> None:
        os.close(self.fd)


def open_file(value: object, name: str) -> OpenFile | None:
    """The file that `value` stands for; None if it is no regular file's path, nor an open one.

    What was written to an open file is flushed. Raises UnpicklableError, which names `name`,
    where there is a file and it cannot be read.
    """
    try:
        if isinstance(value, PurePath):
            return _at(os.fspath(value), PATH) if isinstance(value, Path) else None
        file: Any = getattr(value, "file", value)  # what tempfile wraps
        if not isinstance(file, io.IOBase) or file.closed:
            return None
        return _of(file)
    except OSError as error:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise UnpicklableError(
            f"{name} cannot be stored: {error.strerror or error} ({kind})",
            path=name,
            type_name=kind,
            hint="keep the path as text (str) if its content is none of the run's results",
        ) from error


def revive(path: str, kind: str) -> object:
    """A value of `kind` for the file at `path`, opened for reading where it was open."""
    if kind == PATH:
        return Path(path)
    return open(path, "rb") if kind == BINARY else open(path, encoding=kind)


def _at(path: str, kind: str) -> OpenFile | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None  # a path of nothing is a value like any other
    fd = os.open(path, _READ)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return OpenFile(fd, found.st_size, path, kind)
    os.close(fd)
    return None


def _of(file: io.IOBase) -> OpenFile | None:
    with contextlib.suppress(io.UnsupportedOperation):
        descriptor = file.fileno()
        if descriptor in _STANDARD or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        if file.writable():
            file.flush()
        kind = getattr(file, "encoding", None) or BINARY
        path = getattr(file, "name", "")
        path = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        if file.readable():
            # Not by its name, which may be gone, or another file's by now.
            return OpenFile(os.dup(descriptor), os.fstat(descriptor).st_size, path, kind)
        opened = _at(path, kind) if path else None
        if opened is not None and os.path.sameopenfile(opened.fd, descriptor):
            return opened
        if opened is not None:
            opened.close()
    return None
