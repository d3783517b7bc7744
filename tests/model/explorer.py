"""Every order in which several processes can take their steps, each state looked at once.

A process that dies at some step is one that takes no step any more, and every state is met in which
that is so: what is asked of a state is asked of it whoever is dead by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol


class BrokenError(Exception):
    """A step that must never be possible; says which promise it breaks."""


class Process(Protocol):
    """One process: a value that says where it stands and what it knows."""

    @property
    def role(self) -> str: ...

    @property
    def pc(self) -> str:
        """The step that is next; empty: it has ended."""
        ...

    def steps(self, shared: Any) -> Iterable[tuple[str, Any, Any]]:
        """What it can do now: (what a storage sees of it, all after it, itself after it)."""
        ...


class Edge(NamedTuple):
    """A step that some process of a role was seen to take."""

    role: str
    pc: str
    label: str
    then: str


class World(NamedTuple):
    """What all see, and every process."""

    shared: Any
    processes: tuple[Process, ...]


class Explored(NamedTuple):
    """What was found."""

    states: int
    edges: frozenset[Edge]
    ends: int  # states in which all have ended
    trouble: str = ""  # the promise that was broken
    path: tuple[str, ...] = ()  # the shortest way there

    def story(self) -> str:
        return "\n".join([*self.path, f"=> {self.trouble}"])


class _Numbered:
    """Values by number: what is compared a million times is compared as a number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        found = self._numbers.setdefault(value, len(self.values))
        if found == len(self.values):
            self.values.append(value)
        return found


_Numbers = tuple[int, ...]  # of what all see, then of each process


def explore(start: World, check: Callable[[Any], str]) -> Explored:
    """Goes through all states that can be reached; `check(shared)` says what is wrong, or nothing.

    Ends at the first thing that is wrong: no way to anything wrong is shorter.
    """
    return _Exploring(start, check).run()


class _Exploring:
    def __init__(self, start: World, check: Callable[[Any], str]) -> None:
        self._check = check
        self._shared, self._processes = _Numbered(), _Numbered()
        self._alike = _alike(start.processes)
        self._steps: dict[tuple[int, int], list[tuple[str, int, int]]] = {}
        self._edges: set[Edge] = set()
        self._checked: set[int] = set()
        processes = map(self._processes.number, start.processes)
        self._start = (self._shared.number(start.shared), *processes)
        self._before: dict[_Numbers, _Numbers] = {self._start: ()}

    def run(self) -> Explored:
        ends = 0
        layer = [self._start]
        while layer:
            following: list[_Numbers] = []
            for world in layer:
                trouble = self._look_at(world[0])
                if trouble:
                    return self._failed(world, trouble)
                try:
                    ends += self._go_on(world, following)
                except BrokenError as error:
                    return self._failed(world, str(error))
            layer = following
        return Explored(len(self._before), frozenset(self._edges), ends)

    def _look_at(self, shared: int) -> str:
        if shared in self._checked:
            return ""
        self._checked.add(shared)
        return self._check(self._shared.values[shared])

    def _go_on(self, world: _Numbers, following: list[_Numbers]) -> bool:
        """Adds all that can come next; returns whether all have ended."""
        has_ended = True
        for place in range(1, len(world)):
            for _, shared, after in self._steps_of(world[place], world[0]):
                has_ended = False
                new = [*world]
                new[0], new[place] = shared, after
                for places in self._alike:
                    some = sorted(new[one] for one in places)
                    for one, other in zip(places, some, strict=True):
                        new[one] = other
                found = tuple(new)
                if found not in self._before:
                    self._before[found] = world
                    following.append(found)
        return has_ended

    def _steps_of(self, process: int, shared: int) -> list[tuple[str, int, int]]:
        known = self._steps.get((process, shared))
        if known is not None:
            return known
        found = []
        before = self._processes.values[process]
        if before.pc:
            for label, seen, after in before.steps(self._shared.values[shared]):
                self._edges.add(Edge(before.role, before.pc, label, after.pc))
                found.append((label, self._shared.number(seen), self._processes.number(after)))
        self._steps[process, shared] = found
        return found

    def _failed(self, world: _Numbers, trouble: str) -> Explored:
        """Tells who did what from the start to `world`."""
        path = []
        while before := self._before[world]:
            path.append(self._told(before, world))
            world = before
        edges = frozenset(self._edges)
        return Explored(len(self._before), edges, 0, trouble, tuple(path[::-1]))

    def _told(self, before: _Numbers, world: _Numbers) -> str:
        for number in before[1:]:
            if before[1:].count(number) > world[1:].count(number):
                process = self._processes.values[number]
                for label, shared, after in self._steps_of(number, before[0]):
                    if shared == world[0] and after in world[1:]:
                        return f"{process.role} {getattr(process, 'name', '')}: {label}"
        return "a step that changes nothing"


def _alike(processes: tuple[Process, ...]) -> list[list[int]]:
    """The places of those that begin as equals: which of them does what makes no difference."""
    places: dict[Any, list[int]] = {}
    for place, process in enumerate(processes, 1):
        places.setdefault(process, []).append(place)
    return [some for some in places.values() if len(some) > 1]


def finish(shared: Any, process: Any, most: int = 1000) -> Any:
    """All after the process has run to its end alone, taking the first step that it can."""
    for _ in range(most):
        if not process.pc:
            return shared
        _, shared, process = next(iter(process.steps(shared)))
    raise BrokenError(f"a {process.role} that is alone does not end")
