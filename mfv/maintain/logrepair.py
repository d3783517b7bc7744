"""A log with entries that are damaged or missing, made one that can be read and written again.

An entry in which one bit turned over becomes what it was. For any other a `Lost` entry is put in
its place, which says to what seal the next one is chained, and what is known of the names that
the lost ones told of: from a fold of the log, or from the records themselves. What was there is
copied to `lost-found/` before.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import msgspec

from mfv.errors import CorruptError, NotFoundError
from mfv.ids import ID_BYTES
from mfv.maintain import archivemending, lostnames
from mfv.maintain.archivemending import is_entry
from mfv.maintain.onebit import mended
from mfv.maintain.packrepair import set_aside
from mfv.repo import archive
from mfv.repo.archive import archive_key, key_of
from mfv.repo.entries import Entry, Lost
from mfv.repo.log import CHECKPOINT, decode_entry, encode_entry, read_checkpoint, read_tip
from mfv.repo.repository import Repository
from mfv.storage.base import Backend

_NO_SEAL = bytes(ID_BYTES)


class LogMended(NamedTuple):
    """What became of entries that were not as they should be."""

    mended: tuple[int, ...]  # are what they were
    lost: tuple[int, ...]  # others stand in their place
    runs: tuple[str, ...]  # of which they told, as far as is known


def mend(repository: Repository) -> LogMended:
    """Mends what can be, and puts `Lost` entries in place of the rest.

    May be stopped anywhere and called again. Raises CorruptError where an entry is whole but does
    not follow the one before: somebody else's files lie there, and no repair knows which are right.
    """
    found = _Found(repository.backend)
    lost = found.lost
    if lost:
        names = lostnames.known(repository, found.read, lost, found.last)
        for number in lost:
            found.put_in_place(number, names.get(number))
    found.check_chain()
    found.write(repository)
    runs = [run.name for some in (names if lost else {}).values() for run in some.runs]
    return LogMended(tuple(found.mended), tuple(lost), tuple(sorted(set(runs))))


class _Found:
    """The bytes of all entries, as far as there are any that are right."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._archives: dict[tuple[int, int], list[bytes | None]] = {}  # those to be rewritten
        self._singles: dict[int, bytes] = {}  # to be written
        self._whole_archives: list[tuple[int, int]] = []
        self._read_last: tuple[tuple[int, int], list[bytes]] = ((0, 0), [])
        self._unread: dict[int, bytes] = {}  # damaged bytes of what is lost
        self.mended: list[int] = []
        self.lost: list[int] = []
        tip = read_tip(backend)
        self.last = max(archive.last_number(backend), tip.number if tip else 0)
        self._look_at_archives()
        self._look_at_singles()
        self.lost.sort()

    def read(self, number: int) -> bytes:
        """The right bytes of an entry, or those that stand in its place."""
        if number in self._singles:
            return self._singles[number]
        for (first, last), entries in self._archives.items():
            if first <= number <= last:
                data = entries[number - first]
                if data is None:
                    raise NotFoundError(f"log entry {number} is lost")
                return data
        for first, last in self._whole_archives:
            if first <= number <= last:
                return self._archived(first, last)[number - first]
        return self._backend.get(key_of(number))

    def put_in_place(self, number: int, names: lostnames.Names | None) -> None:
        """Has a `Lost` entry stand for `number`; those before it are in place already."""
        previous = _NO_SEAL
        if number > 1:
            before, seal = decode_entry(number - 1, self.read(number - 1))
            is_stand_in = isinstance(before.body, Lost)
            previous = before.body.stands_for if is_stand_in else bytes(seal)  # type: ignore[union-attr]
        try:
            stands_for = decode_entry(number + 1, self.read(number + 1))[0].previous
        except (NotFoundError, CorruptError):
            # The last one, or the next is lost too. What is left of it may well end in its seal.
            data = self._unread.get(number, b"")
            stands_for = data[-ID_BYTES:] if len(data) > ID_BYTES else _NO_SEAL
        names = names or lostnames.Names((), ())
        body = Lost(bytes(stands_for), names.runs, names.condemned)
        # Whoever repairs the same writes the same.
        data, _ = encode_entry(Entry(number, previous, 0, "", body))
        for (first, last), entries in self._archives.items():
            if first <= number <= last:
                entries[number - first] = data
                return
        self._singles[number] = data

    def check_chain(self) -> None:
        """CorruptError where a whole entry does not follow the one before."""
        head = _NO_SEAL
        for number in range(1, self.last + 1):
            entry, seal = decode_entry(number, self.read(number))
            if entry.previous != head:
                raise CorruptError(
                    f"log entry {number} does not follow entry {number - 1}, and both are whole",
                    hint="files of another repository lie in log/: restore it from a copy",
                )
            head = entry.body.stands_for if isinstance(entry.body, Lost) else bytes(seal)

    def write(self, repository: Repository) -> None:
        """Puts all in place, durably, what was there aside."""
        for (first, last), entries in self._archives.items():
            set_aside(repository, archive_key(first, last))
            whole = [data for data in entries if data is not None]
            archive.put_archive(self._backend, first, [len(data) for data in whole], whole)
        for number, data in self._singles.items():
            with contextlib.suppress(NotFoundError):  # it was missing
                set_aside(repository, key_of(number))
            self._backend.put(key_of(number), [data])

    def _archived(self, first: int, last: int) -> list[bytes]:
        if self._read_last[0] != (first, last):
            found = archive.open_archive(self._backend, first, last)
            self._read_last = (first, last), list(found.read_from(first))
        return self._read_last[1]

    def _look_at_archives(self) -> None:
        for first, last in archive.list_archives(self._backend):
            found = archivemending.entries(self._backend, first, last)
            if found.is_whole:
                self._whole_archives.append((first, last))
                continue
            self.mended += found.mended
            self._archives[first, last] = found.entries
            self.lost += [first + at for at, data in enumerate(found.entries) if data is None]

    def _look_at_singles(self) -> None:
        archived = archive.list_archives(self._backend)
        number = 1
        for first, last in archived:
            for one in range(number, first):
                self._look_at_single(one)
            number = max(number, last + 1)
        for one in range(number, self.last + 1):
            self._look_at_single(one)

    def _look_at_single(self, number: int) -> None:
        try:
            data = self._backend.get(key_of(number))
        except NotFoundError:
            self.lost.append(number)
            return
        if is_entry(number, data):
            return
        again = mended(data, lambda tried: is_entry(number, tried))
        if again is None:
            self._unread[number] = data
            self.lost.append(number)
        else:
            self._singles[number] = again
            self.mended.append(number)


def mend_folds(repository: Repository) -> list[str]:
    """Sets aside folds of the log that cannot be read or are not of it; returns their keys."""
    bad = []
    for key in repository.backend.list(archive.FOLDER):
        number = key.removeprefix(archive.FOLDER + CHECKPOINT)
        if number == key or not number.isdecimal():
            continue
        try:
            fold = read_checkpoint(repository.backend, int(number))
            after = decode_entry(
                fold.number + 1, archive.read_entry(repository.backend, fold.number + 1)
            )
            right = after[0].previous == fold.head
        except NotFoundError:
            right = True
        except (CorruptError, msgspec.MsgspecError):
            right = False
        if not right:
            set_aside(repository, key)
            repository.backend.delete(key)
            bad.append(key)
    return bad
