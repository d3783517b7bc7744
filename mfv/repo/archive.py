"""Archives: many old entries of the log in one file, and where an entry is to be looked for.

    head     24 bytes: magic, version, number of the first entry, how many
    lengths  4 bytes an entry
    seal     32 bytes over head and lengths
    entries  each as it was in its own file, with its own seal

Archives are aligned blocks of a few sizes, so that four names are all under which an entry can be
archived. They are written in order, each durable before what it holds is deleted, and entries
only ever move to larger ones: whoever looks from the smallest size to the largest meets what is
archived, whatever is moved meanwhile.

A writer that slept may write a number anew that was archived and deleted. So a file of one entry
counts only where, asked for after the file was read or made, no archive holds its number.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple, cast

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError
from mfv.ids import ID_BYTES, Seal
from mfv.storage.base import Backend, Buffer, Probing, offers

FOLDER = "log/"
# At most fifteen archives of each size but the largest, and fifteen single files, are left.
SIZES = (16, 256, 4096, 65536)  # entries

MAGIC = b"MFVLOGS"
VERSION = 1
_HEAD = struct.Struct("<7sBQQ")
_PREFIX = "archive-"
STRETCH = 256  # files read before it is asked whether they count
LARGEST = 16 << 20  # bytes of an entry without its seal; of a longer file no more is read
_READ = 4 << 20  # bytes of an archive read at a time


class Archive(NamedTuple):
    """One archive: where each of its entries lies."""

    backend: Backend
    first: int
    last: int
    offsets: Sequence[int]  # of every entry, and of the end; none where the table is damaged
    trouble: str = ""  # what is wrong with the table

    def read(self, number: int) -> bytes:
        """The bytes of one entry, unchecked; NotFoundError if the archive was merged meanwhile."""
        if self.trouble:
            raise CorruptError(self.trouble)
        start, end = self.offsets[number - self.first : number - self.first + 2]
        return self.backend.get(archive_key(self.first, self.last), start, end - start)

    def read_from(self, number: int) -> Iterator[bytes]:
        """The bytes of the entries from `number` on, unchecked; NotFoundError as `read`."""
        if self.trouble:
            raise CorruptError(self.trouble)
        key = archive_key(self.first, self.last)
        place = number - self.first
        while place < len(self.offsets) - 1:
            start = self.offsets[place]
            end = place + 1
            while end < len(self.offsets) - 1 and self.offsets[end + 1] - start <= _READ:
                end += 1
            data = self.backend.get(key, start, self.offsets[end] - start)
            for one in range(place, end):
                yield data[self.offsets[one] - start : self.offsets[one + 1] - start]
            place = end


def key_of(number: int) -> str:
    """The backend's key of an entry in a file of its own."""
    return f"{FOLDER}{number:08d}"


def archive_key(first: int, last: int) -> str:
    return f"{FOLDER}{_PREFIX}{first:08d}-{last:08d}"


def list_entries(backend: Backend) -> list[int]:
    """The numbers of the entries that have files of their own, in order."""
    names = (key.removeprefix(FOLDER) for key in backend.list(FOLDER))
    return sorted(int(name) for name in names if name.isdecimal())


def list_archives(backend: Backend) -> list[tuple[int, int]]:
    """First and last entry of every archive, in order; other names are passed over."""
    found = []
    for key in backend.list(FOLDER):
        first, _, last = key.removeprefix(FOLDER + _PREFIX).partition("-")
        if first.isdecimal() and last.isdecimal() and key == archive_key(int(first), int(last)):
            found.append((int(first), int(last)))
    return sorted(found)


def block_of(number: int, size: int) -> tuple[int, int]:
    """First and last entry of the archive of `size` entries that `number` belongs to."""
    first = (number - 1) // size * size + 1
    return first, first + size - 1


def head_of(first: int, lengths: Sequence[int]) -> bytes:
    """What stands before the entries of an archive."""
    table = struct.pack(f"<{len(lengths)}I", *lengths)
    head = _HEAD.pack(MAGIC, VERSION, first, len(lengths)) + table
    return head + Seal.of(head)


def put_archive(
    backend: Backend, first: int, lengths: Sequence[int], entries: Iterable[Buffer]
) -> None:
    """Writes the archive of `entries`, which are as long as `lengths` say; durable on return.

    Whoever writes the same block writes the same bytes, so several may at once.
    """

    def parts() -> Iterator[Buffer]:
        yield head_of(first, lengths)
        yield from entries

    backend.put(archive_key(first, first + len(lengths) - 1), parts())


def find_archive(backend: Backend, number: int) -> Archive | None:
    """The archive that holds entry `number`; None where there was none when this was called.

    An archive whose table is damaged comes back with `trouble`. Raises FormatTooNewError.
    """
    # Asked some times for every entry that is written, and the answer is nearly always no.
    has = cast(Probing, backend).has if offers(backend, Probing) else None
    for size in SIZES:
        first, last = block_of(number, size)
        if has is not None and not has(archive_key(first, last)):
            continue
        try:
            return open_archive(backend, first, last)
        except NotFoundError:
            continue  # not yet there, or moved on into a larger one
    return None


def read_log(backend: Backend, number: int = 1) -> Iterator[tuple[int, bytes]]:
    """Every entry from `number` on that is there, with its number, in order and unchecked.

    Numbers that are left out are missing, or lie in an archive that is damaged.
    """
    while True:
        found = read_stretch(backend, number)
        if isinstance(found, Archive):
            if found.trouble:
                number = found.last + 1
                continue
            # One that goes at this moment went into a larger one.
            with contextlib.suppress(NotFoundError):
                for data in found.read_from(number):
                    yield number, data
                    number += 1
            continue
        for data in found:
            yield number, data
            number += 1
        if not goes_on(found):
            later = next_number(backend, number)
            if later is None:
                return
            try:
                read_entry(backend, number)  # it may have come between the two looks
            except NotFoundError:
                number = later


def read_entry(backend: Backend, number: int) -> bytes:
    """The bytes of one entry, unchecked, wherever it lies; NotFoundError if nowhere."""
    while True:
        alone = None
        with contextlib.suppress(NotFoundError):
            alone = backend.get(key_of(number), 0, LARGEST + ID_BYTES + 1)
        archive = find_archive(backend, number)
        try:
            if archive is not None:
                return archive.read(number)
        except NotFoundError:
            continue
        if alone is None:
            raise NotFoundError(f"there is no log entry {number}")
        return alone


def read_stretch(backend: Backend, number: int) -> list[bytes] | Archive:
    """Some entries from `number` on, unchecked: an archive, or what files of their own hold.

    A list that does not go on ends where the log does, or where an entry is missing.
    """
    alone: list[bytes] = []
    size = 0
    with contextlib.suppress(NotFoundError):
        while len(alone) < STRETCH and size < _READ:
            alone.append(backend.get(key_of(number + len(alone)), 0, LARGEST + ID_BYTES + 1))
            size += len(alone[-1])
    # Asked for last. Entries are archived in order: while this one is not, none behind it was
    # ever deleted, so all that was read is what was written first, and the end is the end.
    archive = find_archive(backend, number)
    return alone if archive is None else archive


def goes_on(alone: Sequence[bytes]) -> bool:
    """Whether there may be more behind what `read_stretch` gave: it reads so much at a time."""
    return len(alone) >= STRETCH or sum(map(len, alone)) >= _READ


def next_number(backend: Backend, number: int) -> int | None:
    """The lowest entry behind `number` that is listed, for where that one is missing."""
    later = [one for one in list_entries(backend) if one > number]
    later += [first for first, _ in list_archives(backend) if first > number]
    return min(later, default=None)


def last_number(backend: Backend) -> int:
    """The highest entry that is listed; 0 where there is none."""
    ends = [last for _, last in list_archives(backend)]
    return max([*list_entries(backend), *ends], default=0)


def open_archive(backend: Backend, first: int, last: int) -> Archive:
    """The archive of just these entries; NotFoundError, or one with `trouble`."""
    key, count = archive_key(first, last), last - first + 1
    length = _HEAD.size + 4 * count
    data = backend.get(key, 0, length + ID_BYTES)
    head, seal = data[:length], data[length:]
    damaged = Archive(backend, first, last, (), f"the log archive {first} to {last} is damaged")
    if len(head) < _HEAD.size:
        return damaged
    magic, version, number, entries = _HEAD.unpack_from(head)
    if magic == MAGIC and version > VERSION:
        raise FormatTooNewError(
            f"the log archive {first} to {last} has version {version}",
            hint="install a newer mfv-store to read it",
        )
    right = (magic, version, number, entries) == (MAGIC, VERSION, first, count)
    if not right or Seal.of(head) != seal:
        return damaged
    lengths = struct.unpack_from(f"<{count}I", head, _HEAD.size)
    if max(lengths) > LARGEST + ID_BYTES:
        return damaged
    return Archive(backend, first, last, list(accumulate(lengths, initial=length + ID_BYTES)))
