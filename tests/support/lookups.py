"""Packs made by hand, what they hold in truth, and a backend that is watched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mfv.errors import NotFoundError, StorageError
from mfv.ids import ChunkId, PackId
from mfv.odb.layercache import FOLDER
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.odb.whereabouts import PackIndex
from mfv.storage.base import Backend, Mappable
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import Wrapper


class Watched(Wrapper):
    """A mappable backend that counts which keys were read, and refuses to write on demand."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        assert isinstance(inner, Mappable)
        self.mappable = inner
        self.read: Counter[str] = Counter()
        self.full = False
        self.vanishing: set[str] = set()

    def before(self, verb: str, key: str) -> None:
        self.read[key] += verb in ("get", "list")
        if self.full and verb in ("put", "delete"):
            raise StorageError(f"no room for {key}")

    def view(self, key: str, start: int, length: int) -> memoryview:
        if key in self.vanishing:
            self.vanishing.remove(key)
            self.inner.delete(key)
            raise NotFoundError(f"there is no {key}")
        return self.mappable.view(key, start, length)

    def packs_read(self) -> int:
        return sum(key.endswith(".pack") for key in self.read)


def add_pack(backend: MemoryBackend | LocalBackend, payloads: Iterable[bytes]) -> PackId:
    builder = PackBuilder()
    for data in payloads:
        builder.add([Member(ChunkId.of(data), ChunkId.kind, len(data))], 0, data)
    parts, receipt = builder.finish()
    backend.put(key_of(receipt.pack), parts)
    return receipt.pack


def payload(number: int) -> bytes:
    return b"payload %d" % number


def filled(backend: MemoryBackend | LocalBackend, packs: int = 8, each: int = 5) -> list[PackId]:
    """Packs of payloads 0, 1, 2 …; the first of each pack lies in the pack before it as well."""
    numbers = [range(max(0, at * each - 1), at * each + each) for at in range(packs)]
    return [add_pack(backend, map(payload, some)) for some in numbers]


def truth(backend: MemoryBackend | LocalBackend) -> dict[bytes, set[PackId]]:
    found: dict[bytes, set[PackId]] = {}
    for pack in list_packs(backend):
        for record in read_index(backend, pack):
            found.setdefault(record.id, set()).add(pack)
    return found


def packs_of(index: PackIndex, object_id: bytes) -> set[PackId]:
    copies = index.find(object_id)
    assert len({copy.pack for copy in copies}) == len(copies)
    assert all(copy.record.id == object_id for copy in copies)
    return {copy.pack for copy in copies}


def answers(index: PackIndex, wanted: Iterable[bytes]) -> dict[bytes, set[PackId]]:
    return {one: packs_of(index, one) for one in wanted}


def caches(backend: MemoryBackend | LocalBackend) -> list[str]:
    return list(backend.list(FOLDER))


def learn(backend: Backend) -> PackIndex:
    """An index that was asked for something unknown, so that it had to look everywhere."""
    index = PackIndex(backend)
    assert index.find(ChunkId.of(b"nothing of the kind")) == []
    return index
