"""The log: numbered, hash-chained entries, each created once; the one source of truth.

`append` is the only place where anything becomes part of a repository. It wants a receipt for
every pack that an entry names, and looks, on the very prefix that it commits on, whether one of
them was condemned meanwhile.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from mfv.errors import ConflictError, CorruptError, MfvError, NotFoundError
from mfv.ids import ID_BYTES, EntryId, PackId, Seal
from mfv.manifest.encoding import decode, encode
from mfv.odb.pack import Receipt
from mfv.repo.entries import Body, Entry
from mfv.repo.names import State
from mfv.storage.base import Backend, Overwriting

FOLDER = "log/"
TIP = "tip"
# A fold is written this often, so that reading costs a bounded number of small files.
CHECKPOINT_EVERY = 128  # entries


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


def key_of(number: int) -> str:
    """The backend's key of an entry."""
    return f"{FOLDER}{number:08d}"


def checkpoint_key(number: int) -> str:
    return f"{FOLDER}checkpoint-{number:08d}"


def encode_entry(entry: Entry) -> tuple[bytes, EntryId]:
    """The bytes of an entry as written, and its seal, with which they end."""
    body = encode(entry)
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


def list_entries(backend: Backend) -> list[int]:
    """The numbers of the entries that are there, in order."""
    names = (key.removeprefix(FOLDER) for key in backend.list(FOLDER))
    return sorted(int(name) for name in names if name.isdecimal())


class Log:
    """The log of one repository, and the state that it adds up to."""

    def __init__(self, backend: Backend, writer: str = "") -> None:
        self._backend = backend
        self._writer = writer
        self._tip = Tip()
        self._started = False
        self._last_good = 0
        self.state = State()
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
            self.state = self._read_checkpoint(self._tip.checkpoint)
        number = self.state.number + 1
        while True:
            try:
                data = self._backend.get(key_of(number))
            except NotFoundError:
                if number > self._tip.number or number in self.damaged:
                    return self.state
                number = self._over_a_gap(number)
                continue
            try:
                self._take(*decode_entry(number, data))
            except CorruptError as error:
                self.damaged[number] = error.message
                self.state.number = number
            number += 1

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
                    hint="`mfv fsck` says what is touched; restore log/ from a copy",
                )
            condemned = state.condemned_among(needed)
            if condemned:
                raise CondemnedError(condemned)
            body = build(state)
            for pack in getattr(body, "packs", ()):
                if made.get(PackId(pack.pack)) != pack.receipt:
                    raise AssertionError("an entry names a pack without its receipt")
            now = time.time_ns() // 1000
            entry = Entry(state.number + 1, state.head, now, self._writer, body)
            data, seal = encode_entry(entry)
            try:
                self._backend.create(key_of(entry.number), [data])
            except ConflictError:
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

    def _over_a_gap(self, number: int) -> int:
        """Notes that entry `number` is missing; returns the number of the next one there is.

        Returns `number` itself where the log's tail is gone: then the tip knows of more.
        """
        later = [found for found in list_entries(self._backend) if found > number]
        if not later:
            seen = self._tip.number
            self.damaged[number] = f"the log ends at entry {number - 1}, but {seen} was seen before"
            return number
        self.damaged[number] = f"log entry {number} is missing"
        self.state.number = later[0] - 1
        return later[0]

    def _after(self, number: int) -> None:
        """Moves the hints on. They are advice: a failure here loses nothing."""
        checkpoint = self._tip.checkpoint
        try:
            if number - checkpoint >= CHECKPOINT_EVERY:
                data = msgspec.msgpack.encode(self.state)
                self._backend.put(checkpoint_key(number), [data, Seal.of(data)], sync=False)
                if checkpoint:
                    self._backend.delete(checkpoint_key(checkpoint))
                checkpoint = number
            self._tip = Tip(number, checkpoint)
            write_tip(self._backend, self._tip)
        except MfvError:
            return

    def _read_tip(self) -> Tip:
        tip = read_tip(self._backend)
        if tip is not None or self._tip.number:
            return tip or self._tip
        # It is written without a sync and may be lost; the listing tells the same, slowly.
        return Tip(max(list_entries(self._backend), default=0))

    def _read_checkpoint(self, number: int) -> State:
        """The fold at `number`, or the empty state where there is none that can be trusted."""
        if not number:
            return State()
        try:
            return read_checkpoint(self._backend, number)
        except (NotFoundError, CorruptError):
            return State()


def read_tip(backend: Backend) -> Tip | None:
    """The hint file; None where there is none that can be read."""
    try:
        data = backend.get(TIP)
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
    if isinstance(backend, Overwriting):
        backend.overwrite(TIP, data)
    else:
        backend.put(TIP, [data], sync=False)


def read_checkpoint(backend: Backend, number: int) -> State:
    """The fold written at entry `number`; NotFoundError, or CorruptError."""
    data = backend.get(checkpoint_key(number))
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
