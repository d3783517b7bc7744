"""What happens in a task's process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from mfv.flow.order import Order
from mfv.flow.task import Attempt, FlowRun
from mfv.flow.workers import flush, receive, send
from mfv.launch.store import Store
from mfv.manifest.encoding import warm
from mfv.manifest.records import RunName, Task
from mfv.repo.reads import VARIABLE, Notebook, begin


def warm_up() -> None:
    """In the task server: what every task would else load for itself."""
    import mfv.serde.openfile
    import mfv.serde.pickle5
    import mfv.serde.scalar
    import mfv.serde.summary  # noqa: F401

    warm(Task)


def run_task(run: FlowRun, folder: Path, order: Order, line: socket.socket) -> int:
    """In the task's process: runs the step, reports, and holds everything until it is durable."""
    # What the step reads through the client, or runs itself, belongs to the same repository.
    os.environ["MFV_DIR"] = os.fspath(folder)
    name = run.flow.__name__
    _choose_namespace(run.facts)
    store = Store(folder, name, order)
    notebook = _open_notebook(run.facts, order)
    attempt = Attempt(run, order, store, _handles(folder, name, order))
    succeeded = attempt.run()
    # The step is over. A Ctrl-C that comes now must not cost what it made, nor its time limit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    send(line, b"")
    avoid: frozenset[bytes] = frozenset()
    while True:
        reads, more = notebook.take(RunName(store.origin, name, order.run))
        report = msgspec.structs.replace(attempt.report(avoid), reads=reads, more_reads=more)
        for _, reason in report.dropped if not avoid else ():
            with contextlib.suppress(Exception):  # the step may have closed it
                print(f"not stored: {reason}", file=sys.stderr)
        flush()
        send(line, msgspec.msgpack.encode(report))
        answer = receive(line)
        if answer is None:
            return 1
        if answer == b"":
            return 0 if succeeded else 1
        avoid = frozenset(msgspec.msgpack.decode(answer, type=list[bytes]))


def _open_notebook(facts: Mapping[str, object], order: Order) -> Notebook:
    """Has the client note what the task reads, also in processes that it starts."""
    folder = facts.get("tempdir")
    path = None if folder is None else os.path.join(str(folder), f".reads-{order.ticket}")
    os.environ.pop(VARIABLE, None)  # of a task that started this run
    if path is not None:
        os.environ[VARIABLE] = path
    return begin(path)


def _choose_namespace(facts: Mapping[str, object]) -> None:
    """Has the client of this process show what the run is to see; by default one's own runs."""
    chosen = facts["namespace"]
    if chosen != f"user:{facts['username']}":
        from mfv.client import namespace

        namespace(None if chosen is None else str(chosen))


def _handles(folder: Path, flow: str, order: Order) -> dict[str, Callable[[], object]]:
    """`current.run`, `.task` and `.info`: the client's, which is loaded when they are asked for."""
    record = Task(
        flow=flow,
        run=order.run,
        step=order.step,
        id=order.id,
        status="failed",  # until it is known better
        started=time.time_ns() // 1000,
        ended=0,
        attempt=order.attempt,
        pid=os.getpid(),
        parents=tuple(ref.id for ref in order.parents),
        splits=order.splits,
    )

    def run() -> object:
        from mfv.client.running import running_run

        return running_run(folder, record)

    def task() -> object:
        from mfv.client.running import running_task

        return running_task(folder, record)

    def info() -> object:
        from mfv.client.running import running_info

        return running_info(folder, record)

    return {"run": run, "task": task, "info": info}
