"""A repository of a few ten kilobytes that has one of each thing that a repository can hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import numpy
from making import MOMENT, finished, opening_of

from mfv.ids import BlobId
from mfv.maintain import gc, logarchive, repack
from mfv.manifest.records import Failure, Opening
from mfv.odb.aligner import Older
from mfv.odb.codec import Codec
from mfv.odb.packindex import list_packs, read_index
from mfv.odb.writer import Writer
from mfv.repo.artifacts import store_all
from mfv.repo.names import RunState
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository, note
from mfv.repo.trash import remove

CONFIG = b"""\
# What this repository is for: \xc3\xa4rger.
durability = "fast"
compression = "dense"
code.max_file_size = "10 MiB"
keep.last = 50
trash = "30d"
"""


def make_small(folder: Path) -> None:
    """Makes the repository: five runs of two flows, some of them packed, archived, in the trash.

    Every codec is there, blobs in one piece and in several, groups after older chunks, log entries
    in an archive and in files of their own, a checkpoint, and all that people say of runs.
    """
    folder.mkdir(mode=0o700)
    (folder / "config.toml").write_bytes(CONFIG)
    repository = Repository.create(folder, writer="ana@host")
    first = _run(repository, 1)
    second = _run(repository, 2, flow="OtherFlow", before=1)
    third = _run(repository, 3, before=2, status="failed")
    for tag in ("best", "prod", "shown"):
        repository.tag(add=[(first, tag), (second, tag)])
    repository.tag(remove=[(first, "best")])
    note(repository, first, "the one that was shown to Ärzte")
    note(repository, second, "a first note")
    remove(repository, [third], reason="by hand")
    assert third.in_trash
    _keep_in_order(folder)
    repository = Repository.open(folder, writer="eva@host")
    _run(repository, 4, before=2)
    note(repository, _found(repository, second), "")
    repository.tag(add=[(_found(repository, second), "late")])
    _run(repository, 5, flow="OtherFlow", status=None)
    _assert_has_one_of_each(repository)


def _run(
    repository: Repository,
    number: int,
    *,
    flow: str = "TrainFlow",
    before: int | None = None,
    status: Literal["ok", "failed"] | None = "ok",
) -> RunState:
    """A run of two tasks; its code is stored after that of the run `before`."""
    run = RunRecorder(repository, _opening(flow, number, before))
    tasks = [
        finished(repository.database, run, 1, _values(number), stdout=_output(number)),
        finished(repository.database, run, 2, {"score": number / 7, "word": "ä" * 30}, step="end"),
    ]
    run.commit(tasks[:1])
    if status is None:
        run.close()
    else:
        failure = Failure("ValueError", "it went wrong", "Traceback: it went wrong\n")
        failed = failure if status == "failed" else None
        run.seal(status, ended=MOMENT + number, failure=failed, finished=tasks[1:])
    state = repository.state.find(run.flow, run.number)
    assert state is not None
    return state


def _opening(flow: str, number: int, before: int | None) -> Callable[[Writer], Opening]:
    code, older = _code(number), None if before is None else _code(before)

    def make(writer: Writer) -> Opening:
        if older is not None:
            writer.add_blob(code, None, lambda: Older((BlobId.of(older),), 0))
        given = store_all(writer, {"lr": number / 10, "layers": [number, 2, 3]}).artifacts
        constants = store_all(writer, {"UNITS": "metres"}).artifacts
        opening = opening_of(flow, code)(writer)
        return msgspec.structs.replace(opening, parameters=given, constants=constants)

    return make


def _code(number: int) -> bytes:
    """A long script in several chunks, of which each version changes the first and the last."""
    words = random.Random("code")
    lines = [b"# %06x\n" % words.randrange(1 << 24) for _ in range(100)] * 300
    lines[number * 700] = lines[-number] = b"changed = %d\n" % number
    return b"".join(lines)


def _values(number: int) -> Mapping[str, object]:
    noise = random.Random(number)
    steps = numpy.arange(9000, dtype="<i8") * 3 + number
    weights = numpy.tile(numpy.random.default_rng(1).standard_normal(100).astype("<f4"), 164)
    text = "".join(noise.choice("abcd ") for _ in range(300))
    if number != 1:
        return {"text": text, "count": number}
    return {
        "text": text,
        "steps": steps,  # a pickle with its numbers beside it, as numbers
        "weights": weights,  # the same, as planes of bytes
        "noise": noise.randbytes(300),
        "pair": (number, "two"),
    }


def _output(number: int) -> bytes:
    """Of odd runs more than stands in a task's record."""
    if number % 2 == 0:
        return b"2026-01-01 short\n"
    return b"".join(b"2026-01-01 line %d of run %d\n" % (line, number) for line in range(90))


def _keep_in_order(folder: Path) -> None:
    """`mfv gc --repack`, and no more than that."""
    repository = Repository.open(folder, writer="eva@host")
    gc.run(repository, gc.plan(repository, grace=0.0), grace=0.0)
    repack.run(repository, repack.plan(repository, grace=0.0), grace=0.0)
    logarchive.run(repository)


def _found(repository: Repository, run: RunState) -> RunState:
    state = repository.state.find(run.flow, run.number)
    assert state is not None
    return state


def _assert_has_one_of_each(repository: Repository) -> None:
    backend = repository.backend
    records = [record for pack in list_packs(backend) for record in read_index(backend, pack)]
    assert {record.codec for record in records} == set(Codec)
    assert {record.kind for record in records} == {1, 2, 16, 17, 18, 19, 20}
    assert any(record.within for record in records), "no group has two chunks"
    names = {key.removeprefix("log/")[:7] for key in backend.list("log/")}
    assert names >= {"archive", "checkpo"} and len(names) > 3
