"""What `RUN/step/task/artifact` names, at whatever depth it ends."""

from __future__ import annotations

from typing import NamedTuple

from mfv.errors import NotFoundError, UsageError, did_you_mean
from mfv.history.history import History
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Task
from mfv.repo.repository import Repository
from mfv.repo.revision import resolve, resolve_target
from mfv.repo.view import RunView


class Found(NamedTuple):
    """A run, and as far as the text went: a step, one task of it, one artifact of that."""

    run: RunView
    step: str | None = None
    task: Task | None = None
    artifact: Artifact | None = None


def find_run(repository: Repository, text: str) -> RunView:
    """The run that a revision means."""
    return RunView(repository, resolve(History(repository).names, text))


def find_object(repository: Repository, text: str) -> Found:
    """What `text` names: `42`, `42/train`, `42/train/3`, `42/train/3/model`.

    The task may be left out where its step has one (`42/pick/model`), and the step where the
    artifact is one of the last task (`42/model`). Raises NotFoundError with near names.
    """
    target = resolve_target(History(repository).names, text)
    run, path = RunView(repository, target.run), target.path
    if not path:
        return Found(run)
    if len(path) > 3 or "" in path:
        raise UsageError(f"{text!r} is no RUN/step/task/artifact")
    steps = [node.name for node in run.opening.graph]
    if path[0] not in steps:
        if len(path) == 1:
            return _of_last_task(run, path[0], steps)
        run.step(path[0])  # raises, naming what is near
    step = path[0]
    if len(path) == 1:
        return Found(run, step)
    if path[1].isdecimal():
        task = run.task(step, path[1])
        artifact = run.artifact(task, path[2]) if len(path) == 3 else None
        return Found(run, step, task, artifact)
    if len(path) == 3:
        raise NotFoundError(f"{path[1]!r} is no task id", hint=f"say {target.run.name}/{step}/ID")
    task = run.only_task(step, f"the artifact {path[1]!r}")
    return Found(run, step, task, run.artifact(task, path[1]))


def _of_last_task(run: RunView, name: str, steps: list[str]) -> Found:
    task = run.last_task()
    known = [] if task is None else [artifact.name for artifact in run.all_artifacts(task)]
    if task is not None and name in known:
        return Found(run, task.step, task, run.artifact(task, name))
    hint = did_you_mean(name, [*steps, *known]) or f"its steps are {', '.join(steps)}"
    raise NotFoundError(f"{run.name} has no step or artifact {name!r}", hint=hint)
