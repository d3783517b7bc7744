"""What was read lately: groups that were expanded, and chunks that others build on.

Neighbours are asked for one after another, and each version builds on the one before: what one
chunk took, the next one takes as well.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from mfv.ids import PackId

K = TypeVar("K", bound=Hashable)


class Expanded(NamedTuple):
    """Raw bytes, and what it took to read them."""

    data: bytes
    packs: frozenset[PackId]
    depth: int


class Recent(Generic[K]):
    """A cache of bounded size; may be used by several threads."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes that are kept, though always the latest one."""
        self._limit = limit
        self._kept: OrderedDict[K, Expanded] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._busy: dict[K, threading.Lock] = {}

    def get(self, key: K) -> Expanded | None:
        """What is kept under `key`."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            return kept

    def read_once(self, key: K, read: Callable[[], Expanded]) -> Expanded:
        """What is kept under `key`, or else what `read` gives; two threads do not read at once.

        So whatever `read` asks for in turn must come before `key` in some order, or they might
        wait for each other.
        """
        with self._lock:
            busy = self._busy.setdefault(key, threading.Lock())
        try:
            with busy:
                found = self.get(key)
                if found is None:
                    found = self.keep(key, read())
                return found
        finally:
            with self._lock:
                self._busy.pop(key, None)

    def clear(self) -> None:
        """Keeps nothing of what there is."""
        with self._lock:
            self._kept.clear()
            self._size = 0

    def keep(self, key: K, found: Expanded) -> Expanded:
        """Keeps `found`, and drops what was not asked for longest; returns `found`."""
        with self._lock:
            if key not in self._kept:
                self._size += len(found.data)
            self._kept[key] = found
            while self._size > self._limit and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1].data)
        return found
