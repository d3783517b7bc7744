"""New packs, one after another: each written while it grows, settled while the next one grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mfv.ids import PackId
from mfv.odb.intake import Packed
from mfv.odb.pack import PACK_OBJECTS, PackBuilder, Receipt, Record
from mfv.odb.packindex import key_of
from mfv.odb.pipeline import PutStream
from mfv.storage.base import Backend

# A pack that grows beyond this is written while it grows, which also bounds what waits in memory.
_STREAM_FROM = 8 << 20  # bytes
_HANDING = 1 << 20  # bytes handed over at a time, at least


class _Settling(NamedTuple):
    """A pack of which all was handed over."""

    stream: PutStream
    receipt: Receipt
    records: list[Record]


class PacksOut:
    """Gathers ranges into packs; not for use by several threads."""

    def __init__(
        self,
        backend: Backend,
        largest: int,
        done: Callable[[Receipt, list[Record]], object],
        *,
        dense: bool = False,
    ) -> None:
        """`largest`: bytes from which on a pack is full.

        `done` is told of each pack, in the caller's thread, once it is durable and has its name.
        `dense` is noted in the packs.
        """
        self._backend, self._largest, self._done = backend, largest, done
        self._dense = dense
        self.growing = PackBuilder(dense=dense)
        self._stream: PutStream | None = None
        self._settling: _Settling | None = None
        self.receipts: list[Receipt] = []  # of packs that are durable

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added since the last `flush`."""
        return not self.growing.records and self._settling is None

    @property
    def is_in_memory(self) -> bool:
        """Whether all that was ever added is in `growing`, and none of it written."""
        return not self.receipts and self._settling is None and self._stream is None

    def add(self, packed: Packed, *, align: bool, follows: bool = False) -> PackId:
        """Appends a range; returns the pack in which it will lie.

        `align` as in `PackBuilder.add`. `follows`: it stays with the one that was added last.
        """
        growing = self.growing
        full = growing.size > self._largest or len(growing.records) >= PACK_OBJECTS
        if full and not follows:
            self._finish()
            growing = self.growing
        growing.add(packed.members, packed.codec, packed.stored, packed.depth, align=align)
        if growing.size > _STREAM_FROM and growing.waiting > _HANDING:
            if self._stream is None:
                self._stream = PutStream(self._backend, key_of(growing.id))
            self._stream.hand(growing.take())
        return growing.id

    def flush(self) -> list[Receipt]:
        """Ends the pack that grows; the receipts of all packs, durable when this returns."""
        self._finish()
        self._settle()
        return self.receipts

    def abandon(self) -> None:
        """Drops what is not in a pack yet, and ends all threads."""
        settling, self._settling = self._settling, None
        if settling is not None:
            settling.stream.abandon()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abandon()

    def _finish(self) -> None:
        """Hands over the rest of the pack that grows, and begins another."""
        self._settle()
        records = self.growing.records
        if not records:
            return
        parts, receipt = self.growing.finish()
        self.growing = PackBuilder(dense=self._dense)
        stream, self._stream = self._stream, None
        if stream is None:
            self._backend.put(key_of(receipt.pack), parts)
            self._is_durable(receipt, records)
        else:
            self._settling = _Settling(stream, receipt, records)
            stream.hand(parts)
            stream.end()

    def _settle(self) -> None:
        """Waits for the pack of which all was handed over."""
        settling, self._settling = self._settling, None
        if settling is not None:
            settling.stream.close()
            self._is_durable(settling.receipt, settling.records)

    def _is_durable(self, receipt: Receipt, records: list[Record]) -> None:
        self._done(receipt, records)
        self.receipts.append(receipt)
