"""Repositories of very many runs, written as mfv writes them but without running anything.

Each run has ten parameters and leaves ten numbers. All records, packs, entries and archives are
what runs and `mfv gc --repack` make; only the fold of the log is left out, which a reader makes
itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mfv.ids import ID_BYTES, BlobId, EntryId, EnvironmentId, OpeningId, RunId, TaskId, TreeId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import (
    Environment,
    Git,
    GraphNode,
    Opening,
    Package,
    Run,
    Task,
    TaskRef,
    Tree,
    TreeFile,
)
from mfv.odb.writer import Writer
from mfv.repo import archive
from mfv.repo.archive import read_entry
from mfv.repo.artifacts import store_all
from mfv.repo.entries import Body, Entry, OpenRun, PackMade, SealRun
from mfv.repo.log import Tip, encode_entry, read_tip, write_tip
from mfv.repo.publish import add_record
from mfv.repo.repository import Repository

FLOWS = ("TrainFlow", "TuneFlow", "EvalFlow", "PrepFlow")
BEGUN = 1_700_000_000_000_000  # µs since 1970
APART = 20_000_000  # µs between two runs
SEED = 1
_AT_ONCE = 2000  # runs of which the records share a pack


def values_of(number: int, seed: int = SEED) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The parameters and results of the run that is opened as that many, the same each time.

    The parameter `seed` is the number, by which a run is known wherever its values are stored.
    """
    choose = random.Random(number + ((seed - SEED) << 40))
    parameters: dict[str, object] = {
        "lr": choose.choice([0.1, 0.03, 0.01, 0.003, 0.001]),
        "batch_size": choose.choice([16, 32, 64, 128]),
        "optimizer": choose.choice(["adam", "sgd", "lion"]),
        "epochs": choose.randint(1, 100),
        "dropout": round(choose.random() * 0.5, 3),
        "depth": choose.randint(2, 48),
        "seed": number,
        "augment": choose.random() < 0.5,
        "data": f"s3://lake/table-{number % 97}",
        "note": f"try {number % 1000}",
    }
    results: dict[str, object] = {
        "accuracy": round(choose.betavariate(8, 2), 6),
        "loss": round(choose.expovariate(4), 6),
        **{f"score_{name}": round(choose.random(), 6) for name in "abcdefgh"},
    }
    return parameters, results


def flow_of(number: int) -> tuple[str, int]:
    """Of which flow that run is, and which of its runs."""
    return FLOWS[number % len(FLOWS)], number // len(FLOWS) + 1


def status_of(number: int) -> str:
    """How that run ended."""
    return "failed" if number % 17 == 0 else "ok"


def started_of(number: int) -> int:
    """When that run was opened, which is the time of its first entry, in µs since 1970."""
    return BEGUN + (2 * number + 1) * (APART // 2)


def count_of(folder: Path) -> int:
    """How many runs a repository holds that was made here and in which nothing else ran."""
    tip = read_tip(Repository.open(folder).backend)
    return 0 if tip is None else tip.number // 2  # one entry opens a run, one seals it


class Maker:
    """Adds runs behind the end of a repository's log: an empty one, or one that was made here."""

    def __init__(self, folder: Path, seed: int = SEED) -> None:
        self._repository = Repository.create(folder, writer="ana@host")
        self._repository.backend.durable = False  # type: ignore[attr-defined]
        self._seed = seed
        self._made = count_of(folder)
        self._number, self._head = 2 * self._made, bytes(ID_BYTES)
        if self._number:
            self._head = read_entry(self._repository.backend, self._number)[-ID_BYTES:]
        self._entries: list[bytes] = []

    def add(self, runs: int, *, archived: bool) -> None:
        """`archived`: as it is after `mfv gc --repack`, else with a file for each entry."""
        first = self._number + 1
        while runs > 0:
            self._add_some(min(runs, _AT_ONCE))
            runs -= _AT_ONCE
            if archived:
                first = self._archive(first, archive.SIZES[-1:])
        if archived:
            first = self._archive(first, archive.SIZES[::-1])
        for number, data in enumerate(self._entries, first):
            self._repository.backend.create(archive.key_of(number), [data])
        self._entries = []
        write_tip(self._repository.backend, Tip(self._number, 0))

    def _archive(self, first: int, sizes: Sequence[int]) -> int:
        """Puts what fills archives of these sizes into some; returns the first that is left."""
        for size in sizes:
            while len(self._entries) >= size and (first - 1) % size == 0:
                some, self._entries = self._entries[:size], self._entries[size:]
                archive.put_archive(self._repository.backend, first, list(map(len, some)), some)
                first += size
        return first

    def _add_some(self, count: int) -> None:
        writer = Writer(self._repository.database)
        shared = _shared(writer)
        made = [self._records(writer, shared) for _ in range(count)]
        receipts = {receipt.pack: receipt for receipt in writer.flush().receipts}
        named: set[bytes] = set()
        for opening, sealed in made:
            for body in (opening, sealed):
                pack = body.pack
                new = () if pack in named else (PackMade.of(receipts[pack]),)  # type: ignore[index]
                named.add(pack)
                self._append(msgspec.structs.replace(body, packs=new))

    def _records(self, writer: Writer, shared: Opening) -> tuple[OpenRun, SealRun]:
        number = self._made
        self._made += 1
        flow, of_flow = flow_of(number)
        started = started_of(number)
        parameters, results = values_of(number, self._seed)
        given = store_all(writer, parameters).artifacts
        left = store_all(writer, results).artifacts
        opening = msgspec.structs.replace(shared, flow=flow, created=started, parameters=given)
        opening_id, opening_pack = add_record(writer, OpeningId, opening)
        task = _task(flow, of_flow, started, left)
        task_id, task_pack = add_record(writer, TaskId, task)
        ref = TaskRef("end", 1, 0, "ok", task.started, task.ended, bytes(task_id), bytes(task_pack))
        run = Run(
            flow=flow,
            number=of_flow,
            origin=self._repository.format.repository,
            opening=bytes(opening_id),
            status=status_of(number),
            started=started,
            ended=task.ended,
            tasks=(ref,),
            results=left,
            sources=(),
        )
        run_id, run_pack = add_record(writer, RunId, run)
        opened = OpenRun(
            flow, run.number, bytes(opening_id), bytes(opening_pack), f"run{number}", "host", ()
        )
        sealed = SealRun(flow, run.number, run.status, bytes(run_id), bytes(run_pack), ())
        return opened, sealed

    def _append(self, body: Body) -> None:
        self._number += 1
        time = BEGUN + self._number * (APART // 2)
        data, seal = encode_entry(Entry(self._number, self._head, time, "ana@host", body))
        self._head = bytes(EntryId(seal))
        self._entries.append(data)


def _task(flow: str, run: int, started: int, artifacts: tuple[Artifact, ...]) -> Task:
    return Task(
        flow=flow,
        run=run,
        step="end",
        id=1,
        status="ok",
        started=started + 1000,
        ended=started + 9_000_000 + run % 1000 * 1000,
        artifacts=artifacts,
    )


def _shared(writer: Writer) -> Opening:
    script = b"print('a flow')\n"
    blob = BlobId(writer.add_blob(script))
    tree, _ = add_record(
        writer, TreeId, Tree((TreeFile(b"flow.py", 0o100644, bytes(blob), len(script)),))
    )
    machine, _ = add_record(writer, EnvironmentId, _ENVIRONMENT)
    return Opening(
        flow="",
        created=0,
        script="flow.py",
        parameters=(),
        constants=(),
        graph=tuple(_graph()),
        tree=bytes(tree),
        environment=bytes(machine),
        git=Git("0" * 40, "main", None, False, (), None),
        version="1.0",
        left_out=(),
        argv=("flow.py", "run"),
        cwd="/home/ana/project",
        user="ana",
        host="host",
        variables=(),
        mfv="0.1.0",
    )


def _graph() -> Iterator[GraphNode]:
    yield GraphNode("start", "start", ("end",), False, 3, "")
    yield GraphNode("end", "end", (), False, 9, "")


_ENVIRONMENT = Environment(
    python="3.11.9",
    implementation="CPython",
    system="Linux",
    release="6.1",
    machine="x86_64",
    libc="glibc 2.36",
    cpu="a processor",
    cpu_count=2,
    memory=1 << 33,
    gpus=(),
    packages=tuple(Package(f"package-{number}", "1.0") for number in range(60)),
)
