"""The graph of one run: its steps as they stood in the source, with what became of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from mfv.manifest.records import Failure, GraphNode, RunName, Task

# `running`: tasks of it run or are about to; `unfinished`: the run ended before they did;
# `skipped`: no switch chose it; `waiting`, `not reached`: nothing led to it so far, or at all.
StepStatus = Literal["ok", "failed", "running", "unfinished", "skipped", "waiting", "not reached"]

_MANY = ("foreach", "parallel")  # kinds of steps of which one task leads to several


class Source(msgspec.Struct, frozen=True):
    """Another run that tasks of a step read from."""

    run: RunName
    artifacts: tuple[str, ...]  # their names, sorted


class Step(msgspec.Struct, frozen=True):
    """One step, and its tasks by their newest attempts."""

    name: str
    kind: str  # `linear`, `split`, `foreach`, `switch`, `parallel`, `end`
    is_join: bool
    doc: str
    status: StepStatus
    tasks: int  # that ended
    expected: int  # as far as it is known what the run would come to
    failed: int
    caught: int  # went on all the same, by @catch
    retried: int  # needed more than one attempt
    reused: int  # are clones of tasks of earlier runs
    seconds: float  # from the first start to the last end: of those that ran here, else of clones
    variable: str = ""  # of a foreach: what it goes over
    origins: tuple[int, ...] = ()  # numbers of the runs that the clones are of
    sources: tuple[Source, ...] = ()
    failure: Failure | None = None  # of the first task that failed


class Edge(msgspec.Struct, frozen=True):
    """A step and one that follows it."""

    source: str
    target: str
    times: int  # how many tasks it led to
    is_back: bool  # leads back, to a step that can come before it


class RunGraph(msgspec.Struct, frozen=True):
    """One run, its steps in an order in which they can run."""

    run: str
    status: str
    seconds: float
    resumed_from: str | None
    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]  # in the order of their steps


def graph_of(
    run: str,
    nodes: Sequence[GraphNode],
    tasks: Iterable[Task],
    *,
    status: str,
    seconds: float,
    resumed_from: str | None = None,
) -> RunGraph:
    """The graph of a run from its opening's `nodes` and all attempts that ended.

    Whatever the records say: steps that do not exist are left out, cycles are cut.
    """
    known = {node.name: node for node in reversed(nodes)}
    ways = {
        node.name: tuple(dict.fromkeys(n for n in node.next if n in known))
        for node in nodes
        if known[node.name] is node
    }
    order, back = _order(ways)
    by_step = _newest(tasks)
    times: Counter[tuple[str, str]] = Counter()
    for step, found in by_step.items():
        if step in known:
            times.update(_led(known[step], ways[step], found))
    edges = tuple(
        Edge(name, target, times[name, target], (name, target) in back)
        for name in order
        for target in ways[name]
    )
    coming: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        coming[edge.target].append(edge)
    first = next((name for name in ways if not any(name in way for way in ways.values())), "start")
    variables = _variables(by_step)
    steps: dict[str, Step] = {}
    for name in order:
        found = by_step.get(name, [])
        steps[name] = _step(
            known[name], found, coming[name], steps, status, name == first, variables.get(name, "")
        )
    return RunGraph(run, status, seconds, resumed_from, tuple(steps.values()), edges)


def _order(ways: Mapping[str, Sequence[str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """Each step before those that it leads to, and the edges that lead back all the same."""
    targets = {target for following in ways.values() for target in following}
    starts = [name for name in ways if name not in targets]
    starts = starts or [name for name in ways if name == "start"]  # a switch may lead back to it
    back: set[tuple[str, str]] = set()
    on_way: set[str] = set()
    seen: set[str] = set()
    met: list[list[str]] = []
    for beginning in [*starts, *(name for name in ways if name in targets)]:
        if beginning in seen:
            continue
        seen.add(beginning)
        on_way.add(beginning)
        stack = [(beginning, iter(reversed(ways[beginning])))]
        done: list[str] = []
        while stack:
            name, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                stack.pop()
                on_way.discard(name)
                done.append(name)
            elif target in on_way:
                back.add((name, target))
            elif target not in seen:
                seen.add(target)
                on_way.add(target)
                stack.append((target, iter(reversed(ways[target]))))
        met.append(done[::-1])
    # A later beginning may lead into what was met before.
    return [name for part in reversed(met) for name in part], back


def _newest(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """The newest attempt of each task, by step and id."""
    newest: dict[tuple[str, int], Task] = {}
    for task in tasks:
        key = (task.step, task.id)
        if key not in newest or newest[key].attempt <= task.attempt:
            newest[key] = task
    found: dict[str, list[Task]] = defaultdict(list)
    for (step, _), task in sorted(newest.items(), key=lambda item: item[0][1]):
        found[step].append(task)
    return dict(found)


def _led(node: GraphNode, ways: Sequence[str], tasks: Iterable[Task]) -> Iterable[tuple[str, str]]:
    """An edge for each task that a task of `node` led to."""
    found: Counter[tuple[str, str]] = Counter()
    for task in tasks:
        if task.status != "ok":
            continue
        # Records of old did not tell where a task went on.
        following = task.next or (() if node.kind == "switch" else ways)
        for target in following:
            if target in ways:
                found[node.name, target] += task.items if node.kind in _MANY else 1
    return found


def _variables(by_step: Mapping[str, Sequence[Task]]) -> dict[str, str]:
    """What each foreach goes over, as the tasks behind it tell."""
    return {
        split.step: split.variable
        for tasks in by_step.values()
        for task in tasks[:1]
        for split in task.splits
    }


def _step(
    node: GraphNode,
    tasks: Sequence[Task],
    coming: Sequence[Edge],
    before: Mapping[str, Step],
    run_status: str,
    is_first: bool,
    variable: str,
) -> Step:
    failed = [task for task in tasks if task.status == "failed"]
    clones = [task for task in tasks if task.origin is not None]
    timed = [task for task in tasks if task.origin is None] or clones
    seconds = max((t.ended for t in timed), default=0) - min((t.started for t in timed), default=0)
    expected = max(len(tasks), _expected(node, coming, before, is_first))
    return Step(
        name=node.name,
        kind=node.kind,
        is_join=node.is_join,
        doc=node.doc,
        status=_status(len(tasks), expected, len(failed), run_status),
        tasks=len(tasks),
        expected=expected,
        failed=len(failed),
        caught=sum(task.caught is not None for task in tasks),
        retried=sum(task.attempt > 0 for task in tasks),
        reused=len(clones),
        seconds=max(0, seconds) / 1e6,
        variable=variable if node.kind == "foreach" else "",
        origins=tuple(sorted({task.origin[0] for task in clones if task.origin is not None})),
        sources=_sources(tasks),
        failure=next((task.failure for task in failed if task.failure is not None), None),
    )


def _expected(
    node: GraphNode, coming: Sequence[Edge], before: Mapping[str, Step], is_first: bool
) -> int:
    """How many tasks are known to come; a join has at least one once all before it is done."""
    if is_first:
        return 1 + sum(edge.times for edge in coming)
    if not node.is_join:
        return sum(edge.times for edge in coming)
    steps = [before[edge.source] for edge in coming if edge.source in before]
    reached = [step for step in steps if step.expected]
    # A branch that a switch left out is not waited for; one that is still to be reached is.
    waited = [step for step in steps if step.status not in ("ok", "skipped")]
    return int(bool(reached) and not waited)


def _status(tasks: int, expected: int, failed: int, run_status: str) -> StepStatus:
    if failed:
        return "failed"
    if tasks and tasks >= expected:
        return "ok"
    if expected:
        return "running" if run_status == "open" else "unfinished"
    if run_status == "open":
        return "waiting"
    return "skipped" if run_status == "ok" else "not reached"


def _sources(tasks: Iterable[Task]) -> tuple[Source, ...]:
    found: dict[RunName, set[str]] = defaultdict(set)
    for task in tasks:
        for read in task.reads:
            found[RunName(read.origin, read.flow, read.run)].add(read.name)
    ordered = sorted(found, key=lambda run: (run.flow, run.number, run.origin))
    return tuple(Source(run, tuple(sorted(found[run]))) for run in ordered)
