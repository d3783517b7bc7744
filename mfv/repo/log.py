"""The log: numbered, hash-chained entries, each created once; the one source of truth.

`append` is the only place where anything becomes part of a repository. It wants a receipt for
every pack that an entry names, and looks, on the very prefix that it commits on, whether one of
them was condemned meanwhile.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, cast

import msgspec

from mfv.errors import ConflictError, CorruptError, MfvError, NotFoundError
from mfv.ids import ID_BYTES, EntryId, PackId, Seal
from mfv.manifest.encoding import TooLargeError, decode, encode
from mfv.odb.pack import Receipt
from mfv.repo.archive import (
    FOLDER,
    LARGEST,
    Archive,
    find_archive,
    goes_on,
    key_of,
    last_number,
    next_number,
    read_entry,
    read_stretch,
)
from mfv.repo.entries import Body, Entry
from mfv.repo.names import State
from mfv.storage.base import Backend, Overwriting, offers, settle

TIP = "tip"
CHECKPOINT = "checkpoint-"
# A fold is written this often, so that reading costs a bounded number of small files; in a long
# log more rarely, so that all folds together cost no more than some times the last.
CHECKPOINT_EVERY = 128  # entries
_CHECKPOINT_SHARE = 8  # of all entries, one in so many may be behind the last fold
# What a reader believes of one; where it does not, it reads the log itself.
_CHECKPOINT_LEAST, _CHECKPOINT_PER_ENTRY = 1 << 20, 16 << 10  # bytes


class CondemnedError(MfvError):
    """A commit relied on packs that a gc has condemned since; store their bytes anew."""

    code = "condemned"

    def __init__(self, packs: set[PackId]) -> None:
        super().__init__(f"{len(packs)} packs were condemned while they were relied on")
        self.packs = packs


class Tip(NamedTuple):
    """The hint file: the highest entry seen, so that a cut tail is noticed, and the last fold."""

    number: int = 0
    checkpoint: int = 0


_TIP = struct.Struct("<QQ")


def checkpoint_key(number: int) -> str:
    return f"{FOLDER}{CHECKPOINT}{number:08d}"


def encode_entry(entry: Entry) -> tuple[bytes, EntryId]:
    """The bytes of an entry as written, and its seal, with which they end; TooLargeError."""
    body = encode(entry)
    if len(body) > LARGEST:
        raise TooLargeError(
            f"a log entry of {len(body)} bytes is larger than any may be", hint="do it in parts"
        )
    seal = EntryId.of(body)
    return body + seal, seal


def decode_entry(number: int, data: bytes) -> tuple[Entry, EntryId]:
    """Entry `number` from its bytes; CorruptError that names it unless seal and number fit."""
    body, seal = data[:-ID_BYTES], data[-ID_BYTES:]
    if EntryId.of(body) != seal:
        raise CorruptError(f"log entry {number} is damaged")
    entry = decode(Entry, body)
    if entry.number != number:
        raise CorruptError(f"log entry {number} is entry {entry.number} under another name")
    return entry, EntryId(seal)


class Log:
    """The log of one repository, and the state that it adds up to."""

    def __init__(self, backend: Backend, writer: str = "", *, state: State | None = None) -> None:
        """`state`: what the log adds up to so far, to go on from instead of the last fold."""
        self._backend = backend
        self.writer = writer
        self._tip = Tip()
        self._started = state is not None
        self._last_good = 0
        self.state = State() if state is None else state
        self.damaged: dict[int, str] = {}

    def catch_up(self) -> State:
        """Reads on to the last entry and returns the state there.

        A damaged entry is passed over and noted in `damaged`: it costs what it said, never the
        rest. Nothing can be appended then.
        """
        # First the tip, then the log: what the tip names is there. The other way round a
        # reader would take entries written in between for lost ones.
        self._tip = self._read_tip()
        if not self._started:
            self._started = True
            self.state = self._read_checkpoint()
        while self._read_on():
            pass
        return self.state

    def read(self, first: int, last: int) -> Iterator[Entry]:
        """The entries `first` to `last` once more; CorruptError or NotFoundError."""
        for number in range(first, last + 1):
            yield decode_entry(number, read_entry(self._backend, number))[0]

    def append(
        self,
        build: Callable[[State], Body],
        *,
        receipts: Iterable[Receipt] = (),
        relied: Iterable[PackId] = (),
    ) -> Entry:
        """Commits what `build` makes of the state before it; durable when this returns.

        `build` is called again on a later state whenever another process was first. `receipts`:
        the packs written for this entry; `relied`: packs that were there before and must stay.
        Raises CondemnedError if one of them was condemned.
        """
        made = {receipt.pack: receipt for receipt in receipts}
        needed = set(made) | set(relied)
        while True:
            state = self.catch_up()
            if self.damaged:
                raise CorruptError(
                    f"{next(iter(self.damaged.values()))}, so nothing can be written",
                    hint="`mfv fsck` says what is touched, and `mfv fsck --repair` mends it",
                )
            condemned = state.condemned_among(needed)
            if condemned:
                raise CondemnedError(condemned)
            body = build(state)
            for pack in getattr(body, "packs", ()):
                if made.get(PackId(pack.pack)) != pack.receipt:
                    raise AssertionError("an entry names a pack without its receipt")
            now = time.time_ns() // 1000
            entry = Entry(state.number + 1, state.head, now, self.writer, body)
            data, seal = encode_entry(entry)
            if entry.number == 1:
                settle(self._backend, "")  # whoever made the repository may have been killed
            try:
                self._backend.create(key_of(entry.number), [data])
            except ConflictError:
                continue
            if not self._stands(entry.number, data):
                continue
            state.apply(entry, seal)
            self._after(entry.number)
            return entry

    def _take(self, entry: Entry, seal: EntryId) -> None:
        # Behind a damaged entry nobody knows what seal to expect.
        trusted = not self.damaged or max(self.damaged) < self._last_good
        if trusted and entry.previous != self.state.head:
            raise CorruptError(f"log entry {entry.number} does not follow entry {entry.number - 1}")
        self.state.apply(entry, seal)
        self._last_good = entry.number

    def _read_on(self) -> bool:
        """Takes the next entries in; False at the end of the log."""
        number = self.state.number + 1
        found = read_stretch(self._backend, number)
        if isinstance(found, Archive):
            self._take_archive(found, number)
            return True
        for data in found:
            self._take_data(number, data)
            number += 1
        if goes_on(found):
            return True
        if number > self._tip.number or number in self.damaged:
            return False
        return self._over_a_gap(number)

    def _take_archive(self, archive: Archive, number: int) -> None:
        if archive.trouble:
            self.damaged[archive.last] = archive.trouble
            self.state.number = archive.last
            return
        try:
            for data in archive.read_from(number):
                self._take_data(number, data)
                number += 1
        except NotFoundError:
            return  # it went into a larger one, where the rest is

    def _take_data(self, number: int, data: bytes) -> None:
        try:
            self._take(*decode_entry(number, data))
        except CorruptError as error:
            self.damaged[number] = error.message
            self.state.number = number

    def _over_a_gap(self, number: int) -> bool:
        """Notes that entry `number` is missing, and goes on behind it; False if nothing is there.

        Then the log's tail is gone, of which the tip knows.
        """
        later = next_number(self._backend, number)
        if later is None:
            seen = self._tip.number
            self.damaged[number] = f"the log ends at entry {number - 1}, but {seen} was seen before"
            return False
        self.damaged[number] = f"log entry {number} is missing"
        self.state.number = later - 1
        return True

    def _stands(self, number: int, data: bytes) -> bool:
        """Whether entry `number`, just created as `data`, is part of the log.

        It is not where another was there long ago, and lies in an archive by now: then this
        process had slept since it read the log, and what it wrote is removed again.
        """
        while True:
            archive = find_archive(self._backend, number)
            try:
                # If it is ours, the log went on while this process slept since creating it.
                if archive is None or archive.read(number) == data:
                    return True
            except NotFoundError:
                continue
            self._backend.delete(key_of(number))
            return False

    def _after(self, number: int) -> None:
        """Moves the hints on. They are advice: a failure here loses nothing."""
        behind = number - self._tip.checkpoint
        try:
            if behind >= max(CHECKPOINT_EVERY, number // _CHECKPOINT_SHARE):
                self.write_checkpoint()
                return
            self._tip = Tip(number, self._tip.checkpoint)
            write_tip(self._backend, self._tip)
        except MfvError:
            return

    def write_checkpoint(self) -> None:
        """Writes the fold of the state that was read last, in place of the one before."""
        number, before = self.state.number, self._tip.checkpoint
        data = msgspec.msgpack.encode(self.state)
        self._backend.put(checkpoint_key(number), [data, Seal.of(data)], sync=False)
        self._tip = Tip(max(number, self._tip.number), number)
        write_tip(self._backend, self._tip)
        if before and before != number:
            self._backend.delete(checkpoint_key(before))

    def _read_tip(self) -> Tip:
        tip = read_tip(self._backend)
        if tip is not None:
            # One who slept may have set it back to a fold that was replaced.
            return Tip(tip.number, max(tip.checkpoint, self._tip.checkpoint))
        if self._tip.number:
            return self._tip
        # It is written without a sync and may be lost; the listing tells the same, slowly.
        return Tip(last_number(self._backend))

    def _read_checkpoint(self) -> State:
        """The fold that the tip names, or the empty state where none can be trusted."""
        for _ in range(2):
            number = self._tip.checkpoint
            if not number:
                break
            try:
                return read_checkpoint(self._backend, number)
            except CorruptError:
                break
            except NotFoundError:
                self._tip = self._read_tip()  # a newer one may have come in its place
        else:
            return self._find_checkpoint()
        return State()

    def _find_checkpoint(self) -> State:
        """The newest fold that is there, where the tip names one that is not.

        A process that slept before it wrote the tip has set it back; the next entry heals it.
        """
        for number in list_checkpoints(self._backend)[::-1]:
            with contextlib.suppress(CorruptError, NotFoundError):
                state = read_checkpoint(self._backend, number)
                self._tip = Tip(max(number, self._tip.number), number)
                return state
        return State()


def read_tip(backend: Backend) -> Tip | None:
    """The hint file; None where there is none that can be read."""
    try:
        data = backend.get(TIP, 0, 1024)
    except NotFoundError:
        return None
    body, seal = data[:-ID_BYTES], data[-ID_BYTES:]
    if len(body) != _TIP.size or Seal.of(body) != seal:
        return None
    return Tip(*_TIP.unpack(body))


def write_tip(backend: Backend, tip: Tip) -> None:
    """Moves the hint file on; always of one size, so that it can be written over in place."""
    body = _TIP.pack(*tip)
    data = body + Seal.of(body)
    if offers(backend, Overwriting):
        cast(Overwriting, backend).overwrite(TIP, data)
    else:
        backend.put(TIP, [data], sync=False)


def list_checkpoints(backend: Backend) -> list[int]:
    """The entries of which there are folds, in order; as a rule there is one."""
    start = FOLDER + CHECKPOINT
    names = (key.removeprefix(start) for key in backend.list(FOLDER) if key.startswith(start))
    return sorted(int(name) for name in names if name.isdecimal())


def read_checkpoint(backend: Backend, number: int) -> State:
    """The fold written at entry `number`; NotFoundError, or CorruptError."""
    largest = _CHECKPOINT_LEAST + number * _CHECKPOINT_PER_ENTRY
    data = backend.get(checkpoint_key(number), 0, largest + 1)
    if len(data) > largest:
        raise CorruptError(f"checkpoint {number} is larger than so many entries add up to")
    body, seal = data[:-ID_BYTES], data[-ID_BYTES:]
    if Seal.of(body) != seal:
        raise CorruptError(f"checkpoint {number} is damaged")
    try:
        state = msgspec.msgpack.decode(body, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptError(f"checkpoint {number} cannot be read: {error}") from None
    if state.number != number:
        raise CorruptError(f"checkpoint {number} is of entry {state.number}")
    return state
