"""The store of a flow's tasks: a repository's object database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from mfv.flow.order import Order
from mfv.flow.task import Saved
from mfv.ids import PackId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Task, TaskRef
from mfv.odb.writer import Parcel, Writer
from mfv.repo.artifacts import load, store_all
from mfv.repo.entries import PackMade
from mfv.repo.lineage import Ancestry
from mfv.repo.repository import Repository
from mfv.serde.small import pack, unpack


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """What a task's process did with its objects."""

    parcel: Parcel | None
    receipts: tuple[PackMade, ...]
    relied: tuple[bytes, ...]


class Store:
    """The flow's store, in one task's process, by way of a repository's object database."""

    def __init__(self, folder: Path, flow: str, order: Order) -> None:
        self._repository = repository = Repository.open(folder)
        self._ancestry = Ancestry(repository, flow, order.run, order.step, order.splits)
        self._avoid: set[PackId] = set()

    @property
    def origin(self) -> bytes:
        """The id of the repository."""
        return self._repository.format.repository

    def task(self, ref: TaskRef) -> Task:
        return self._repository.task(ref)

    def load(self, artifact: Artifact) -> object:
        return load(self._repository.database, artifact)

    def pack(self, item: object) -> bytes:
        return pack(item)

    def unpack(self, data: bytes) -> object:
        return unpack(data)

    def save(self, values: Mapping[str, object], avoid: frozenset[bytes]) -> Saved:
        self._avoid |= {PackId(pack) for pack in avoid}
        database = self._repository.database
        database.index.forget(self._avoid)
        writer = Writer(database, self._avoid)
        try:
            stored = store_all(writer, values, self._ancestry.of)
            delivery = _deliver(writer)
        except BaseException:
            writer.abandon()
            raise
        return Saved(stored.artifacts, stored.dropped, msgspec.msgpack.encode(delivery))


def _deliver(writer: Writer) -> Delivery:
    """Little is handed over, much is written: durable when this returns."""
    handed = writer.parcel()
    if handed is not None:
        parcel, relied = handed
        return Delivery(parcel, (), tuple(sorted(map(bytes, relied))))
    outcome = writer.flush()
    made = tuple(PackMade.of(receipt) for receipt in outcome.receipts)
    return Delivery(None, made, tuple(sorted(map(bytes, outcome.relied))))
