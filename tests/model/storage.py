"""What the processes of the model share: packs, and the log that names and condemns them."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from explorer import BrokenError

Name = tuple[str, int]  # of a pack: who wrote it, and which of theirs it is
Blobs = frozenset[str]


class Pack(NamedTuple):
    """A pack on the storage."""

    name: Name
    blobs: Blobs


class Entry(NamedTuple):
    """One entry of the log."""

    kind: str  # run, condemn, repack, trash, restore, sweep
    run: str = ""
    blobs: Blobs = frozenset()  # what the run needs
    packs: frozenset[Name] = frozenset()  # that the entry brings in
    relied: frozenset[Name] = frozenset()  # that were there before
    condemned: frozenset[Name] = frozenset()


class Facts(NamedTuple):
    """What a prefix of the log adds up to."""

    live: Blobs
    condemned: frozenset[Name]
    trash: frozenset[str]
    swept: frozenset[str]
    trouble: str  # an entry that relies on what an earlier one condemned


class Shared(NamedTuple):
    """The storage; every verb on it is one step."""

    packs: frozenset[Pack] = frozenset()
    log: tuple[Entry, ...] = ()
    # Of protocols that are no good: packs that may go later, and packs older than the grace.
    marked: frozenset[Name] = frozenset()
    old: frozenset[Name] = frozenset()

    def put(self, pack: Pack) -> Shared:
        if any(one.name == pack.name for one in self.packs) or pack.name in self.facts().condemned:
            raise BrokenError("8: a name of a pack is used again")
        return self._replace(packs=self.packs | {pack})

    def overwrite(self, pack: Pack) -> Shared:
        """As `put`, by a protocol that does not care for names."""
        others = {one for one in self.packs if one.name != pack.name}
        return self._replace(packs=frozenset({*others, pack}))

    def create(self, number: int, entry: Entry) -> Shared | None:
        """With entry `number`; None where that number is taken."""
        if len(self.log) >= number:
            return None
        if len(self.log) != number - 1:
            raise BrokenError("5: the numbers of the log have a gap")
        return self._replace(log=(*self.log, entry))

    def delete(self, name: Name, *, condemned: bool = True) -> Shared:
        if condemned and name not in self.facts().condemned:
            raise BrokenError("9: a pack is deleted that no entry condemned")
        return self._replace(packs=frozenset(one for one in self.packs if one.name != name))

    def has(self, name: Name) -> bool:
        return any(one.name == name for one in self.packs)

    def facts(self, number: int | None = None) -> Facts:
        """As of an entry; of the last one where none is given."""
        return fold(self.log if number is None else self.log[:number])


@lru_cache(1 << 16)
def fold(log: tuple[Entry, ...]) -> Facts:
    runs: dict[str, Blobs] = {}
    condemned: set[Name] = set()
    trash: set[str] = set()
    swept: set[str] = set()
    trouble = ""
    for entry in log:
        if (entry.packs | entry.relied) & condemned:
            trouble = "7: an entry relies on a pack that was condemned before"
        if entry.kind == "run":
            runs[entry.run] = runs.get(entry.run, frozenset()) | entry.blobs
        condemned |= entry.condemned
        if entry.kind == "sweep" and entry.run not in trash:
            trouble = "1: a run is swept that was restored"
        trash |= {entry.run} if entry.kind == "trash" else set()
        trash -= {entry.run} if entry.kind == "restore" else set()
        swept |= {entry.run} if entry.kind == "sweep" else set()
    live = frozenset[str]().union(*(runs[run] for run in runs if run not in swept))
    return Facts(live, frozenset(condemned), frozenset(trash), frozenset(swept), trouble)


def whole(shared: Shared) -> str:
    """What is wrong with the storage as it is; nothing where every run reads back, and will.

    A condemned pack counts as gone: whoever is quick deletes it.
    """
    facts = shared.facts()
    if facts.trouble:
        return facts.trouble
    held = {blob for one in shared.packs if one.name not in facts.condemned for blob in one.blobs}
    lost = facts.live - held
    return f"1, 2: {', '.join(sorted(lost))} is lost" if lost else ""
