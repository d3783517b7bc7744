"""Runs that hold known bytes, and a look at all of them as a process has that knows nothing."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping

from making import finished, memory_repository, opening_of

from mfv.ids import BlobId, ChunkId, PackId
from mfv.maintain import gc, logarchive, repack
from mfv.maintain.fsck import fsck
from mfv.maintain.rewriting import Repacked
from mfv.manifest.records import Opening
from mfv.odb.aligner import Older
from mfv.odb.codec import Codec
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import key_of, list_packs
from mfv.odb.writer import Writer
from mfv.repo.artifacts import load
from mfv.repo.log import CondemnedError
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.base import Backend

NOW = 0.0  # seconds of grace


def payload(number: int, size: int = 2000) -> bytes:
    """Bytes that no compression shrinks, the same for the same number."""
    return random.Random(number).randbytes(size)


def record(repository: Repository, number: int) -> str:
    """A sealed run of three packs that holds `payload(number)` as its code and as a value."""
    run = open_run_of(repository, payload(number))
    commit(repository, run, {1: {"data": payload(number), "n": number}})
    commit(repository, run, {2: {"more": payload(-number)}})
    run.seal("ok", ended=1)
    return run.name


def commit(
    repository: Repository, run: RunRecorder, tasks: Mapping[int, Mapping[str, object]]
) -> None:
    """Tasks with what they left; saved anew where what it built on was condemned meanwhile."""
    while True:
        with contextlib.suppress(CondemnedError):
            database = repository.database
            run.commit([finished(database, run, task, values) for task, values in tasks.items()])
            return
        repository.database.leave(repository.state.condemned)


def open_run_of(repository: Repository, script: bytes, *older: bytes) -> RunRecorder:
    """An open run whose code is `script`, stored after `older`, the newest first."""
    path = tuple(map(BlobId.of, older))

    def make(writer: Writer) -> Opening:
        writer.add_blob(script, None, (lambda: Older(path, 0)) if path else None)
        return opening_of(script=script)(writer)

    return RunRecorder(repository, make)


def maintain(backend: Backend, grace: float = NOW) -> Repacked:
    """`mfv gc --repack`, by a process that knows nothing."""
    repository = Repository(backend, writer="eva@host")
    gc.run(repository, gc.plan(repository, grace=grace), grace=grace)
    done = repack.run(repository, repack.plan(repository, grace=grace), grace=grace)
    logarchive.run(repository)
    return done


def assert_whole(backend: Backend, expected: dict[str, int]) -> None:
    """Every run of `expected` reads back, by name and number as `record` had them."""
    repository = Repository(backend)
    assert {run.name for run in repository.state} >= set(expected)
    for state in repository.state:
        if state.name in expected:
            assert_holds(repository, RunView(repository, state), expected[state.name])


def assert_holds(repository: Repository, view: RunView, number: int) -> None:
    (file,) = view.tree.files
    assert repository.database.read_blob(BlobId(file.blob)) == payload(number)
    values = {
        artifact.name: load(repository.database, artifact)
        for step in view.steps()
        for task in view.tasks(step)
        for artifact in task.artifacts
    }
    assert values == {"data": payload(number), "n": number, "more": payload(-number)}


def add_pack(backend: Backend, *blobs: bytes) -> PackId:
    """A pack of `blobs`, whatever is stored already."""
    builder = PackBuilder()
    for blob in blobs:
        builder.add([Member(ChunkId.of(blob), ChunkId.kind, len(blob))], Codec.RAW, blob)
    parts, receipt = builder.finish()
    backend.put(key_of(receipt.pack), parts)
    return receipt.pack


def assert_well(backend: Backend) -> None:
    """fsck reads every byte and has nothing to say but of garbage."""
    report = fsck(Repository(backend), data=True)
    assert [one for one in report.findings if one.severity != "note"] == []


def count_packs(backend: Backend) -> int:
    return len(list(list_packs(backend)))


def filled(count: int) -> tuple[Backend, dict[str, int]]:
    """Storage with so many runs, and what each of them holds."""
    repository = memory_repository()
    return repository.backend, {
        record(repository, number): number for number in range(1, count + 1)
    }
