"""What a repository holds, and that nothing of it was lost: for tests that break commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from mfv.ids import BlobId
from mfv.maintain import gc
from mfv.maintain.fsck import fsck
from mfv.repo.entries import OpenRun
from mfv.repo.names import RunState
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

_DONE = re.compile(r"\[(\d+)/(\w+)/(\d+) \(pid \d+\)\] done in")
_SEALED = re.compile(r"run (\w+/\d+) done in")


class Names(NamedTuple):
    """What is said of one run."""

    status: str
    tags: tuple[str, ...]
    note: str
    in_trash: bool
    swept: bool
    dropped: tuple[str, ...]


class Facts(NamedTuple):
    """All names of a repository, and how many packs are of no use."""

    is_made: bool
    runs: dict[str, Names]
    idle: int


class Content(NamedTuple):
    """What one run is, read back: ids, and the bytes of every artifact."""

    opening: bytes | None
    manifest: bytes | None  # None while it is open
    code: tuple[tuple[bytes, bytes], ...]
    tasks: tuple[tuple[str, int, int, bytes], ...]
    values: tuple[tuple[str, str, bytes], ...]  # step and id, artifact, all bytes


def facts(store: Path) -> Facts:
    """As of now. A folder that is no repository has none."""
    if not (store / "format").exists():
        return Facts(False, {}, 0)
    repository = Repository.open(store)
    plan = gc.plan(repository, grace=0)
    runs = {run.name: _names(repository, run) for run in repository.state}
    return Facts(True, runs, len(plan.doomed) + len(plan.leftover))


def _names(repository: Repository, run: RunState) -> Names:
    status = repository.status(run)
    return Names(status, tuple(run.tags), run.note, run.in_trash, run.swept, tuple(run.dropped))


def contents(store: Path) -> dict[str, Content]:
    """Every run whose bytes are to be there, by name; raises where one cannot be read back."""
    if not (store / "format").exists():
        return {}
    repository = Repository.open(store)
    return {run.name: _content(repository, run) for run in repository.state if not run.swept}


def _content(repository: Repository, run: RunState) -> Content:
    view, database = RunView(repository, run), repository.database
    values = []
    for ref in view.refs:
        task = repository.task(ref)
        for artifact in task.artifacts:
            if not {artifact.name, f"{task.step}/{artifact.name}"} & set(run.dropped):
                data = b"".join(bytes(database.read_blob(one.id)) for one in artifact.frames)
                values.append((f"{task.step}/{task.id}", artifact.name, data))
    code = tuple(
        (file.path, bytes(database.read_blob(BlobId(file.blob)))) for file in view.tree.files
    )
    tasks = tuple((ref.step, ref.id, ref.attempt, bytes(ref.manifest)) for ref in view.refs)
    return Content(run.opening, run.manifest, code, tasks, tuple(values))


def assert_unharmed(store: Path, before: dict[str, Content], out: str = "") -> None:
    """Passes if all of `before` that was not swept reads back equal, and all that `out` reports.

    And if fsck, which reads every byte, finds nothing worse than garbage, and runs have numbers
    of their own without a gap.
    """
    if not (store / "format").exists():
        assert not before
        assert not _DONE.findall(out)
        return
    repository = Repository.open(store)
    report = fsck(repository, data=True)
    troubles = [one.message for one in report.findings if one.severity != "note"]
    assert troubles == []
    now = contents(store)
    swept = {run.name for run in repository.state if run.swept}
    for name, content in before.items():
        if name not in swept:
            _assert_kept(content, now[name])
    numbers: dict[str, list[int]] = {}
    for entry in repository.log.read(1, repository.state.number):
        if isinstance(entry.body, OpenRun):
            numbers.setdefault(entry.body.flow, []).append(entry.body.number)
    for some in numbers.values():
        assert some == list(range(1, len(some) + 1))
    for run, step, task in _DONE.findall(out):
        found = {
            one[:2]
            for name, content in now.items()
            if name.endswith(f"/{run}")
            for one in content.tasks
        }
        assert (step, int(task)) in found, f"{run}/{step}/{task} was reported and is not there"
    for name in _SEALED.findall(out):
        flow, _, number = name.partition("/")
        state = repository.log.state.find(flow, int(number))
        assert state is not None and state.status == "ok", f"{name} was reported and is not done"


def _assert_kept(before: Content, now: Content) -> None:
    assert now.opening == before.opening
    assert before.manifest in (None, now.manifest)
    assert now.code == before.code
    assert now.tasks == before.tasks
    # What was dropped since is let go.
    assert set(now.values) <= set(before.values)
    gone = {name for _, name, _ in set(before.values) - set(now.values)}
    assert gone <= {"large"}, gone
