"""Introduces runs to comparison: what `mfv.diff` looks at, gathered from a repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from mfv.content import look_inside
from mfv.diff.code import LARGEST, needed_blobs
from mfv.diff.runs import RunDiff, Side, StepFacts, ValueChange, diff_runs, diff_values
from mfv.errors import CorruptError
from mfv.ids import BlobId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Task
from mfv.repo.view import RunView

# Others of those that are recorded tell where a run was, not how it computed.
_COMPUTED_BY = frozenset(
    {
        *("BLIS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS"),
        *("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "CUBLAS_WORKSPACE_CONFIG"),
        *("JAX_ENABLE_X64", "JAX_PLATFORMS", "TF_DETERMINISTIC_OPS", "XLA_FLAGS"),
    }
)


def compare(before: RunView, after: RunView, *, inside: bool = False) -> RunDiff:
    """What changed from one run to another. Unpickles nothing.

    `inside`: also what differs inside artifacts, for which those that differ are read.
    """
    old, new = side_of(before), side_of(after)
    blobs = needed_blobs(old.tree, new.tree)
    diff = diff_runs(old, new, contents_of(blobs, before, after))
    return _with_contents(diff, before, after) if inside else diff


def compare_artifacts(
    before: tuple[RunView, Mapping[str, Artifact]], after: tuple[RunView, Mapping[str, Artifact]]
) -> tuple[ValueChange, ...]:
    """What differs between artifacts of two runs by name, inside them too."""
    databases = before[0].repository.database, after[0].repository.database
    return tuple(look_inside(one, databases) for one in diff_values(before[1], after[1]))


def contents_of(blobs: Iterable[bytes], *runs: RunView) -> dict[bytes, bytes]:
    """The bytes of blobs, from whichever run has them; those that are damaged are left out."""
    contents = {}
    for blob in blobs:
        for run in runs:
            try:
                database = run.repository.database
                contents[blob] = bytes(database.read_blob(BlobId(blob), largest=LARGEST))
            except CorruptError:
                continue  # told as a file that cannot be compared by lines
            break
    return contents


def _with_contents(diff: RunDiff, before: RunView, after: RunView) -> RunDiff:
    databases = before.repository.database, after.repository.database
    return msgspec.structs.replace(
        diff,
        parameters=tuple(look_inside(one, databases) for one in diff.parameters),
        constants=tuple(look_inside(one, databases) for one in diff.constants),
        artifacts=tuple(look_inside(one, databases) for one in diff.artifacts),
    )


def side_of(run: RunView) -> Side:
    """One run as a comparison sees it."""
    return Side(
        name=run.name,
        status=run.status,
        parameters=run.parameters,
        constants=run.constants,
        metrics=run.metrics,
        artifacts=dict(_made(run)),
        tree=run.tree,
        environment=run.environment,
        git=run.opening.git,
        steps={name: _facts(run, name) for name in run.steps()},
        tags=run.tags,
        reads=_reads(run),
        hash_seed=run.opening.hash_seed,
        variables={name: text for name, text in run.opening.variables if name in _COMPUTED_BY},
    )


def _made(run: RunView) -> Iterator[tuple[str, Artifact]]:
    """Every artifact under the step that made it: not where it was only handed on."""
    for step in run.steps():
        for task in run.tasks(step):
            for artifact in task.artifacts:
                if artifact.name not in task.inherited:
                    yield f"{_place(task)}/{artifact.name}", artifact


def _reads(run: RunView) -> dict[str, dict[str, str]]:
    """What its steps read of other runs: under the step and what it is, id to the run's name."""
    found: dict[str, dict[str, str]] = {}
    if run.manifest is not None and run.manifest.sources == ():
        return found
    for step in run.steps():
        for task in run.tasks(step):
            for read in task.reads:
                place = f"{_place(task)}: {read.flow}/{read.step}/{read.name}"
                found.setdefault(place, {})[read.artifact.hex()] = f"{read.flow}/{read.run}"
    return found


def _place(task: Task) -> str:
    """`train`, or `train[2]` for a task of a foreach."""
    return task.step + "".join(f"[{split.index}]" for split in task.splits)


def _facts(run: RunView, step: str) -> StepFacts:
    refs = run.step(step)
    seconds = (max(ref.ended for ref in refs) - min(ref.started for ref in refs)) / 1e6
    return StepFacts(len(refs), sum(ref.status == "failed" for ref in refs), seconds)
