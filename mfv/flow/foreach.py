"""The items of a foreach: how a task that splits tells of them, and how each task gets its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from mfv.flow.order import Frame
from mfv.flow.spec import FlowSpec, FlowStateError, Place
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Task, TaskRef
from mfv.manifest.text import printable

_VALUE_REPR = 60  # characters of an item that are shown


class ItemStore(Protocol):
    """How items are read, and small ones carried along."""

    def task(self, ref: TaskRef) -> Task: ...

    def load(self, artifact: Artifact) -> object: ...

    def pack(self, item: object) -> bytes: ...

    def unpack(self, data: bytes) -> object: ...


class Places:
    """Finds the items of one task's open foreaches."""

    def __init__(self, store: ItemStore, readonly: Mapping[str, object]) -> None:
        """`readonly`: the values that every task has, which may be gone over as well."""
        self._store, self._readonly = store, readonly

    def of(self, frame: Frame) -> Place:
        """Where the task stands in one of them; its item is read at the first use, and kept."""
        kept: list[object] = []

        def item() -> object:
            if not kept:
                kept.append(self._item(frame))
            return kept[0]

        return Place(frame.index, frame.total, item)

    def _item(self, frame: Frame) -> object:
        if frame.ref is None:  # one of several parallel tasks has no item but its index
            return frame.index
        if frame.item:
            # Of a wide foreach not every task reads all items.
            return self._store.unpack(frame.item)
        assert frame.variable is not None
        if frame.variable in self._readonly:
            items: Any = self._readonly[frame.variable]
        else:
            by_name = {one.name: one for one in self._store.task(frame.ref).artifacts}
            items = self._store.load(by_name[frame.variable])
        if isinstance(items, Sequence):
            return items[frame.index]
        # By iteration, as the items were counted: items[index] of a dict or a pandas Series may be
        # another item.
        return next(islice(items, frame.index, frame.index + 1))


def shown_items(
    flow: FlowSpec, variable: str, step: str, store: ItemStore
) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """A short repr of every item of a foreach, and every item as bytes where they are small.

    Raises FlowStateError if there is nothing to go over.
    """
    try:
        items = getattr(flow, variable)
    except AttributeError:
        raise FlowStateError(
            f"step {step!r} goes over self.{variable}, which is not set",
            hint=f"set self.{variable} before self.next",
        ) from None
    if isinstance(items, Iterator):
        raise FlowStateError(
            f"step {step!r} goes over self.{variable}, a {type(items).__name__}, "
            "which can be gone over only once",
            hint=f"make a list of it: self.{variable} = list(...)",
        )
    try:
        all_items = tuple(items)
    except TypeError:
        raise FlowStateError(
            f"step {step!r} goes over self.{variable}, a {type(items).__name__}, "
            "which has no items",
            hint="foreach wants the name of a list, tuple or other collection",
        ) from None
    if not all_items:
        raise FlowStateError(
            f"step {step!r} goes over self.{variable}, which is empty",
            hint="a foreach needs at least one item",
        )
    return tuple(map(shown, all_items)), _packed(all_items, store.pack)


def _packed(items: Sequence[object], pack: Callable[[object], bytes]) -> tuple[bytes, ...]:
    """All of them or none: where the first is large, trying the others would cost a copy each."""
    found = []
    for item in items:
        data = pack(item)
        if not data:
            return ()
        found.append(data)
    return tuple(found)


def shown(item: object) -> str:
    """A short repr in one line."""
    try:
        text = repr(item)
    except Exception:
        text = f"<{type(item).__name__}>"
    return printable(" ".join(text.split()))[:_VALUE_REPR]
