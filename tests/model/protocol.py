"""The protocol of mfv: what a writer, a gc, a repack and a reader do with the storage, in order.

Each step is one call of the storage, or many calls of which only the last counts: the log is read
by asking for the next number until there is none, so that it is known as of that last call.

Who changes the order of `mfv.repo.log`, `mfv.repo.publish`, `mfv.odb.writer`, `mfv.maintain.gc` or
`mfv.maintain.repack` changes it here as well: `test_in_step.py` holds the code against these steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from explorer import BrokenError
from storage import Blobs, Entry, Name, Pack, Shared

READ, LIST, LOOK = "read", "list", "look"  # the log, the packs that there are, into packs
PUT, WON, LOST, DELETE = "put", "create", "create: taken", "delete"
NONE: frozenset[Name] = frozenset()


class Rules(NamedTuple):
    """What the protocol rests on; each can be left out, to see what it is good for."""

    writers_look_for_condemned: bool = True  # on the very prefix that they commit on
    writers_doubt_what_they_wrote: bool = True  # just now: it may be condemned as well
    gc_condemns: bool = True  # by an entry, before it deletes
    gc_looks_at_what_came: bool = True  # since it marked, on the prefix that it condemns on
    repack_looks_at_what_came: bool = True
    sweep_looks_again: bool = True  # whether the run is still in the trash, on that prefix
    readers_are_patient: bool = True  # and list the packs anew as often as one of them is gone
    fresh_names: bool = True  # of packs; else by their content


class Writer(NamedTuple):
    """Commits runs, one after another, and builds on what is there of what they need."""

    name: str
    plan: tuple[Blobs, ...]  # what each entry is to hold
    rules: Rules = Rules()
    has_records: bool = True  # each entry needs something that nobody has yet
    pc: str = LIST
    known: int = 0  # entries that it has read
    seen: frozenset[Pack] = frozenset()  # packs that it knows of, gone by now or not
    relied: frozenset[Name] = NONE
    found: Blobs = frozenset()  # what it found in those
    made: frozenset[Name] = NONE  # written for the entry that is next
    packs: int = 0  # written by it

    role = "writer"

    @property
    def needs(self) -> Blobs:
        """What the next entry is to hold."""
        record = f"{self.name}'s record {len(self.plan)}"
        return self.plan[0] | {record} if self.has_records else self.plan[0]

    def steps(self, shared: Shared) -> Iterator[tuple[str, Shared, Writer]]:
        match self.pc:
            case "list":
                seen = frozenset(one for one in shared.packs if one.name not in shared.marked)
                yield LIST, shared, self._replace(pc="look", seen=seen)
            case "look":
                yield from self._look(shared)
            case "read":
                known = self._replace(known=len(shared.log))
                made = self.made if self.rules.writers_doubt_what_they_wrote else NONE
                bad = shared.facts().condemned & (made | self.relied)
                if bad and self.rules.writers_look_for_condemned:
                    again = known._replace(pc=LIST, relied=NONE, found=frozenset(), made=NONE)
                    yield READ, shared, again
                else:
                    yield READ, shared, known._replace(pc="create")
            case "create":
                yield from self._create(shared)

    def _look(self, shared: Shared) -> Iterator[tuple[str, Shared, Writer]]:
        """Verifies one copy of what it needs, or writes what there is no copy of."""
        avoid = shared.facts(self.known).condemned
        for blob in sorted(self.needs - self.found):
            copies = [one for one in self.seen if blob in one.blobs and one.name not in avoid]
            if not copies:
                continue
            for copy in copies:
                if shared.has(copy.name):
                    held = self.found | (copy.blobs & self.needs)
                    relied = self.relied | {copy.name}
                    yield LOOK, shared, self._replace(found=held, relied=relied)
                else:
                    yield LOOK, shared, self._replace(seen=self.seen - {copy})
            return
        yield from self._put(shared)

    def _put(self, shared: Shared) -> Iterator[tuple[str, Shared, Writer]]:
        new = self.needs - self.found
        # What it will not ask for any more is forgotten, so that equal states are one.
        seen = self.seen if len(self.plan) > 1 else frozenset[Pack]()
        then = self._replace(pc="read", found=frozenset(), seen=seen)
        if not new:
            yield LOOK, shared, then
            return
        if self.rules.fresh_names:
            pack = Pack((self.name, self.packs), new)
            after = shared.put(pack)
        else:
            content = self.plan[0] - self.found or new
            pack = Pack((" ".join(sorted(content)), 0), new)
            after = shared.overwrite(pack)
        if len(self.plan) > 1:
            then = then._replace(seen=seen | {pack})
        yield PUT, after, then._replace(packs=self.packs + 1, made=self.made | {pack.name})

    def _create(self, shared: Shared) -> Iterator[tuple[str, Shared, Writer]]:
        entry = Entry("run", self.name, self.needs, self.made, self.relied)
        after = shared.create(self.known + 1, entry)
        if after is None:
            yield LOST, shared, self._replace(pc="read")
            return
        rest = self.plan[1:]
        if not rest:
            yield WON, after, Writer(self.name, (), self.rules, pc="")
            return
        # It goes on with what it knows, but for packs that it learned to be condemned: then it
        # lists what there is anew.
        new = self._replace(plan=rest, known=self.known + 1, made=NONE, relied=NONE)
        yield WON, after, new._replace(pc="look")
        yield WON, after, new._replace(pc=LIST)


class Renamer(NamedTuple):
    """Someone who puts a run into the trash, or takes it out: an entry without any pack."""

    kind: str
    run: str
    pc: str = READ
    known: int = 0

    role = "renamer"

    def steps(self, shared: Shared) -> Iterator[tuple[str, Shared, Renamer]]:
        match self.pc:
            case "read":
                # What was swept is refused, in one sentence.
                is_late = self.kind == "restore" and self.run in shared.facts().swept
                known = len(shared.log)
                yield READ, shared, self._replace(pc="" if is_late else "create", known=known)
            case "create":
                after = shared.create(self.known + 1, Entry(self.kind, self.run))
                if after is None:
                    yield LOST, shared, self._replace(pc="read")
                else:
                    yield WON, after, self._replace(pc="")


class Reader(NamedTuple):
    """Reads every object of every run that there was when it began."""

    rules: Rules = Rules()
    pc: str = READ
    wanted: Blobs = frozenset()
    seen: frozenset[Pack] = frozenset()
    tried: frozenset[Name] = NONE  # gone when they were looked into
    lists: int = 0  # that led to nothing

    role = "reader"

    def steps(self, shared: Shared) -> Iterator[tuple[str, Shared, Reader]]:
        match self.pc:
            case "read":
                yield READ, shared, self._replace(pc="list", wanted=shared.facts().live)
            case "list":
                yield LIST, shared, self._list(shared)
            case "look":
                copies = [one for one in self.seen if one.name not in self.tried]
                copy = next((one for one in sorted(copies) if one.blobs & self.wanted), None)
                if copy is None:
                    yield LOOK, shared, self._replace(pc="list" if self.wanted else "")
                elif shared.has(copy.name):
                    wanted = self.wanted - copy.blobs
                    yield LOOK, shared, self._replace(wanted=wanted, lists=0)
                else:
                    yield LOOK, shared, self._replace(tried=self.tried | {copy.name})

    def _list(self, shared: Shared) -> Reader:
        """Goes on while there is a pack that it has not looked into, however often one goes."""
        copies = [one for one in shared.packs if one.blobs & self.wanted]
        patient = self.rules.readers_are_patient
        if all(one.name in self.tried for one in copies) or (self.lists == 2 and not patient):
            lost = self.wanted & shared.facts().live
            if lost:
                raise BrokenError(f"13: a reader does not find {', '.join(sorted(lost))}")
            return self._replace(pc="")  # it was swept meanwhile
        lists = 0 if patient else self.lists + 1
        return self._replace(pc="look", seen=shared.packs, lists=lists)
