"""The captured output of tasks, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mfv.errors import CorruptError
from mfv.ids import BlobId
from mfv.manifest.records import Log
from mfv.odb.database import Database

_PIECE = 1 << 20  # bytes
_STAMP = 16  # digits of µs since 1970, then a space


class Line(NamedTuple):
    """One line of output."""

    time: int  # µs since 1970, when it was read
    text: bytes  # without its end


def read_lines(database: Database, log: Log) -> Iterator[Line]:
    """The lines of a stream in order; CorruptError if the log is damaged."""
    data: bytes | memoryview
    if log.text is not None:
        data = log.text
    elif log.blob is not None:
        data = database.read_blob(BlobId(log.blob), largest=log.size)
    else:
        return
    # A piece at a time: a log may be larger than the memory that one wants to spend on it.
    rest: list[bytes] = []  # of a line that is longer than a piece
    for start in range(0, len(data), _PIECE):
        first, *lines = bytes(data[start : start + _PIECE]).split(b"\n")
        rest.append(first)
        if lines:
            yield _parse(b"".join(rest))
            yield from map(_parse, lines[:-1])
            rest = lines[-1:]
    if any(rest):
        yield _parse(b"".join(rest))


def _parse(line: bytes) -> Line:
    stamp, text = line[:_STAMP], line[_STAMP + 1 :]
    if not stamp.isdigit() or line[_STAMP : _STAMP + 1] != b" ":
        raise CorruptError("a log has a line without its time")
    return Line(int(stamp), text)
