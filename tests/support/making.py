"""Repositories, openings and tasks made by hand, without any flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mfv.ids import EnvironmentId, TreeId
from mfv.manifest.records import Environment, Git, GraphNode, Opening, Package, Task, Tree, TreeFile
from mfv.odb.database import Database
from mfv.odb.writer import Writer
from mfv.repo import format as formats
from mfv.repo.artifacts import store_all
from mfv.repo.publish import add_record
from mfv.repo.recorder import Finished, RunRecorder
from mfv.repo.repository import Repository
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend

FLOW = "TrainFlow"
SCRIPT = b"print('hello')\n"
MOMENT = 1_700_000_000_000_000  # µs since 1970


def memory_repository(backend: Backend | None = None) -> Repository:
    """A repository over `backend`, made there if there is none yet."""
    backend = MemoryBackend() if backend is None else backend
    formats.create(backend)
    return Repository(backend, writer="ana@host")


def environment() -> Environment:
    return Environment(
        python="3.11.9",
        implementation="CPython",
        system="Linux",
        release="6.1",
        machine="x86_64",
        libc="glibc 2.36",
        cpu="a cpu",
        cpu_count=2,
        memory=1 << 33,
        gpus=(),
        packages=(Package("numpy", "2.0.0"),),
    )


def opening_of(flow: str = FLOW, script: bytes = SCRIPT) -> Callable[[Writer], Opening]:
    """What `RunRecorder` is given: stores a tree of one file and describes the run."""

    def make(writer: Writer) -> Opening:
        blob = writer.add_blob(script)
        file = TreeFile(b"flow.py", 0o100644, bytes(blob), len(script))
        tree, _ = add_record(writer, TreeId, Tree((file,)))
        machine, _ = add_record(writer, EnvironmentId, environment())
        return Opening(
            flow=flow,
            created=MOMENT,
            script="flow.py",
            parameters=(),
            constants=(),
            graph=(GraphNode("start", "start", ("end",), False, 3, ""),),
            tree=bytes(tree),
            environment=bytes(machine),
            git=Git("0" * 40, "main", None, False, (), None),
            version=None,
            left_out=(),
            argv=("flow.py", "run"),
            cwd="",
            user="ana",
            host="host",
            variables=(),
            mfv="0.1.0",
        )

    return make


def open_run(repository: Repository, flow: str = FLOW) -> RunRecorder:
    return RunRecorder(repository, opening_of(flow))


def finished(
    database: Database,
    run: RunRecorder,
    task_id: int,
    values: Mapping[str, object],
    *,
    step: str = "start",
    stdout: bytes = b"",
) -> Finished:
    """A task that left `values`, with its objects in a parcel or, where large, in packs."""
    writer = Writer(database)
    stored = store_all(writer, values)
    task = Task(
        flow=run.flow,
        run=run.number,
        step=step,
        id=task_id,
        status="ok",
        started=MOMENT + task_id,
        ended=MOMENT + task_id + 1,
        artifacts=stored.artifacts,
        dropped=stored.dropped,
    )
    handed = writer.parcel()
    if handed is not None:
        parcel, relied = handed
        return Finished(task, stdout, b"", parcel, (), frozenset(relied))
    outcome = writer.flush()
    relied = frozenset(outcome.relied)
    return Finished(task, stdout, b"", None, tuple(outcome.receipts), relied)


def whole_run(
    repository: Repository, values: Mapping[str, object], *, flow: str = FLOW
) -> RunRecorder:
    """A sealed run of one task that left `values`."""
    run = open_run(repository, flow)
    run.commit([finished(repository.database, run, 1, values)])
    run.seal("ok", ended=MOMENT + 10)
    return run


def damage(backend: Backend, key: str, at: int, flip: int = 0xFF) -> None:
    """Flips bits of one byte of `key`; `at` may count from the end."""
    data = bytearray(backend.get(key))
    data[at] ^= flip
    backend.put(key, [data])
