"""Repositories of many runs made without flows, each as it is described."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from making import opening_of

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, GraphNode, Opening, RunStatus, Task
from mfv.odb.writer import Writer
from mfv.repo.artifacts import store_all
from mfv.repo.recorder import Finished, RunRecorder
from mfv.repo.repository import Repository


class Made(NamedTuple):
    """One run as it was made."""

    flow: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    status: RunStatus | None = "ok"  # None: it is left open
    tags: tuple[str, ...] = ()
    user: str = "ana"
    script: bytes = b"print('hello')\n"


def fast_repository(folder: Path) -> Repository:
    """A local repository that waits for no disk."""
    repository = Repository.create(folder, writer="ana@host")
    repository.backend.durable = False  # type: ignore[attr-defined]
    return repository


def make(repository: Repository, run: Made) -> RunRecorder:
    """Records the run."""
    recorder = RunRecorder(repository, lambda writer: _opening(writer, run))
    writer = Writer(repository.database)
    stored = store_all(writer, run.metrics)
    task = Task(
        flow=run.flow,
        run=recorder.number,
        step="end" if run.status == "ok" else "start",
        id=1,
        status="ok",
        started=1,
        ended=2,
        artifacts=stored.artifacts,
    )
    handed = writer.parcel()
    assert handed is not None
    recorder.commit([Finished(task, b"", b"", handed[0], (), frozenset(handed[1]))])
    if run.status is not None:
        failed = run.status == "failed"
        recorder.seal(
            run.status,
            ended=recorder.opening.created + 90_000_000,
            results=_scalars(stored.artifacts),
            failure=Failure("ValueError", "no data", "") if failed else None,
            failed_step="start" if failed else None,
        )
    if run.tags:
        state = repository.state.find(run.flow, recorder.number)
        assert state is not None
        repository.tag(add=[(state, tag) for tag in run.tags])
    return recorder


def random_run(choose: random.Random) -> Made:
    """A run of few possible values, so that queries are true of some and false of others."""
    parameters: dict[str, Any] = {"lr": choose.choice([0.1, 0.01, 1, 2.5e-3])}
    if choose.random() < 0.8:
        parameters["opt"] = choose.choice(["adam", "sgd", "Adam W", "", "ünï"])
    if choose.random() < 0.7:
        parameters["deep"] = choose.choice([True, False, 1, 0, "yes", None])
    metrics: dict[str, Any] = {}
    if choose.random() < 0.8:
        metrics["accuracy"] = choose.choice([0.5, 0.9, 0.95, 1, float("nan"), "none"])
    if choose.random() < 0.5:
        metrics["lr"] = choose.choice([7, 0.01])  # the same name as a parameter: no metric
    if choose.random() < 0.5:
        metrics["score"] = choose.choice([0, 1, True, False, 1 << 70, -5, [1, 2]])
    return Made(
        flow=choose.choice(["TrainFlow", "TrainFlow", "EvalFlow"]),
        parameters=parameters,
        metrics=metrics,
        status=choose.choice(["ok", "ok", "failed", "interrupted", "crashed", None]),
        tags=tuple(choose.sample(["prod", "best", "v1", "v2"], choose.randint(0, 2))),
        user=choose.choice(["ana", "ben"]),
        script=choose.choice([b"a = 1\n", b"a = 2\n"]),
    )


def _opening(writer: Writer, run: Made) -> Opening:
    opening = opening_of(run.flow, run.script)(writer)
    stored = store_all(writer, run.parameters)
    graph = (*opening.graph, GraphNode("end", "end", (), False, 9, ""))
    return msgspec.structs.replace(opening, parameters=stored.artifacts, user=run.user, graph=graph)


def _scalars(artifacts: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
    return tuple(one for one in artifacts if not one.frames)
