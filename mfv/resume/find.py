"""Which run is gone on from, and whether it can be."""

from __future__ import annotations

from mfv.errors import ConflictError, FlowError, NotFoundError, did_you_mean
from mfv.flow.graph import Graph
from mfv.repo.names import OPEN
from mfv.repo.repository import Repository
from mfv.repo.view import RunView


def find_origin(repository: Repository, flow: str, number: str | None) -> RunView:
    """The run to go on from: the one of that number, else the newest run of the flow.

    Raises NotFoundError with the numbers that there are, ConflictError if it still runs.
    """
    runs = repository.state.runs.get(flow, {})
    if not runs:
        raise NotFoundError(f"{flow} has no run to resume", hint="start one: `python FLOW.py run`")
    if number is None:
        listed = repository.state.listed(flow)
        if not listed:
            raise NotFoundError(
                f"all runs of {flow} are in the trash", hint="`mfv restore RUN` brings one back"
            )
        state = max(listed.values(), key=lambda run: run.opened)
    else:
        text = number.removeprefix(f"{flow}/")
        found = runs.get(int(text)) if text.isascii() and text.isdecimal() else None
        if found is None:
            raise NotFoundError(
                f"{flow} has no run {number!r}",
                hint=f"its runs are {min(runs)} to {max(runs)}; `mfv log` lists them",
            )
        state = found
    if state.in_trash:
        raise ConflictError(
            f"{state.name} is in the trash", hint=f"`mfv restore {state.name}` brings it back"
        )
    if repository.status(state) == OPEN:
        raise ConflictError(
            f"{state.name} is still running", hint="wait for its end, or stop it, and resume then"
        )
    return RunView(repository, state)


def check_step(graph: Graph, step: str | None) -> None:
    """FlowError if there is no such step to begin with."""
    if step is not None and step not in graph:
        raise FlowError(
            f"{graph.flow} has no step {step!r} to resume from",
            hint=did_you_mean(step, graph.nodes) or f"its steps are {', '.join(graph.order)}",
        )
