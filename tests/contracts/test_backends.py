"""What every backend promises. A new one joins with a fixture below and passes all of this."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from racing import race

from mfv.errors import ConflictError, NotFoundError, StorageError, UsageError
from mfv.storage.base import Backend, Mappable, Probing, is_key
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend


def race_threads(count: int, act: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count)

    def body(place: int) -> Any:
        barrier.wait()
        return act(place)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(body, range(count)))


@pytest.fixture
def local(tmp_path: Path) -> tuple[Backend, Any]:
    return LocalBackend(tmp_path / "repository"), race


@pytest.fixture
def memory() -> tuple[Backend, Any]:
    return MemoryBackend(), race_threads


@pytest.fixture(params=["local", "memory"])
def made(request: pytest.FixtureRequest) -> Any:
    """A fresh backend, and how callers of it race: `made(count, act)`."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def backend(made: tuple[Backend, Any]) -> Backend:
    return made[0]


@pytest.fixture
def racers(made: tuple[Backend, Any]) -> Any:
    return made[1]


@pytest.fixture
def mappable(backend: Backend) -> Iterator[Mappable]:
    assert isinstance(backend, Mappable)
    yield backend


def test_what_was_put_is_got(backend: Backend) -> None:
    backend.put("packs/one", [b"hello"])
    assert backend.get("packs/one") == b"hello"


def test_what_was_created_is_got(backend: Backend) -> None:
    backend.create("log/00000001", [b"first"])
    assert backend.get("log/00000001") == b"first"


@pytest.mark.parametrize("verb", ["put", "create"])
@pytest.mark.parametrize("parts", [[], [b""], [b"", b""]])
def test_an_empty_value_is_a_value(backend: Backend, verb: str, parts: list[bytes]) -> None:
    getattr(backend, verb)("empty", parts)
    assert backend.get("empty") == b""
    assert backend.stat("empty").size == 0
    assert list(backend.list("")) == ["empty"]


def test_many_parts_of_any_buffer_are_joined_in_order(backend: Backend) -> None:
    parts = [bytes([i % 256]) * (i % 7) for i in range(3000)]
    mixed = [(bytes, bytearray, memoryview)[i % 3](part) for i, part in enumerate(parts)]
    backend.put("many", iter(mixed))
    assert backend.get("many") == b"".join(parts)


def test_a_part_may_be_larger_than_a_pipe_or_a_page(backend: Backend) -> None:
    big = os.urandom(5 << 20)
    backend.put("big", [b"<", memoryview(big), b">"])
    assert backend.get("big") == b"<" + big + b">"


def test_put_replaces_a_longer_value_by_a_shorter_one(backend: Backend) -> None:
    backend.put("key", [b"a long value"])
    backend.put("key", [b"short"], sync=False)
    assert backend.get("key") == b"short"
    assert backend.stat("key").size == 5


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (3, 0, b""),
        (8, 100, b"89"),
        (10, 5, b""),
        (99, 5, b""),
        (99, None, b""),
    ],
)
def test_a_range_ends_where_the_value_ends(
    backend: Backend, start: int, length: int | None, expected: bytes
) -> None:
    backend.put("digits", [b"0123456789"])
    assert backend.get("digits", start, length) == expected


def test_create_refuses_a_key_that_is_taken_and_changes_nothing(backend: Backend) -> None:
    backend.put("key", [b"old"])
    with pytest.raises(ConflictError):
        backend.create("key", [b"new"])
    assert backend.get("key") == b"old"


def test_create_takes_a_key_that_was_deleted(backend: Backend) -> None:
    backend.create("key", [b"old"])
    backend.delete("key")
    backend.create("key", [b"new"])
    assert backend.get("key") == b"new"


@pytest.mark.parametrize("verb", ["get", "stat"])
def test_a_key_that_is_not_there_is_not_found(backend: Backend, verb: str) -> None:
    for key in ("nothing", "no/such/folder"):
        with pytest.raises(NotFoundError):
            getattr(backend, verb)(key)


def test_a_backend_that_can_be_asked_for_a_key_knows_whether_it_is_there(backend: Backend) -> None:
    if not isinstance(backend, Probing):
        pytest.skip("it is asked by reading")
    assert not backend.has("log/00000001")
    backend.create("log/00000001", [b"entry"])
    assert backend.has("log/00000001")
    assert not backend.has("log/00000002")
    backend.delete("log/00000001")
    assert not backend.has("log/00000001")


def test_delete_removes_and_does_not_mind_that_it_is_gone(backend: Backend) -> None:
    backend.put("packs/one", [b"x"])
    backend.delete("packs/one")
    backend.delete("packs/one")
    backend.delete("never/was")
    assert list(backend.list("")) == []


def test_list_gives_the_keys_below_a_prefix_in_order(backend: Backend) -> None:
    for key in ("log/2", "log/10", "log/1", "logs/1", "log/a/b", "packs/z", "top", "log-1"):
        backend.put(key, [b""])
    assert list(backend.list("log/")) == ["log/1", "log/10", "log/2", "log/a/b"]
    everything = list(backend.list(""))
    assert everything == sorted(everything)
    assert len(everything) == 8
    assert list(backend.list("nothing/")) == []


def test_list_goes_on_while_what_it_listed_is_deleted(backend: Backend) -> None:
    for i in range(20):
        backend.put(f"log/{i:02d}", [b""])
    for key in backend.list("log/"):
        backend.delete(key)
    assert list(backend.list("log/")) == []


HOSTILE = [
    "",
    "..",
    "../evil",
    "a/../../evil",
    "a/./b",
    "a//b",
    "a/",
    "/abs/evil",
    "C:\\evil",
    "..\\evil",
    "a\\b",
    "\\\\host\\share",
    "a b",
    "a\n",
    "a\0b",
    ".hidden",
    "log/.hidden",
    "é",
    "a:stream",
    "~/x",
    "%2e%2e%2fevil",
    "a" * 256,
    "a/" * 256 + "a",
]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_that_could_mean_a_place_elsewhere_is_refused_by_every_verb(
    backend: Backend, key: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: backend.get(key),
        lambda: backend.put(key, [b"x"]),
        lambda: backend.create(key, [b"x"]),
        lambda: backend.stat(key),
        lambda: backend.delete(key),
    ]
    for call in calls:
        with pytest.raises(UsageError):
            call()
    assert not is_key(key)
    assert list(backend.list("")) == []


@pytest.mark.parametrize("key", ["a", "a/b", "-rf", "log/00000001", "x.pack", "a" * 255, "a..b"])
def test_a_plain_key_is_taken(backend: Backend, key: str) -> None:
    backend.put(key, [b"x"])
    assert list(backend.list("")) == [key]


@pytest.mark.parametrize("prefix", ["../", "/", "log", "a//", "./", "a\\"])
def test_a_prefix_that_is_no_folder_of_keys_is_refused(backend: Backend, prefix: str) -> None:
    with pytest.raises(UsageError):
        list(backend.list(prefix))


@pytest.mark.parametrize("verb", ["put", "create"])
def test_parts_that_fail_half_way_leave_nothing(backend: Backend, verb: str) -> None:
    def parts() -> Iterator[bytes]:
        yield b"first"
        raise ValueError("the disk of somebody else")

    with pytest.raises(ValueError, match="somebody else"):
        getattr(backend, verb)("key", parts())
    assert list(backend.list("")) == []


def test_readers_never_see_half_a_value_while_a_writer_replaces_it(backend: Backend) -> None:
    size = 200_000
    backend.put("key", [bytes(size)])
    stop = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            data = backend.get("key")
            if len(data) != size or len(set(data)) != 1:
                seen.append(data[:10])
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(60):
        backend.put("key", [bytes([i]) * (size // 2), bytes([i]) * (size // 2)], sync=False)
    stop.set()
    for reader in readers:
        reader.join()
    assert seen == []


def test_of_eight_that_create_the_same_key_at_once_exactly_one_succeeds(
    backend: Backend, racers: Any
) -> None:
    keys = [f"log/{number:08d}" for number in range(50)]

    def act(place: int) -> list[str]:
        won = []
        for key in keys:
            try:
                backend.create(key, [b"%d " % place, key.encode()])
                won.append(key)
            except ConflictError:
                pass
        return won

    wins = racers(8, act)
    assert sorted(key for won in wins for key in won) == keys
    for place, won in enumerate(wins):
        for key in won:
            assert backend.get(key) == b"%d " % place + key.encode()


def test_a_view_is_the_bytes_of_the_range(backend: Backend, mappable: Mappable) -> None:
    data = os.urandom(100_000)
    backend.put("pack", [data])
    for start, length in ((0, 100_000), (1, 99_999), (4096, 10), (70_000, 30_000), (5, 0)):
        assert bytes(mappable.view("pack", start, length)) == data[start : start + length]


def test_a_view_is_writable_private_and_never_written_back(
    backend: Backend, mappable: Mappable
) -> None:
    backend.put("pack", [bytes(100_000)])
    one, other = mappable.view("pack", 64, 50_000), mappable.view("pack", 64, 50_000)
    one[0] = 1
    one[-1] = 2
    assert (other[0], other[-1]) == (0, 0)
    assert backend.get("pack") == bytes(100_000)
    assert mappable.view("pack", 64, 1)[0] == 0


def test_a_view_outlives_the_key_that_it_was_taken_of(backend: Backend, mappable: Mappable) -> None:
    backend.put("pack", [b"x" * 100_000])
    view = mappable.view("pack", 0, 100_000)
    backend.delete("pack")
    assert bytes(view) == b"x" * 100_000


def test_a_view_past_the_end_is_refused_and_not_a_crash(
    backend: Backend, mappable: Mappable
) -> None:
    backend.put("pack", [b"short"])
    with pytest.raises(StorageError):
        mappable.view("pack", 0, 6)
    with pytest.raises(NotFoundError):
        mappable.view("nothing", 0, 6)
