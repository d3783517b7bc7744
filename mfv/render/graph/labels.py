"""What a step says of itself, the same words in every form of the graph."""

from __future__ import annotations

from mfv.lineage.steps import Edge, RunGraph, Source, Step
from mfv.render.text import escape
from mfv.render.units import count, duration

SYMBOLS = {
    "ok": "o",
    "failed": "x",
    "running": "@",
    "unfinished": "!",
    "skipped": "-",
    "waiting": ".",
    "not reached": ".",
}
REUSED = "="  # all of its tasks are clones
_SHOWN = 6  # runs that are named where many were read


def title(graph: RunGraph) -> str:
    """The run in one line."""
    text = f"{graph.run}  {graph.status} in {duration(graph.seconds)}"
    if graph.resumed_from is not None:
        text += f", goes on from {graph.resumed_from}"
    return escape(text)


def symbol(step: Step) -> str:
    """One character for how the step went."""
    if step.status == "ok" and step.reused == step.tasks:
        return REUSED
    return SYMBOLS[step.status]


def tasks(step: Step) -> str:
    """`1 task`, `3 of 8 tasks`; empty where nothing led to it."""
    if not step.expected:
        return ""
    if step.tasks == step.expected:
        return count(step.tasks, "task")
    return f"{step.tasks} of {count(step.expected, 'task')}"


def took(step: Step) -> str:
    """How long it took; of clones, how long that took which they are of."""
    return duration(step.seconds) if step.tasks else ""


def state(step: Step) -> str:
    """`ok`, `reused from 41`, `2 failed`, `running`, …"""
    if step.failed and step.tasks > 1:
        return f"{step.failed} failed"
    if step.status == "ok" and step.reused == step.tasks:
        return f"reused from {_runs(step)}"
    return step.status


def notes(step: Step, leading: list[Edge]) -> list[str]:
    """What else there is to say. `leading`: the edges from it."""
    found = []
    if step.kind == "foreach" and step.variable:
        found.append(f"foreach {step.variable}")
    elif step.kind == "parallel":
        found.append("num_parallel")
    elif step.kind == "switch":
        found.append(switch(leading))
    if step.is_join:
        found.append("join")
    back = [edge for edge in leading if edge.is_back]
    if step.kind != "switch" and back:
        found.append(f"back to {', '.join(edge.target for edge in back)}")
    if step.reused and (step.status != "ok" or step.reused < step.tasks):
        found.append(f"{step.reused} reused from {_runs(step)}")
    if step.retried:
        found.append(f"{step.retried} retried")
    if step.caught:
        found.append(f"{step.caught} caught by @catch")
    return [escape(text) for text in found]


def _runs(step: Step) -> str:
    """The numbers of the runs that its clones are of."""
    more = len(step.origins) - _SHOWN
    shown = ", ".join(map(str, step.origins[:_SHOWN]))
    return f"{shown} and {more} more" if more > 0 else shown


def switch(leading: list[Edge]) -> str:
    """`switch: fast 2x, slow` with how often each way was taken."""
    ways = []
    for edge in leading:
        often = f" {edge.times}x" if edge.times else ""
        ways.append(f"{'back to ' if edge.is_back else ''}{edge.target}{often}")
    return f"switch: {', '.join(ways)}"


def source(one: Source) -> str:
    """`PrepFlow/7 (mean, table)`: a run that was read, and what of it."""
    names = ", ".join(one.artifacts[:_SHOWN])
    more = len(one.artifacts) - _SHOWN
    return escape(
        f"{one.run.flow}/{one.run.number} ({names}{f' and {more} more' if more > 0 else ''})"
    )


def failure(step: Step) -> str:
    """The first line of why it failed; empty if it did not."""
    if step.failure is None:
        return ""
    message = next(iter(step.failure.message.splitlines()), "")
    return escape(f"{step.failure.type}: {message}".removesuffix(": "))
