"""The protocol of mfv: gc and repack. See `protocol.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from explorer import BrokenError
from protocol import DELETE, LIST, LOOK, LOST, NONE, PUT, READ, WON, Rules
from storage import Blobs, Entry, Name, Pack, Shared


class Gc(NamedTuple):
    """One pass of a gc, which sweeps what is in the trash where it is told to."""

    sweeps: bool = False
    rules: Rules = Rules()
    pc: str = READ
    known: int = 0
    live: Blobs = frozenset()  # what runs lead to, as marked
    seen: frozenset[Pack] = frozenset()
    doomed: frozenset[Name] = NONE
    left: frozenset[Name] = NONE  # condemned by an earlier one, and still there
    going: tuple[Name, ...] = ()  # to be deleted

    role = "gc"

    def steps(self, shared: Shared) -> Iterator[tuple[str, Shared, Gc]]:
        match self.pc:
            case "read" if self.sweeps:
                yield READ, shared, self._replace(pc="sweep", known=len(shared.log))
            case "sweep":
                yield from self._sweep(shared)
            case "read":
                facts, known = shared.facts(), len(shared.log)
                yield READ, shared, self._replace(pc="list", known=known, live=facts.live)
            case "list" if mark(shared, self):
                facts = shared.facts(self.known)
                idle = {one.name for one in shared.packs if not one.blobs & self.live}
                there = {one.name for one in shared.packs}
                doomed = frozenset(idle - facts.condemned)
                left = frozenset(there & facts.condemned)
                new = self._replace(seen=shared.packs, doomed=doomed, left=left)
                yield LIST, shared, new._replace(pc="again") if doomed else new.deleting()
            case "list":
                yield LIST, shared, self._replace(pc="read")
            case "again":
                yield from self._look_again(shared)
            case "create":
                entry = Entry("condemn", condemned=self.doomed)
                after = shared.create(self.known + 1, entry)
                if after is None:
                    yield LOST, shared, self._replace(pc="again")
                else:
                    yield WON, after, self.deleting()
            case "delete":
                yield from delete(shared, self)

    def deleting(self) -> Gc:
        """Itself before it deletes what it has to."""
        going = tuple(sorted(self.doomed | self.left))
        return Gc(rules=self.rules, pc="delete" if going else "", going=going)

    def _sweep(self, shared: Shared) -> Iterator[tuple[str, Shared, Gc]]:
        facts = shared.facts(self.known)
        due = sorted(facts.trash - facts.swept)
        rest = self._replace(sweeps=False, pc="read")
        if not due:
            yield READ, shared, rest
            return
        number = self.known + 1 if self.rules.sweep_looks_again else len(shared.log) + 1
        after = shared.create(number, Entry("sweep", due[0]))
        if after is None:
            yield LOST, shared, self._replace(pc="read")
        else:
            yield WON, after, rest

    def _look_again(self, shared: Shared) -> Iterator[tuple[str, Shared, Gc]]:
        """Spares what the entries since need; marks anew where that cannot be told."""
        if not self.rules.gc_condemns:
            yield READ, shared, self.deleting()
            return
        known = len(shared.log)
        doomed, came = self.doomed, shared.log[self.known :]
        live = self.live
        if came and self.rules.gc_looks_at_what_came:
            spared = {name for entry in came for name in entry.packs}
            needed = frozenset[str]().union(*(entry.blobs for entry in came))
            there = self.seen | {one for one in shared.packs if one.name in spared}
            for blob in needed - self.live:
                copies = {one.name for one in there if blob in one.blobs}
                if not copies:
                    yield READ, shared, self._replace(pc="read")  # a repack moved it
                    return
                spared |= copies
            doomed, live = doomed - spared - shared.facts().condemned, live | needed
        new = self._replace(known=known, doomed=doomed, live=live)
        yield READ, shared, new._replace(pc="create") if doomed else new.deleting()


class Repack(NamedTuple):
    """One repack: what runs need of all packs into a new one, which takes their place."""

    name: str
    rules: Rules = Rules()
    pc: str = READ
    known: int = 0
    live: Blobs = frozenset()
    seen: frozenset[Pack] = frozenset()
    left: frozenset[Pack] = frozenset()  # to be copied from
    sources: frozenset[Pack] = frozenset()
    copied: Blobs = frozenset()  # and not in a pack yet
    safe: Blobs = frozenset()  # outside of the sources
    made: frozenset[Name] = NONE
    relied: frozenset[Name] = NONE  # packs that stay, for what needs no copy
    packs: int = 0
    going: tuple[Name, ...] = ()  # to be deleted

    role = "repack"

    def steps(self, shared: Shared) -> Iterator[tuple[str, Shared, Repack]]:
        match self.pc:
            case "read":
                again = Repack(self.name, self.rules, packs=self.packs)
                known, live = len(shared.log), shared.facts().live
                yield READ, shared, again._replace(pc="list", known=known, live=live)
            case "list" if mark(shared, self):
                gone = shared.facts(self.known).condemned
                alive = [one for one in shared.packs if one.blobs & self.live]
                sources = frozenset(one for one in alive if one.name not in gone)
                hollow = any(2 * len(one.blobs & self.live) < len(one.blobs) for one in sources)
                new = self._replace(seen=shared.packs, sources=sources, left=sources)
                work = len(sources) > 1 or hollow
                yield LIST, shared, new._replace(pc="look" if work else "")
            case "list":
                yield LIST, shared, self._replace(pc="read")
            case "look":
                yield from self._look(shared)
            case "put":
                pack = Pack((self.name, self.packs), self.copied)
                new = self._replace(made=self.made | {pack.name}, packs=self.packs + 1)
                new = new._replace(safe=self.safe | self.copied, copied=frozenset(), pc="again")
                yield PUT, shared.put(pack), new
            case "again":
                yield from self._look_again(shared)
            case "create":
                names = frozenset(one.name for one in self.sources)
                entry = Entry("repack", packs=self.made, condemned=names)
                after = shared.create(self.known + 1, entry)
                if after is None:
                    yield LOST, shared, self._replace(pc="again")
                else:
                    going = tuple(sorted(names))
                    yield WON, after, Repack(self.name, self.rules, "delete", going=going)
            case "delete":
                yield from delete(shared, self)

    def _look(self, shared: Shared) -> Iterator[tuple[str, Shared, Repack]]:
        """Copies out of one pack; plans anew where another one condemned it."""
        source = min(self.left)
        if not shared.has(source.name):
            if source.name not in shared.facts().condemned:
                raise BrokenError("13: a repack does not find a pack that nobody condemned")
            yield READ, shared, self._replace(pc="read")
            return
        wanted = (source.blobs & self.live) - self.safe - self.copied
        yield LOOK, shared, self._next(source, wanted)
        # Or what lies in a pack that stays as well is not copied, if that is known by now.
        own = {one.name for one in self.sources} | self.made | shared.facts(self.known).condemned
        for other in shared.packs:
            if other.name not in own and other.blobs & wanted:
                safe, relied = self.safe | (other.blobs & wanted), self.relied | {other.name}
                new = self._replace(safe=safe, relied=relied)
                yield LOOK, shared, new._next(source, wanted - other.blobs)

    def _next(self, source: Pack, wanted: Blobs) -> Repack:
        """Itself with what it copied of a source, before the next one."""
        left, copied = self.left - {source}, self.copied | wanted
        then = "look" if left else "put" if copied else "again"
        return self._replace(left=left, copied=copied, pc=then)

    def _look_again(self, shared: Shared) -> Iterator[tuple[str, Shared, Repack]]:
        """Copies what the entries since need of its sources, until there are none since."""
        facts, known = shared.facts(), len(shared.log)
        if facts.condemned & (self.made | self.relied | {one.name for one in self.sources}):
            yield READ, shared, self._replace(pc="read")  # by another gc
            return
        came = shared.log[self.known :]
        needed = frozenset[str]().union(*(entry.blobs for entry in came)) - self.live
        new = self._replace(known=known, live=self.live | needed, pc="create")
        inside = frozenset[str]().union(*(one.blobs for one in self.sources))
        more = (needed & inside) - self.safe
        if not more or not self.rules.repack_looks_at_what_came:
            yield READ, shared, new
            return
        left = frozenset(one for one in self.sources if one.blobs & more)
        yield READ, shared, new._replace(left=left, pc="look")


def mark(shared: Shared, process: Gc | Repack) -> bool:
    """Reads all records that runs lead to; False where a repack moved some of them meanwhile."""
    held = {blob for one in shared.packs for blob in one.blobs}
    if process.live <= held:
        return True
    if len(shared.log) == process.known:
        raise BrokenError(f"13: a {process.role} does not find what runs need")
    return False


P = TypeVar("P", Gc, Repack)


def delete(shared: Shared, process: P) -> Iterator[tuple[str, Shared, P]]:
    """Deletes the next of the packs that are to go; another one may have been quicker."""
    first, *rest = process.going
    after = shared.delete(first, condemned=process.rules.gc_condemns)
    yield DELETE, after, process._replace(pc="delete" if rest else "", going=tuple(rest))
