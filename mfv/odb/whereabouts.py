"""Where each object lies: the one question that every read and every write asks first.

Answered by layers (`mfv.odb.layer`) that map an id to a record of a pack's own index, and by
that record. Layers are kept in a cache, so that a process opens a few files and not thousands;
packs that no layer covers yet are read as they are. An answer never depends on the cache: where
it says "unknown" wrongly, a writer stores bytes twice, and a reader asks the packs themselves
(`find_sealed`) before it says "missing".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable, Iterator

from mfv.errors import CorruptError, NotFoundError
from mfv.ids import PackId
from mfv.odb import merge
from mfv.odb.layer import Layer, Place, split
from mfv.odb.layercache import LayerCache, Saved
from mfv.odb.pack import RECORD, Record
from mfv.odb.packindex import (
    FOLDER,
    Location,
    SealedIndexes,
    key_of,
    list_packs,
    pack_of,
)
from mfv.storage.base import Backend

# Whoever had to read so much that no layer covers writes one: some milliseconds of reading.
MANY_PACKS = 64
MANY_OBJECTS = 1 << 15
# A new layer takes over those up to four times as large as all that it has: so there are a
# handful at most, and an object is written anew a few times in the life of a repository.
_ABSORB = 4
# Of one object so many copies are told, once confirmed. Writers make a handful; who made thousands
# wants them all to be looked at, again and again.
_COPIES = 64


class PackIndex:
    """Object id to locations, over one backend; may be asked by several threads."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._cache = LayerCache(backend)
        self._sealed = SealedIndexes(backend)
        self._where: dict[bytes, Location] = {}  # of packs that were added here
        self._copies: dict[bytes, list[Location]] = {}
        self._added: set[PackId] = set()
        self._gone: set[PackId] = set()
        self._saved: tuple[Saved, ...] = ()
        self._unsaved: tuple[Layer, ...] = ()
        self._layers: tuple[Layer, ...] = ()  # both of these, for asking
        self._covered: set[str] | None = None  # keys of their packs, once somebody wants to know
        self._opened = False
        self._complete = False
        self._lock = threading.RLock()
        self.damaged: dict[PackId, CorruptError] = {}

    def find(self, object_id: bytes, hint: PackId | None = None) -> list[Location]:
        """Known copies of an object, none if there is none: all of them after `load_all`.

        `hint` names the pack where it probably lies: if it does, no other place is looked at.
        """
        if hint is not None and object_id not in self._where and hint not in self._gone:
            found = self._in_pack(hint, object_id)
            if found:
                return found
        if not self._opened:
            self._open()
        found = self._look_up(object_id)
        if not found and not self._complete:
            with self._lock:  # several threads ask at once, and one listing does for all
                if not self._complete:
                    self.refresh()
            found = self._look_up(object_id)
        return found

    def find_sealed(self, object_id: bytes) -> list[Location]:
        """All copies of an object, as the packs' own indexes have it and no cache."""
        with self._lock:
            cache, saved = self._cache, self._saved
            before = {pack for one in saved for pack in one.layer.packs()}
            self.load_all()
        found = self._look_up(object_id)
        if any(copy.pack in before for copy in found):
            for one in saved:  # it might have said so, and misleads the next process as well
                cache.remove(one)
        return found

    def refresh(self) -> None:
        """Learns of every pack that came since."""
        with self._lock:
            self._open()
            # What a listed pack held that is gone when it is read lies in one that came since.
            while not self._refresh():
                pass
            self._complete = True

    def _refresh(self) -> bool:
        """Learns of the packs that are listed now; False if one of them was gone already."""
        there, gone = set(self._backend.list(FOLDER)), len(self._gone)
        new = sorted(there - self._covered_keys() - set(map(key_of, self._skipped())))
        layers = self._read(pack for pack in map(pack_of, new) if pack is not None)
        self._unsaved = (*self._unsaved, *layers)
        if not self._save(there) and layers:
            self._use(self._saved, _together(self._unsaved))
        return len(self._gone) == gone

    def load_all(self) -> None:
        """Learns all locations from the packs' own indexes; from now on no cache is used.

        For who deletes or reports by what is found, and for who doubts the cache.
        """
        with self._lock:
            self._cache = LayerCache(None)
            self._opened = True
            if self._saved:
                self._use((), ())
            self.refresh()

    def add(self, pack: PackId, records: list[Record]) -> None:
        """Makes the objects of a pack known."""
        if pack in self._added:
            return
        for record in records:
            location = Location(pack, record)
            if self._where.setdefault(record.id, location) is not location:
                self._copies.setdefault(record.id, []).append(location)
        # Last, so that another thread never takes a pack for read that is not.
        self._added.add(pack)

    def learn(self, packs: Iterable[PackId]) -> None:
        """Makes the objects of these packs known, at the cost of these alone.

        Those that are gone or damaged are passed over.
        """
        with self._lock:
            covered = self._covered_keys()
            for pack in packs:
                known = pack in self._added or key_of(pack) in covered
                if not (known or pack in self._gone or pack in self.damaged):
                    with contextlib.suppress(NotFoundError), self._set_aside(pack):
                        self.add(pack, self._sealed.records(pack))

    def forget(self, gone: Iterable[PackId]) -> None:
        """Drops what was known of packs that must not be relied on any more, for good.

        What a repack moved out of them is found where it lies now.
        """
        new = set(gone) - self._gone
        if new:
            with self._lock:
                self._gone |= new
                self._complete = False

    def __iter__(self) -> Iterator[Location]:
        """Every object of the repository, pack by pack, in the order in which they lie there.

        As the packs' own indexes have it: who reads all in this order expands each group once.

        Packs that were forgotten or turn out to be damaged are passed over.
        """
        for pack in list_packs(self._backend):
            records: list[Record] = []
            if pack not in self._gone:
                with contextlib.suppress(NotFoundError), self._set_aside(pack):
                    records = self._sealed.records(pack)
            for record in sorted(records, key=lambda one: (one.offset, one.stored, one.within)):
                yield Location(pack, record)

    def _look_up(self, object_id: bytes) -> list[Location]:
        first = self._where.get(object_id)
        found = [] if first is None else [first, *self._copies.get(object_id, ())]
        head, tail = split(object_id)
        for layer in self._layers:
            for place in layer.find(head, tail):
                if len(found) >= _COPIES:
                    break
                self._confirm(place, object_id, found)
        if found and self._gone:
            return [copy for copy in found if copy.pack not in self._gone]
        return found

    def _confirm(self, place: Place, object_id: bytes, found: list[Location]) -> None:
        """Adds the copy at `place` to `found` if its pack says so too."""
        pack, position = place
        if pack in self._added or pack in self._gone or pack in self.damaged:
            return
        try:
            record = self._sealed.record(pack, position, object_id)
        except NotFoundError:
            self._gone.add(pack)  # no pack comes back
            return
        except CorruptError as error:
            self.damaged[pack] = error
            return
        if record is not None and (location := Location(pack, record)) not in found:
            found.append(location)

    def _in_pack(self, pack: PackId, object_id: bytes) -> list[Location]:
        records: list[Record] = []
        if pack not in self.damaged:
            with contextlib.suppress(NotFoundError), self._set_aside(pack):
                records = self._sealed.find(pack, object_id)
        return [Location(pack, record) for record in records]

    @contextlib.contextmanager
    def _set_aside(self, pack: PackId) -> Iterator[None]:
        """What turns out to be damaged costs the objects in it and nothing else."""
        try:
            yield
        except CorruptError as error:
            self.damaged[pack] = error

    def _open(self) -> None:
        with self._lock:
            if not self._opened:
                self._use(self._cache.open(), ())
                self._opened = True

    def _use(self, saved: tuple[Saved, ...], unsaved: tuple[Layer, ...]) -> None:
        self._saved, self._unsaved, self._covered = saved, unsaved, None
        self._layers = (*(one.layer for one in saved), *unsaved)

    def _covered_keys(self) -> set[str]:
        if self._covered is None:
            packs = (layer.packs() for layer in self._layers)
            self._covered = {key_of(pack) for some in packs for pack in some}
        return self._covered

    def _skipped(self) -> set[PackId]:
        return self._added | self._gone | self.damaged.keys()

    def _read(self, packs: Iterable[PackId]) -> list[Layer]:
        """Layers of packs by their own indexes; those that are gone or damaged are left out."""
        layers: list[Layer] = []
        batch: list[tuple[PackId, bytes]] = []
        objects = 0
        for pack in packs:
            try:
                with self._set_aside(pack):
                    raw = self._sealed.read(pack).raw
                    batch.append((pack, raw))
                    objects += len(raw) // RECORD.size
            except NotFoundError:
                self._gone.add(pack)  # no pack comes back
            if objects >= merge.PYTHON_MOST:  # so many records of 64 bytes are held at a time
                layers.append(merge.build(batch))
                batch, objects = [], 0
        if batch:
            layers.append(merge.build(batch))
        return layers

    def _save(self, there: set[str]) -> bool:
        """Writes a layer if there is reason to; False if all stays as it is.

        `there`: the keys of all packs that exist.
        """
        if not self._cache.takes:
            return False
        idle = self._idle(there)
        packs = sum(len(layer.starts) - 1 for layer in self._unsaved)
        total = _objects(self._unsaved)
        if not (packs >= MANY_PACKS or total >= MANY_OBJECTS or idle):
            return False
        taken = []
        for one in sorted(self._saved, key=lambda one: one.layer.objects):
            size = one.layer.objects
            if one in idle or (size <= _ABSORB * total and merge.fits(size + total)):
                taken.append(one)
                total += size
        unwanted = {p for one in taken for p in one.layer.packs() if key_of(p) not in there}
        for one in self._saved:
            if one not in taken:
                unwanted.update(one.layer.packs())
        layers = [*self._unsaved, *(one.layer for one in taken)]
        groups = [layers] if merge.fits(total) else [[layer] for layer in layers]
        broken = [one for one in taken if not one.layer.is_whole()]
        if not broken:
            try:
                merged = [merge.merge(group, unwanted) for group in groups]
            except (ValueError, IndexError):
                broken = taken  # under a right seal: a forgery
        if broken:
            self._replace(broken, (), self._unsaved)
            self.refresh()  # reads anew what only they covered
            return True
        saved = [self._cache.save(layer) for layer in merged if layer.objects]
        if None in saved:
            return False
        self._replace(taken, [one for one in saved if one is not None], ())
        return True

    def _idle(self, there: set[str]) -> list[Saved]:
        """Layers that had better go: most of their packs are gone, or others have them all.

        Two processes that wrote at once leave such.
        """
        idle, seen = [], set[PackId]()
        for one in sorted(self._saved, key=lambda one: -one.layer.objects):
            packs = one.layer.packs()
            left = sum(key_of(pack) in there for pack in packs)
            if 2 * left < len(packs) or seen.issuperset(packs):
                idle.append(one)
            else:
                seen.update(packs)
        return idle

    def _replace(
        self, old: Collection[Saved], new: Iterable[Saved], unsaved: tuple[Layer, ...]
    ) -> None:
        kept = (one for one in self._saved if one not in old)
        self._use((*kept, *new), unsaved)
        for one in old:
            self._cache.remove(one)


def _objects(layers: Iterable[Layer]) -> int:
    return sum(layer.objects for layer in layers)


def _together(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """`layers`, made here, as one if that is not too large."""
    return (merge.merge(layers),) if merge.fits(_objects(layers)) else layers
