"""Introduces runs to lineage: the graph of a run, and the runs that are behind it or came of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

from mfv.errors import CorruptError
from mfv.lineage.runs import UNKNOWN, Known, Lineage, Link, Named, follow, turn
from mfv.lineage.steps import RunGraph, graph_of
from mfv.manifest.records import Opening, RunName, Task
from mfv.repo.names import RunState
from mfv.repo.reads import run_of
from mfv.repo.repository import Repository
from mfv.repo.view import RunView


def run_graph(run: RunView) -> RunGraph:
    """The steps of a run with what became of each; of an open run, as of now. Loads no value."""
    before = run.opening.resumed_from
    return graph_of(
        run.name,
        run.opening.graph,
        [run.repository.task(ref) for ref in run.refs],
        status=run.status,
        seconds=run.seconds,
        resumed_from=None if before is None else f"{run.flow}/{before}",
    )


def built_on(run: RunView) -> list[str]:
    """The names of the runs here that `run` took something from, by its own records alone."""
    opening, here = run.opening, run.repository.format.repository
    found = []
    if opening.resumed_from is not None:
        found.append(f"{run.flow}/{opening.resumed_from}")
    if opening.cloned_from is not None and opening.cloned_origin in (None, here):
        found.append(opening.cloned_from)
    sources = None if run.manifest is None else run.manifest.sources
    found += [f"{one.flow}/{one.number}" for one in sources or () if one.origin == here]
    return list(dict.fromkeys(found))


class Traced(NamedTuple):
    """A lineage, and the runs whose records are too damaged to say what they took."""

    lineage: Lineage
    damaged: list[str]


def ancestors(run: RunView) -> Traced:
    """The runs that `run` was resumed or cloned from, whose tasks it reused or read, and so on."""
    tracer = _Tracer(run.repository)
    start = Named(run.name)
    return Traced(follow(start, tracer.known, back=True), tracer.damaged)


def descendants(run: RunView) -> Traced:
    """The runs that took something from `run`, those that took from them, and so on.

    Looks at every run of the repository, at the tasks of those alone that took something.
    """
    tracer = _Tracer(run.repository)
    links = [
        (known.run, link)
        for state in run.repository.state
        for known in [tracer.known(Named(state.name))]
        for link in known.links
    ]
    taken = turn(links)

    def read(name: Named) -> Known:
        known = tracer.bare(name)
        return Known(known.run, known.status, known.started, tuple(taken.get(name, ())))

    return Traced(follow(Named(run.name), read, back=False), tracer.damaged)


class _Tracer:
    """Reads what runs took from others."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._state = repository.state
        self._by_name = {run.name: run for run in self._state}
        self.damaged: list[str] = []

    def bare(self, name: Named) -> Known:
        """The run without what it took."""
        state = None if name.repository else self._by_name.get(name.name)
        if state is None:
            return Known(name)
        return Known(name, self._repository.status(state), state.time)

    def known(self, name: Named) -> Known:
        """The run and what it took; no links where it is not here, or damaged."""
        bare = self.bare(name)
        if bare.status is None:
            return bare
        try:
            links = self._links(RunView(self._repository, self._by_name[name.name]))
        except CorruptError:
            self.damaged.append(name.name)
            return bare
        return Known(bare.run, bare.status, bare.started, links)

    def _links(self, run: RunView) -> tuple[Link, ...]:
        opening, links = run.opening, []
        if opening.cloned_from is not None:
            links.append(Link("cloned from", self._cloned(run.state, opening)))
        noted = None if run.manifest is None else run.manifest.sources
        tasks = [] if noted == () else [run.repository.task(ref) for ref in run.refs]
        clones = Counter(task.origin[0] for task in tasks if task.origin is not None)
        before = opening.resumed_from
        if before is not None:
            name = Named(f"{run.flow}/{before}")
            links.insert(0, Link("resumed from", name, tasks=clones.pop(before, 0)))
        for number, count in sorted(clones.items()):
            links.append(Link("reused from", Named(f"{run.flow}/{number}"), tasks=count))
        return (*links, *self._reads(tasks))

    def _reads(self, tasks: list[Task]) -> list[Link]:
        found: dict[RunName, set[str]] = defaultdict(set)
        for read in (read for task in tasks for read in task.reads):
            found[run_of(read)].add(f"{read.step}/{read.task}/{read.name}")
        links = [
            Link("read from", self._named(name), artifacts=tuple(sorted(artifacts)))
            for name, artifacts in found.items()
        ]
        return sorted(links, key=lambda link: link.run)

    def _named(self, run: RunName) -> Named:
        here = run.origin == self._repository.format.repository
        return Named(f"{run.flow}/{run.number}", "" if here else run.origin.hex())

    def _cloned(self, run: RunState, opening: Opening) -> Named:
        """The run that was cloned; records of old have its name alone, which may be any one's."""
        name, origin = opening.cloned_from or "", opening.cloned_origin
        if origin is not None and origin != self._repository.format.repository:
            return Named(name, origin.hex())
        found = self._by_name.get(name)
        is_here = found is not None and found.opened < run.opened
        return Named(name, "" if is_here else UNKNOWN)
