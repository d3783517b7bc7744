"""Protocols that others use or proposed, each of which loses what was saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from protocol import DELETE, LIST, NONE, PUT, READ
from storage import Blobs, Name, Shared


class Sweep(NamedTuple):
    """A gc that marks what runs lead to and deletes the rest, all of it or what is old alone."""

    by_age: bool
    pc: str = READ
    live: Blobs = frozenset()
    going: tuple[Name, ...] = ()

    role = "gc"

    def steps(self, shared: Shared) -> Iterator[tuple[str, Shared, Sweep]]:
        match self.pc:
            case "read":
                yield READ, shared, self._replace(pc="list", live=shared.facts().live)
            case "list":
                idle = {one.name for one in shared.packs if not one.blobs & self.live}
                going = tuple(sorted(idle & shared.old if self.by_age else idle))
                yield LIST, shared, self._replace(pc="delete" if going else "", going=going)
            case "delete":
                first, *rest = self.going
                after = shared.delete(first, condemned=False)
                yield DELETE, after, self._replace(pc="delete" if rest else "", going=tuple(rest))


class MarkWaitDelete(NamedTuple):
    """A gc that marks what nobody needs, for all to see, and deletes what nobody took up since.

    Writers that begin after the mark do not build on what is marked. It waits, but however long
    that is, a lid that was shut is shut for longer.
    """

    pc: str = READ
    live: Blobs = frozenset()
    marked: frozenset[Name] = NONE

    role = "gc"

    def steps(self, shared: Shared) -> Iterator[tuple[str, Shared, MarkWaitDelete]]:
        match self.pc:
            case "read":
                yield READ, shared, self._replace(pc="list", live=shared.facts().live)
            case "list":
                idle = {one.name for one in shared.packs if not one.blobs & self.live}
                new = self._replace(marked=frozenset(idle))
                yield LIST, shared, new._replace(pc="mark" if idle else "")
            case "mark":
                after = shared._replace(marked=shared.marked | self.marked)
                yield PUT, after, self._replace(pc="wait")
            case "wait":
                live = shared.facts().live
                needed = {one.name for one in shared.packs if one.blobs & live}
                after = shared._replace(marked=shared.marked - needed)
                marked = self.marked - needed
                yield READ, after, self._replace(pc="delete" if marked else "", marked=marked)
            case "delete":
                first, *rest = sorted(self.marked)
                new = self._replace(marked=frozenset(rest), pc="delete" if rest else "")
                yield DELETE, shared.delete(first, condemned=False), new
