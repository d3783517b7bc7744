"""A run from its first entry in the log to its last."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mfv.capture import process
from mfv.capture.listing import NESTED_CLONE
from mfv.capture.user import user_at_host
from mfv.flow.decorators.base import policy_of
from mfv.flow.engine import Engine
from mfv.flow.interrupts import Interrupts
from mfv.flow.seams import NO_LIMITS, Limits, Outcome, Output
from mfv.flow.spawning import this_interpreter
from mfv.flow.spec import constants_of
from mfv.flow.task import FlowRun
from mfv.flow.threads import other_threads
from mfv.flow.workers import TaskServer
from mfv.launch.commits import Commits
from mfv.launch.opening import make_opening
from mfv.launch.prepare import Prepared
from mfv.launch.reuse import origin_of
from mfv.launch.spawned import briefing
from mfv.launch.tasks import run_task, warm_up
from mfv.repo.config import Process
from mfv.repo.config import read as read_config
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.signing import own_signer, sign
from mfv.storage.local import LocalBackend


class Result(NamedTuple):
    """A run that is over."""

    name: str  # Flow/number
    outcome: Outcome
    left_out: int  # files that the code snapshot does not hold, secrets among them


def run(
    prepared: Prepared,
    folder: Path,
    output: Output,
    *,
    opened: Callable[[str], None] = lambda name: None,
    tags: Sequence[str] = (),
    limits: Limits = NO_LIMITS,
    facts: Mapping[str, object] | None = None,
    process: Process | None = None,
) -> Result:
    """Runs a flow and records it in the repository at `folder`, which is made if need be.

    `opened` is told the run's name as soon as it has one. `facts` are what `current` tells tasks
    beside what is known here. However the flow ends, the run is
    sealed when this returns; SIGINT, SIGTERM and SIGHUP end it as interrupted, and a second one
    kills what still runs. Raises StorageError where recording itself failed; what was committed
    before is kept, and the run shows as crashed.

    `process`: whether tasks are forked or get new interpreters; None for what the repository's
    settings say.
    """
    with (
        Interrupts() as interrupts,
        tempfile.TemporaryDirectory(prefix="mfv-run-", ignore_cleanup_errors=True) as tempdir,
    ):
        more = {"tempdir": tempdir, **(facts or {})}
        folder = folder.absolute()
        way = process or read_config(LocalBackend(folder)).process
        if way != "fork":
            prepared = prepared._replace(flags=(*prepared.flags, ("--process", way)))
        return _run(prepared, folder, output, interrupts, opened, tags, limits, more, way)


def _run(
    prepared: Prepared,
    folder: Path,
    output: Output,
    interrupts: Interrupts,
    opened: Callable[[str], None],
    tags: Sequence[str],
    limits: Limits,
    more: Mapping[str, object],
    way: Process,
) -> Result:
    who = process.read_process()
    facts = {
        "username": who.user,
        "namespace": f"user:{who.user}",
        "tags": frozenset(tags),
        "origin_run_id": None if prepared.resumed is None else str(prepared.resumed.number),
        **prepared.beginning.facts,
        **more,
    }
    signer = own_signer()  # a key that cannot be used is told before anything runs
    constants = constants_of(prepared.flow)
    flow_run = FlowRun(prepared.flow, prepared.graph, prepared.seen(), constants, facts)
    if way == "fork" and (others := other_threads()):
        output.note(
            f"the flow has threads ({', '.join(others)}), which its tasks' processes have not; "
            "if one hangs or crashes, try --process spawn"
        )
    # Before anything is opened: the tasks' processes are forked from this very moment.
    server = TaskServer(
        this_interpreter(briefing(flow_run, folder))
        if way == "spawn"
        else lambda order, line: run_task(flow_run, folder, order, line),
        warm_up,
    )
    try:
        repository = Repository.create(folder, writer=user_at_host())
        cache = os.path.join(folder, "cache")
        recorder = RunRecorder(
            repository,
            lambda writer: make_opening(writer, repository, prepared, who, constants, cache),
        )
        try:
            opened(recorder.name)
            for note in prepared.beginning.notes:
                output.note(note)
            if tags:
                state = repository.log.state.find(recorder.flow, recorder.number)
                assert state is not None
                repository.tag(add=[(state, tag) for tag in tags])
            origin = origin_of(prepared, repository, recorder, output.note)
            commits = Commits(recorder)
            outcome = Engine(
                prepared.graph,
                recorder.number,
                server,
                commits,
                output,
                interrupts,
                policies={step: policy_of(prepared.flow, step) for step in prepared.graph.nodes},
                origin=origin,
                limits=limits,
            ).run()
            if not outcome.sealed:
                commits.seal(outcome)
        finally:
            recorder.close()
        if signer is not None:
            state = repository.state.find(recorder.flow, recorder.number)
            assert state is not None
            sign(repository, state, signer)
        # Clones inside the folder are left out by design, run after run: no news.
        left_out = [one for one in recorder.opening.left_out if one.reason != NESTED_CLONE]
        return Result(recorder.name, outcome, len(left_out))
    finally:
        server.stop()
