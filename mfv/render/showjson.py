"""`mfv show --json`: a run, a task, a read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, Read, Task
from mfv.render.facts import origin_of
from mfv.render.runs import run_json, values_json
from mfv.render.shown import ShownRun
from mfv.render.values import artifact_json


def show_json(run: ShownRun) -> dict[str, Any]:
    """A run for `--json`, with its steps and inputs."""
    opening = run.opening
    found = run_json(run)
    found["constants"] = values_json(run.constants)
    found["command"] = list(opening.argv)
    found["script"] = opening.script
    found["cloned_from"] = opening.cloned_from
    found["resumed_from"] = origin_of(opening)
    found["mfv"] = opening.mfv
    found["steps"] = {
        name: [
            {
                "task": ref.id,
                "attempt": ref.attempt,
                "status": ref.status,
                "started": ref.started,
                "ended": ref.ended,
            }
            for ref in refs
        ]
        for name, refs in run.steps().items()
    }
    manifest = run.manifest
    failure = None if manifest is None or manifest.failure is None else manifest.failure
    found["failure"] = None if failure is None else _failure_json(failure)
    return found


def task_json(task: Task, inputs: Sequence[Artifact]) -> dict[str, Any]:
    """A task for `--json`."""
    return {
        "task": task.pathspec,
        "status": task.status,
        "attempt": task.attempt,
        "started": task.started,
        "ended": task.ended,
        "parents": list(task.parents),
        "origin": None if task.origin is None else list(task.origin),
        "reads": [read_json(read) for read in task.reads],
        "more_reads": task.more_reads,
        "foreach": [
            {
                "step": s.step,
                "variable": s.variable,
                "index": s.index,
                "total": s.total,
                "value": s.value,
            }
            for s in task.splits
        ],
        "cpu": task.cpu,
        "peak_memory": task.peak_memory,
        "exit_code": task.exit_code,
        "signal": task.signal,
        "inputs": [artifact_json(artifact) for artifact in inputs],
        "artifacts": [artifact_json(artifact) for artifact in task.artifacts],
        "inherited": list(task.inherited),
        "not_stored": dict(task.dropped),
        "failure": None if task.failure is None else _failure_json(task.failure),
        "caught": None if task.caught is None else _failure_json(task.caught),
    }


def read_json(read: Read) -> dict[str, Any]:
    """One artifact that a task read, for `--json`."""
    return {
        "artifact": read.pathspec,
        "id": read.artifact.hex(),
        "repository": read.origin.hex(),
    }


def _failure_json(failure: Failure) -> dict[str, str]:
    return {"type": failure.type, "message": failure.message, "traceback": failure.traceback}
