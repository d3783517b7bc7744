"""What a new interpreter is told of the run whose task it is to run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn, cast

import msgspec

from mfv.errors import FlowError, UnpicklableError
from mfv.flow.decorators.force import Typed, put_in_force
from mfv.flow.graph import read_graph
from mfv.flow.spawning import Assignment
from mfv.flow.spec import FlowSpec, constants_of
from mfv.flow.task import FlowRun
from mfv.flow.workers import perform
from mfv.launch.tasks import run_task
from mfv.serde import pickle5


class _Briefing(msgspec.Struct, frozen=True, array_like=True):
    """What a new interpreter has to know of the run, beside the flow's script."""

    folder: str
    flow: str  # the class, as a user sees it
    values: list[bytes]  # frames of a pickle: attributes, constants, facts


def briefing(run: FlowRun, folder: Path) -> bytes:
    constants = {name: value for name, value in run.constants.items() if _pickles(value)}
    values = (dict(run.parameters), constants, dict(run.facts))
    frames = pickle5.dump(values, name="the values of the flow's parameters")
    name = run.flow.__qualname__
    return msgspec.msgpack.encode(
        _Briefing(os.fspath(folder), name, [bytes(frame.data) for frame in frames])
    )


def _pickles(value: object) -> bool:
    try:
        pickle5.dump(value, name="")
    except UnpicklableError:
        return False  # the script makes it again
    return True


def perform_spawned(flow: type[FlowSpec], assigned: Assignment, typed: Typed) -> NoReturn:
    """Runs the task that this interpreter was started for, and ends the process.

    `typed` as for `prepare`: the command line is the run's own.
    Raises FlowError if the script came to another flow than where the run was started.
    """
    briefing = msgspec.msgpack.decode(assigned.payload, type=_Briefing)
    if flow.__qualname__ != briefing.flow:
        raise FlowError(
            f"the script ran {flow.__qualname__} in a task of a run of {briefing.flow}",
            hint="with --process spawn each task runs the script anew: let it come to the same "
            "flow each time",
        )
    attributes, constants, facts = cast(
        "tuple[dict[str, object], ...]", pickle5.load([bytearray(one) for one in briefing.values])
    )
    graph = read_graph(flow)
    put_in_force(flow, graph, str(facts["username"]), typed)
    constants = {**constants_of(flow), **constants}
    run = FlowRun(flow, graph, attributes, constants, facts)
    folder = Path(briefing.folder)
    perform(lambda order, line: run_task(run, folder, order, line), assigned.order, assigned.line)
