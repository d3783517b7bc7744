"""The lookup cache as files of a repository: opened mapped, replaced as a whole, never relied on.

Nobody locks: files are whole or not there, and two processes that write at once leave two valid
files of which the next writer makes one.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from mfv.errors import CorruptError, FormatTooNewError, NotFoundError, StorageError
from mfv.odb.layer import Layer
from mfv.storage.base import Backend, Mappable

FOLDER = "cache/packindex/"
_KEY = re.compile(re.escape(FOLDER) + "[0-9a-f]{16}")
# Reading so much takes a quarter of a millisecond; of larger files the head alone is checked.
CHECKED_WHOLE = 1 << 20  # bytes
# Another process may put one file in place of several just now.
_TRIES = 3


class Saved(NamedTuple):
    """A layer and the file that it is mapped from."""

    key: str
    layer: Layer


class LayerCache:
    """The layers that are kept beside the packs of one repository.

    For a backend that maps nothing, or takes nothing, there is none: all verbs do nothing then.
    """

    def __init__(self, backend: Backend | None) -> None:
        self._backend: Backend | None = backend if isinstance(backend, Mappable) else None
        self._damaged: set[str] = set()

    @property
    def takes(self) -> bool:
        """Whether anything can be kept, as far as is known."""
        return self._backend is not None

    def open(self) -> tuple[Saved, ...]:
        """What is there and whole, of large files as far as the head tells."""
        for _ in range(_TRIES):
            try:
                return self._open()
            except NotFoundError:
                continue
            except StorageError:
                break
        return ()

    def save(self, layer: Layer) -> Saved | None:
        """Writes a layer, and gives it back mapped; None where that cannot be done.

        Damaged files that were met are removed.
        """
        if self._backend is None:
            return None
        key = f"{FOLDER}{os.urandom(8).hex()}"
        try:
            # Synced: with zeros in place of a body, every writer would store anew what it covers.
            self._backend.put(key, [layer.data])
            # Not before: `put` refuses a folder that is a link, and what lies there is not ours.
            for damaged in self._damaged:
                self._backend.delete(damaged)
            self._damaged.clear()
            return Saved(key, Layer(self._view(self._backend, key)))
        except (StorageError, NotFoundError, CorruptError):
            self._backend = None  # full or read-only: it would be no other the next time
            return None

    def remove(self, saved: Saved) -> None:
        """Removes a file; whoever has it mapped keeps what it says."""
        if self._backend is not None:
            try:
                self._backend.delete(saved.key)
            except StorageError:
                self._backend = None

    def _open(self) -> tuple[Saved, ...]:
        found: list[Saved] = []
        backend = self._backend
        for key in backend.list(FOLDER) if backend is not None else ():
            assert backend is not None
            if _KEY.fullmatch(key) is None:
                continue
            try:
                layer = Layer(self._view(backend, key))
            except FormatTooNewError:
                continue  # of use to another version
            except CorruptError:
                self._damaged.add(key)
                continue
            if len(layer.data) <= CHECKED_WHOLE and not layer.is_whole():
                self._damaged.add(key)
            else:
                found.append(Saved(key, layer))
        return tuple(found)

    @staticmethod
    def _view(backend: Backend, key: str) -> memoryview:
        assert isinstance(backend, Mappable)
        return backend.view(key, 0, backend.stat(key).size)
