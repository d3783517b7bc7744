"""Many entries of the log into one file: which archives there are to be, and making them.

Nothing here needs a lock or a clock: `mfv.repo.archive` says why. Whatever is there already is
taken as it is, so that one that was stopped anywhere is finished by the next.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mfv.errors import CorruptError, NotFoundError
from mfv.repo import archive
from mfv.repo.archive import FOLDER
from mfv.repo.log import CHECKPOINT, decode_entry, read_tip
from mfv.repo.repository import Repository
from mfv.storage.base import settle


class ArchivePlan(msgspec.Struct, frozen=True):
    """The files of the log before, and those that there are to be."""

    end: int  # the last entry that lies in an archive
    entries: int  # entries that have files of their own and need none
    merged: int  # archives that go into larger ones
    archives: int  # to be written
    stopped: str = ""  # what is damaged and stays, with all behind it, as it is


def plan(repository: Repository) -> ArchivePlan:
    """What `run` would do with the log as it is now; nothing is read of the entries."""
    there = archive.list_archives(repository.backend)
    blocks = _blocks(repository.state.number, set(there))
    end = blocks[-1][1] if blocks else 0
    return ArchivePlan(
        end=end,
        entries=sum(number <= end for number in archive.list_entries(repository.backend)),
        merged=len(set(there) - set(blocks)),
        archives=len(set(blocks) - set(there)),
    )


def run(repository: Repository) -> ArchivePlan:
    """Archives what can be, durably, then deletes what lies in archives; says what was done.

    Every entry is checked before it goes in, and once more as it lies there before anything is
    deleted. A damaged one stays where it is, and so does all behind it.
    """
    backend = repository.backend
    there = set(archive.list_archives(backend))
    alone = archive.list_entries(backend)
    end = written = 0
    stopped, head = "", bytes(32)
    whole: set[tuple[int, int]] = set()
    for first, last in _blocks(repository.state.number, there):
        inner = [
            one for one in there if first <= one[0] and one[1] <= last and one != (first, last)
        ]
        try:
            if (first, last) not in there:
                _write(repository, first, last)
                written += 1
            elif not inner and not any(first <= number <= last for number in alone):
                head = _last_seal(repository, first, last)
                whole.add((first, last))
                end = last
                continue
            head = _check(repository, first, last, head)
        except CorruptError as error:
            stopped = error.message
            break
        except NotFoundError:
            break  # another one made a larger archive of it at this moment, and does the rest
        whole.add((first, last))
        end = last
    _move_checkpoint(repository, end)
    gone = [one for one in there - whole if one[1] <= end]
    # What lies beside an archive counts no more, whoever wrote it.
    alone = [number for number in archive.list_entries(backend) if number <= end]
    if not written and (gone or alone):
        settle(backend, FOLDER)  # who wrote the archives may have been killed just there
    for one in gone:
        backend.delete(archive.archive_key(*one))
    for number in alone:
        backend.delete(archive.key_of(number))
    return ArchivePlan(end, len(alone), len(gone), written, stopped)


def _blocks(number: int, there: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The archives that there are to be of `number` entries, in order: as large as they can be."""
    blocks: list[tuple[int, int]] = []
    first = 1
    while True:
        fitting = [(first, first + size - 1) for size in archive.SIZES if (first - 1) % size == 0]
        fitting = [block for block in fitting if block[1] <= number or block in there]
        if not fitting:
            return blocks
        blocks.append(fitting[-1])
        first = fitting[-1][1] + 1


def _entries(repository: Repository, first: int, last: int) -> Iterator[bytes]:
    """The checked bytes of the entries `first` to `last`, which are all there."""
    expected = first
    for number, data in archive.read_log(repository.backend, first):
        if number != expected:
            break
        decode_entry(number, data)
        yield data
        if number == last:
            return
        expected += 1
    raise CorruptError(f"log entry {expected} is missing")


def _write(repository: Repository, first: int, last: int) -> None:
    # Read twice rather than held: an entry may name thousands of tasks.
    lengths = [len(data) for data in _entries(repository, first, last)]
    entries = _entries(repository, first, last)
    archive.put_archive(repository.backend, first, lengths, entries)


def _check(repository: Repository, first: int, last: int, head: bytes) -> bytes:
    """Reads a whole archive and checks that it follows `head`; returns its last seal."""
    found = archive.open_archive(repository.backend, first, last)
    for number, data in enumerate(found.read_from(first), first):
        entry, seal = decode_entry(number, data)
        if entry.previous != head:
            raise CorruptError(f"log entry {number} does not follow entry {number - 1}")
        head = bytes(seal)
    return head


def _last_seal(repository: Repository, first: int, last: int) -> bytes:
    data = archive.open_archive(repository.backend, first, last).read(last)
    return bytes(decode_entry(last, data)[1])


def _move_checkpoint(repository: Repository, end: int) -> None:
    """Has readers begin behind the archives, so that they need not read them."""
    newest = _newest_checkpoint(repository)
    # A fold of a damaged log would hide what is damaged.
    if newest < end and not repository.log.damaged:
        repository.log.write_checkpoint()
        newest = _newest_checkpoint(repository)
    for key in repository.backend.list(FOLDER):
        number = key.removeprefix(FOLDER + CHECKPOINT)
        if number != key and number.isdecimal() and int(number) < newest:
            repository.backend.delete(key)


def _newest_checkpoint(repository: Repository) -> int:
    tip = read_tip(repository.backend)
    return 0 if tip is None else tip.checkpoint
