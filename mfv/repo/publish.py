"""The order of writing: packs, then one log entry. All that is recorded goes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import msgspec

from mfv.ids import ObjectId, PackId
from mfv.manifest.encoding import encode
from mfv.odb.database import Database
from mfv.odb.pack import Receipt
from mfv.odb.writer import Writer
from mfv.repo.entries import Body, Entry, PackMade
from mfv.repo.log import CondemnedError, Log
from mfv.repo.names import State

# From the state before the entry, and the packs that it brings in, to the entry's body.
Build = Callable[[State, tuple[PackMade, ...]], Body]


def publish(
    database: Database,
    log: Log,
    fill: Callable[[Writer], Build],
    *,
    receipts: Iterable[Receipt] = (),
    relied: Iterable[PackId] = (),
) -> Entry:
    """Writes what `fill` adds, then commits what it returned; durable when this returns.

    If a pack of the new objects was condemned meanwhile, `fill` is called again and its bytes are
    stored anew. Raises CondemnedError if that befell one of `receipts` or `relied`, packs that
    another process wrote or built on: only that process has the bytes.
    """
    receipts = tuple(receipts)
    foreign = {receipt.pack for receipt in receipts} | set(relied)
    while True:
        # The log's own set, which may have grown long: not copied for every commit.
        condemned = log.state.condemned
        database.leave(condemned)
        writer = Writer(database, avoid=cast("set[PackId]", condemned))
        try:
            build = fill(writer)
            outcome = writer.flush()
        except BaseException:
            writer.abandon()
            raise
        made = (*receipts, *outcome.receipts)
        packs = tuple(PackMade.of(receipt) for receipt in made)
        try:
            return log.append(
                lambda state, build=build, packs=packs: build(state, packs),  # type: ignore[misc]
                receipts=made,
                relied=foreign | outcome.relied,
            )
        except CondemnedError as error:
            if error.packs & foreign:
                raise
            database.index.forget(error.packs)


def add_record(
    writer: Writer, kind: type[ObjectId], record: msgspec.Struct
) -> tuple[ObjectId, PackId]:
    """Stores a record; returns its id and the pack in which it lies."""
    data = encode(record)
    record_id = kind.of(data)
    return record_id, writer.add_record(record_id, data)
