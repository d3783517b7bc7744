"""A backend in memory: the reference of the contract, and what tests and dry runs use."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

from mfv.errors import ConflictError, NotFoundError, StorageError
from mfv.storage.base import Buffer, Stat, check_key, check_prefix


class MemoryBackend:
    """Keys in a dict; safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._data: dict[str, tuple[bytes, float]] = {}

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        data, _ = self._entry(key)
        return data[start:] if length is None else data[start : start + length]

    def put(self, key: str, parts: Iterable[Buffer], *, sync: bool = True) -> None:
        data = b"".join(parts)
        with self._lock:
            self._data[check_key(key)] = (data, time.time())

    def create(self, key: str, parts: Iterable[Buffer]) -> None:
        data = b"".join(parts)
        with self._lock:
            if check_key(key) in self._data:
                raise ConflictError(f"{key} exists already")
            self._data[key] = (data, time.time())

    def stat(self, key: str) -> Stat:
        data, modified = self._entry(key)
        return Stat(len(data), modified)

    def list(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        with self._lock:
            keys = sorted(key for key in self._data if key.startswith(prefix))
        return iter(keys)

    def delete(self, key: str) -> None:
        with self._lock:
            self._data.pop(check_key(key), None)

    def view(self, key: str, start: int, length: int) -> memoryview:
        data = self.get(key, start, length)
        if len(data) != length:
            raise StorageError(f"{key} is shorter than {start + length} bytes")
        return memoryview(bytearray(data))

    def _entry(self, key: str) -> tuple[bytes, float]:
        with self._lock:
            try:
                return self._data[check_key(key)]
            except KeyError:
                raise NotFoundError(f"there is no {key}") from None
