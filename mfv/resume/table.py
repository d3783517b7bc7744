"""What is known of each step before the first task runs: taken over or run, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from mfv.flow.graph import Graph
from mfv.resume.origin import Origin
from mfv.resume.past import Past


class Row(NamedTuple):
    """One step."""

    step: str
    verdict: Literal["reused", "run", "depends"]
    why: str


def plan(graph: Graph, origin: Origin, past: Past, step: str | None) -> Iterator[Row]:
    """The steps in their order; `step`: from where on all is to be run.

    What comes after a step that runs depends on what that leaves: the same again, and the step
    is taken over all the same.
    """
    finished, unseen = origin.finished(), origin.unseen()
    runs: set[str] = set()
    before: dict[str, set[str]] = {name: set() for name in graph.nodes}
    for name in graph.nodes:
        for following in graph[name].next:
            before[following].add(name)
    for name in graph.order:
        why = _why(name, origin, past, step, finished.get(name), unseen)
        if why is not None:
            runs.add(name)
            yield Row(name, "run", why)
        elif open_ := sorted(before[name] & runs, key=graph.order.index):
            runs.add(name)
            yield Row(name, "depends", f"on what {' and '.join(open_)} will leave")
        else:
            yield Row(name, "reused", "nothing that it depends on changed")


def _why(
    name: str,
    origin: Origin,
    past: Past,
    step: str | None,
    tasks: tuple[int, int] | None,
    unseen: set[str],
) -> str | None:
    if name == step:
        return "asked for"
    if name in origin.left_out:
        return f"comes after {step}"
    if name in origin.elsewhere:
        return "it leads elsewhere than it did, or is new"
    if tasks is None:
        return f"never ran in {past.view.name}"
    why = past.why(name)
    if why is not None:
        return why
    if name in unseen:
        return f"{past.view.name} took it over without a look at the code"
    done, all_ = tasks
    if done < all_:
        return "failed" if all_ == 1 else f"{all_ - done} of {all_} tasks failed"
    return None


def as_lines(rows: list[Row]) -> list[str]:
    """The table as text."""
    wide = max((len(row.step) for row in rows), default=0)
    return [f"  {row.step:<{wide}}  {row.verdict:<7}  {row.why}" for row in rows]
