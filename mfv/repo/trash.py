"""Runs into the trash and out of it, and artifacts whose bytes are to go.

Here names change and nothing is deleted: a later gc sweeps what has been in the trash for long, and
until then `restore` brings everything back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mfv.errors import ConflictError, NotFoundError, did_you_mean
from mfv.repo.entries import DropArtifacts, RestoreRuns, TrashRuns
from mfv.repo.names import OPEN, RunState, State
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

Names = tuple[tuple[str, int], ...]


def remove(repository: Repository, runs: Iterable[RunState], *, reason: str) -> list[RunState]:
    """Puts runs into the trash; returns those that were not there yet.

    Raises ConflictError for one that is still open: then none is removed.
    """
    named = [(run.flow, run.number) for run in runs]
    chosen: list[RunState] = []

    def build(state: State) -> TrashRuns:
        chosen[:] = [run for run in _found(state, named) if not run.in_trash]
        for run in chosen:
            if run.status == OPEN:
                raise ConflictError(
                    f"{run.name} is still open",
                    hint="it can be removed once it has ended; the next run closes crashed ones",
                )
        return TrashRuns(_names(chosen), reason)

    build(repository.state)
    if chosen:
        repository.log.append(build)
    return chosen


def restore(repository: Repository, runs: Iterable[RunState]) -> list[RunState]:
    """Takes runs out of the trash; returns those that were there.

    Raises ConflictError for one that a gc has swept, of which only the record is left.
    """
    named = [(run.flow, run.number) for run in runs]
    chosen: list[RunState] = []

    def build(state: State) -> RestoreRuns:
        chosen[:] = [run for run in _found(state, named) if run.in_trash]
        for run in chosen:
            if run.swept:
                raise ConflictError(
                    f"the bytes of {run.name} are gone: gc has swept it",
                    hint=f"`mfv clone {run.name}` brings back its code and parameters, to run anew",
                )
        return RestoreRuns(_names(chosen))

    build(repository.state)
    if chosen:
        repository.log.append(build)
    return chosen


def drop(run: RunView, names: Sequence[str]) -> tuple[str, ...]:
    """Has the bytes of artifacts go: `model` of every step, `train/model` of one.

    Returns those that were not dropped yet. Raises NotFoundError with what is near for a name
    that is no artifact with bytes of its own, ConflictError while the run is open.
    """
    if run.state.status == OPEN:
        raise ConflictError(
            f"{run.name} is still open", hint="drop its artifacts once it has ended"
        )
    known = _with_bytes(run)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "only what stands in frames has bytes to free"
            raise NotFoundError(f"{run.name} has no artifact {name!r} to drop", hint=hint)
    new = tuple(sorted(set(names) - set(run.state.dropped)))
    if new:
        run.repository.log.append(lambda _: DropArtifacts(run.flow, run.number, new))
    return new


def _with_bytes(run: RunView) -> set[str]:
    found = set()
    for ref in run.refs:
        task = run.repository.task(ref)
        for artifact in task.artifacts:
            if artifact.frames:
                found |= {artifact.name, f"{task.step}/{artifact.name}"}
    return found


def _found(state: State, named: Sequence[tuple[str, int]]) -> list[RunState]:
    found = [state.find(flow, number) for flow, number in named]
    return [run for run in found if run is not None]


def _names(runs: Iterable[RunState]) -> Names:
    return tuple((run.flow, run.number) for run in runs)
