"""Backends around a backend: to count, to forbid writing, and to fail at the n-th call.

The failing ones serve the project's own fault tests and anybody who tests a backend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator

from mfv.errors import StorageError
from mfv.storage.base import Backend, Buffer, Stat

WRITING = ("put", "create", "delete")
ALL = ("get", "stat", "list", *WRITING)


class Wrapper:
    """Passes every verb on; `before(verb, key)` and `after(verb, key)` may raise."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    def before(self, verb: str, key: str) -> None: ...

    def after(self, verb: str, key: str) -> None: ...

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self.before("get", key)
        data = self.inner.get(key, start, length)
        self.after("get", key)
        return data

    def put(self, key: str, parts: Iterable[Buffer], *, sync: bool = True) -> None:
        self.before("put", key)
        self.inner.put(key, parts, sync=sync)
        self.after("put", key)

    def create(self, key: str, parts: Iterable[Buffer]) -> None:
        self.before("create", key)
        self.inner.create(key, parts)
        self.after("create", key)

    def stat(self, key: str) -> Stat:
        self.before("stat", key)
        found = self.inner.stat(key)
        self.after("stat", key)
        return found

    def list(self, prefix: str) -> Iterator[str]:
        self.before("list", prefix)
        return self.inner.list(prefix)

    def delete(self, key: str) -> None:
        self.before("delete", key)
        self.inner.delete(key)
        self.after("delete", key)


class CountingBackend(Wrapper):
    """Counts calls by verb in `calls`."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()

    def before(self, verb: str, key: str) -> None:
        self.calls[verb] += 1


class ReadOnlyBackend(Wrapper):
    """Refuses every verb that writes."""

    def before(self, verb: str, key: str) -> None:
        if verb in WRITING:
            raise StorageError(f"cannot write {key}: opened for reading only")


class FailingBackend(Wrapper):
    """Raises `error()` at the n-th writing call (from 0), before or after it happened.

    With `for_good` every later writing call fails before it happens, as on a full disk. `verbs`:
    the calls that count and fail, if not those that write.
    """

    def __init__(
        self,
        inner: Backend,
        at: int,
        error: Callable[[], BaseException] = lambda: StorageError("injected"),
        *,
        happened: bool = False,
        for_good: bool = False,
        verbs: Container[str] = WRITING,
    ) -> None:
        super().__init__(inner)
        self.at = at
        self.error = error
        self.happened = happened
        self.for_good = for_good
        self.verbs = verbs
        self.calls = 0  # of these verbs

    def before(self, verb: str, key: str) -> None:
        if verb not in self.verbs:
            return
        now = self.calls
        self.calls += 1
        if (now == self.at and not self.happened) or (now > self.at and self.for_good):
            raise self.error()

    def after(self, verb: str, key: str) -> None:
        if verb in self.verbs and self.happened and self.calls - 1 == self.at:
            raise self.error()
