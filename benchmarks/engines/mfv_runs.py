"""Stores each version as a run of one flow in mfv; see clock.py for the command line.

A process of its own for each run, as mfv has for each task, so that nothing is left in memory of
the version before: what was there is found as the product finds it, by the flow's earlier runs.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from clock import Job, job, measured, original
from equal import check_values, same_files

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Task
from mfv.odb.writer import Writer
from mfv.repo import artifacts
from mfv.repo.files import copy_to
from mfv.repo.lineage import Ancestry
from mfv.repo.recorder import Finished, RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.snapshots import store_tree

sys.path.insert(0, str(Path(__file__).parent.parent))

from engines.records import FLOW, MOMENT, STEP, opening, opening_of


def main(work: Job) -> None:
    (kind,) = work.words
    if kind == "tree":
        (store_code if work.action == "store" else restore_code)(work)
    elif work.action == "store":
        store_value(work, kind)
    else:
        restore_value(work, kind)


def store_value(work: Job, kind: str) -> None:
    """Timed: storing, writing, committing; not the opening of the run and its end."""
    folder = work.place / ".mfv"
    value = original(work.source) if kind == "object" else None
    run = RunRecorder(Repository.create(folder, writer="bench@host"), opening)
    if run.number != work.number + 1:
        raise SystemExit(f"version {work.number} became run {run.number}")
    with measured(work.report):
        if kind == "file":
            value = work.source  # a path is stored as its file, streamed
        run.commit([finished(Repository.open(folder), run, {"value": value})])
    run.seal("ok", ended=MOMENT + 2)


def finished(repository: Repository, run: RunRecorder, values: dict[str, object]) -> Finished:
    """One task that left `values`: little is handed over to the recorder, much is in packs."""
    writer = Writer(repository.database)
    ancestry = Ancestry(repository, run.flow, run.number, STEP, ())
    stored = artifacts.store_all(writer, values, ancestry.of)
    if stored.dropped:
        raise SystemExit(f"not stored: {stored.dropped}")
    task = Task(
        flow=run.flow,
        run=run.number,
        step=STEP,
        id=1,
        status="ok",
        started=MOMENT,
        ended=MOMENT + 1,
        artifacts=stored.artifacts,
    )
    handed = writer.parcel()
    if handed is not None:
        return Finished(task, b"", b"", handed[0], (), frozenset(handed[1]))
    outcome = writer.flush()
    return Finished(task, b"", b"", None, tuple(outcome.receipts), frozenset(outcome.relied))


def restore_value(work: Job, kind: str) -> None:
    """Timed: from opening the repository to the value, or to the file written anew."""
    out = work.place / "out"
    out.unlink(missing_ok=True)
    if kind == "object":
        original(work.source)
    with measured(work.report):
        repository = Repository.open(work.place / ".mfv")
        artifact = value_of(repository, work.number + 1)
        if kind == "object":
            value = artifacts.load(repository.database, artifact)
        else:
            copy_to(repository.database, artifact, out)
    if kind == "object":
        check_values(value, original(work.source))
    elif not same_files(out, work.source):
        raise SystemExit("what came back is not what was stored")


def value_of(repository: Repository, number: int, name: str = "value") -> Artifact:
    """The record of an artifact of run `number`."""
    run = repository.state.find(FLOW, number)
    if run is None:
        raise SystemExit(f"there is no run {number}")
    (ref,) = repository.tasks(run)
    return next(one for one in repository.task(ref).artifacts if one.name == name)


def store_code(work: Job) -> None:
    """Timed: listing the code, storing it, and the opening of the run, which names it."""
    from mfv.capture import snapshot

    script = work.source / "flow.py"
    if snapshot.find_root(script) != work.source.resolve():
        raise SystemExit(
            f"{work.source} lies in a git repository; set TMPDIR to a folder elsewhere"
        )
    with measured(work.report):
        repository = Repository.create(work.place / ".mfv", writer="bench@host")
        backend = repository.backend
        run = RunRecorder(
            repository,
            opening_of(lambda writer: store_tree(writer, snapshot.take(script), backend)[0]),
        )
    run.seal("ok", ended=MOMENT + 2)


def restore_code(work: Job) -> None:
    """Timed: from opening the repository to the clone of the run."""
    from mfv.capture.root import CLONE_FOLDER
    from mfv.checkout import clone
    from mfv.repo.view import RunView

    out = work.place / "out"
    shutil.rmtree(out, ignore_errors=True)
    with measured(work.report):
        repository = Repository.open(work.place / ".mfv")
        run = repository.state.find(FLOW, work.number + 1)
        assert run is not None
        clone(RunView(repository, run), out)
    shutil.rmtree(out / CLONE_FOLDER)
    if not same_files(out, work.source):
        raise SystemExit("what came back is not what was stored")


if __name__ == "__main__":
    main(job())
