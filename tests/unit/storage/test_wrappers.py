"""Backends around a backend."""

from __future__ import annotations

import pytest

from mfv.errors import NotFoundError, StorageError
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import ALL, CountingBackend, FailingBackend, ReadOnlyBackend, Wrapper


def test_a_wrapper_passes_every_verb_on() -> None:
    inner = MemoryBackend()
    outer = Wrapper(inner)
    outer.put("a", [b"one"])
    outer.create("b", [b"two"])
    assert outer.get("a", 1, 1) == b"n"
    assert outer.stat("b").size == 3
    assert list(outer.list("")) == ["a", "b"]
    outer.delete("a")
    assert list(inner.list("")) == ["b"]


def test_counting_counts_each_verb_also_where_it_fails() -> None:
    backend = CountingBackend(MemoryBackend())
    backend.put("a", [b""])
    backend.put("a", [b""])
    with pytest.raises(NotFoundError):
        backend.get("b")
    list(backend.list(""))
    assert backend.calls == {"put": 2, "get": 1, "list": 1}


def test_read_only_reads_and_writes_nothing() -> None:
    inner = MemoryBackend()
    inner.put("a", [b"x"])
    backend = ReadOnlyBackend(inner)
    assert (backend.get("a"), backend.stat("a").size, list(backend.list(""))) == (b"x", 1, ["a"])
    with pytest.raises(StorageError):
        backend.put("a", [b"y"])
    with pytest.raises(StorageError):
        backend.create("b", [b"y"])
    with pytest.raises(StorageError):
        backend.delete("a")
    assert inner.get("a") == b"x"


@pytest.mark.parametrize("happened", [False, True])
def test_failing_fails_once_at_the_call_that_was_asked_for(happened: bool) -> None:
    inner = MemoryBackend()
    backend = FailingBackend(inner, 1, happened=happened)
    backend.put("a", [b""])
    with pytest.raises(StorageError, match="injected"):
        backend.create("b", [b""])
    backend.put("c", [b""])
    assert list(inner.list("")) == (["a", "b", "c"] if happened else ["a", "c"])


def test_failing_for_good_fails_every_writing_call_from_then_on() -> None:
    inner = MemoryBackend()
    backend = FailingBackend(inner, 1, lambda: OSError("gone"), for_good=True)
    backend.put("a", [b""])
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            backend.put("b", [b""])
    assert backend.get("a") == b""
    assert list(backend.list("")) == ["a"]


def test_reading_is_never_failed_nor_counted_as_a_write() -> None:
    backend = FailingBackend(MemoryBackend(), 0)
    assert list(backend.list("")) == []
    with pytest.raises(NotFoundError):
        backend.get("a")
    assert backend.calls == 0


def test_reading_fails_too_where_it_is_asked_for() -> None:
    backend = FailingBackend(MemoryBackend(), 2, verbs=ALL)
    backend.put("a", [b"x"])
    assert backend.get("a") == b"x"
    with pytest.raises(StorageError, match="injected"):
        backend.stat("a")
    assert list(backend.list("")) == ["a"]
    assert backend.calls == 4
