"""The runs behind a run, and those that came of it: who took what from whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

Relation = Literal["resumed from", "reused from", "cloned from", "read from"]

# How the other side tells the same.
TURNED = {
    "resumed from": "resumed by",
    "reused from": "reused by",
    "cloned from": "cloned by",
    "read from": "read by",
}

# In place of a repository's id, where a run is named that another one may have.
UNKNOWN = "unknown"


class Named(msgspec.Struct, frozen=True, order=True):
    """A run by its name, and by its repository where that is another one."""

    name: str  # Flow/number
    repository: str = ""  # id in hex; empty: this repository


class Link(msgspec.Struct, frozen=True):
    """What one run took from another."""

    relation: Relation
    run: Named  # the other one
    tasks: int = 0  # clones of its tasks; 0 where that is not what was taken
    artifacts: tuple[str, ...] = ()  # those that were read, as step/task/name, sorted


class Known(msgspec.Struct, frozen=True):
    """A run that is in the repository, or only named in it."""

    run: Named
    status: str | None = None  # None: it is not here
    started: int = 0  # µs since 1970
    links: tuple[Link, ...] = ()


class Lineage(msgspec.Struct, frozen=True):
    """All runs that can be reached from the first, each once, the nearest first."""

    runs: tuple[Known, ...]
    back: bool  # links lead to what was taken from; else to who took it

    def words(self, link: Link) -> str:
        """The relation as it reads from the run that the link belongs to."""
        return link.relation if self.back else TURNED[link.relation]


def follow(start: Named, read: Callable[[Named], Known], *, back: bool) -> Lineage:
    """The lineage that begins with `start`: of each run what `read` tells, and on from there.

    Runs may lead to each other in a circle: one that starts another and reads what it left.
    """
    found: dict[Named, Known] = {}
    todo: list[Named] = [start]
    while todo:
        coming: list[Named] = []
        for name in todo:
            if name not in found:
                found[name] = read(name)
                coming += (link.run for link in found[name].links)
        todo = coming
    return Lineage(tuple(found.values()), back)


def turn(links: Iterable[tuple[Named, Link]]) -> dict[Named, list[Link]]:
    """The same links by the run that they lead to, each with the run that it was of."""
    found: dict[Named, list[Link]] = {}
    for run, link in links:
        turned = msgspec.structs.replace(link, run=run)
        found.setdefault(link.run, []).append(turned)
    return found
