"""The storage seam: what every backend promises, and the rules for its keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple, Protocol, cast, runtime_checkable

from mfv.errors import UsageError

Buffer = bytes | bytearray | memoryview

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}"
_KEY = re.compile(rf"{_PART}(/{_PART})*")
_LONGEST = 512  # characters


class Stat(NamedTuple):
    size: int  # bytes
    modified: float  # seconds since the epoch, by the backend's clock; advice, never safety


class Backend(Protocol):
    """Named immutable-by-convention byte strings.

    Every verb raises StorageError where the machine refuses (full, read-only, vanished); a verb
    that raised has either happened as a whole or not at all.
    """

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of `key` from `start`, `length` of them or to the end (fewer at the end).

        Raises NotFoundError where there is no such key.
        """
        ...

    def put(self, key: str, parts: Iterable[Buffer], *, sync: bool = True) -> None:
        """Sets `key` to the joined `parts`; a reader sees the old bytes or the new, whole.

        With `sync` it is durable on return. The parts are read once and never copied together.
        """
        ...

    def create(self, key: str, parts: Iterable[Buffer]) -> None:
        """Like `put`, durable, and only if `key` does not exist; else raises ConflictError.

        Of several callers at once exactly one succeeds: the one primitive on which safety rests.
        """
        ...

    def stat(self, key: str) -> Stat:
        """Size and time of `key`; raises NotFoundError."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """All keys that start with `prefix` (which ends with `/`, or is empty), sorted."""
        ...

    def delete(self, key: str) -> None:
        """Removes `key`; no error where it is gone already."""
        ...


@runtime_checkable
class Mappable(Protocol):
    """A backend whose keys can be mapped into memory without a copy."""

    def view(self, key: str, start: int, length: int) -> memoryview:
        """`length` bytes of `key` as private copy-on-write memory: writable, never written back.

        Every call gives pages of its own, so that one reader's changes are not another's.
        Raises NotFoundError, and StorageError where the file is shorter.
        """
        ...


@runtime_checkable
class Overwriting(Protocol):
    """A backend on which replacing a small value in place is much cheaper than `put`."""

    def overwrite(self, key: str, data: bytes) -> None:
        """Sets `key` to `data`, not durably; only for what carries its own check.

        A reader at the same moment, or after a crash, may find a mixture of old and new.
        """
        ...


@runtime_checkable
class Probing(Protocol):
    """A backend that tells at less cost than `get` that a key is not there."""

    def has(self, key: str) -> bool:
        """Whether there is `key` now."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A backend whose keys may be there and not durable: made by a process that was killed."""

    def settle(self, prefix: str) -> None:
        """Makes all keys right below `prefix` durable, whoever made them."""
        ...


def settle(backend: Backend, prefix: str) -> None:
    """Makes what another process put below `prefix` durable, before anything is built on it.

    Keys that a verb of this process made are so already.
    """
    if offers(backend, Settling):
        cast(Settling, backend).settle(prefix)


@runtime_checkable
class Witnessing(Backend, Protocol):
    """A backend that can tell whether a key was touched, and keeps notes that may be lost."""

    def start_id(self) -> bytes:
        """What is another after each start of the machine; empty where that cannot be told."""
        ...

    def witness(self, key: str) -> bytes:
        """What is another once anybody wrote to `key` or put another in its place.

        Raises NotFoundError.
        """
        ...

    def append(self, key: str, data: bytes, *, largest: int) -> None:
        """Adds `data` to the end of `key`, not durably; anew where it has `largest` bytes."""
        ...


def offers(backend: Backend, protocol: type) -> bool:
    """Whether `backend` follows one of the protocols here that not all do."""
    return _follows(type(backend), protocol)


@cache
def _follows(kind: type[Backend], protocol: type) -> bool:
    # To ask an object takes 25 µs, and it is asked for every entry and every writer.
    return issubclass(kind, protocol)


def check_key(key: str) -> str:
    """`key` itself if it is one that every backend can hold; else UsageError.

    Keys are made by mfv, so a refusal here is a hostile repository or a fault of ours.
    """
    if not is_key(key):
        raise UsageError(f"{key[:80]!r} is no storage key")
    return key


def check_prefix(prefix: str) -> str:
    """`prefix` itself if `list` can be asked for it: empty, or a key and `/`; else UsageError."""
    if prefix and not (prefix.endswith("/") and is_key(prefix[:-1])):
        raise UsageError(f"{prefix[:80]!r} is no prefix of storage keys")
    return prefix


def is_key(key: str) -> bool:
    """Whether every backend can hold `key`."""
    return len(key) <= _LONGEST and _KEY.fullmatch(key) is not None
