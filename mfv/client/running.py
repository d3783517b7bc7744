"""The task that this very process runs: its handles are there before it has a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mfv.client.place import place_at
from mfv.client.run import Run, run_at
from mfv.client.rundata import set_running
from mfv.client.task import Task
from mfv.manifest import records


def running_run(folder: Path, record: records.Task) -> Run:
    """The run of the task that runs here, in the repository at `folder`, in any namespace."""
    set_running(folder, record)
    return run_at(folder, record.flow, str(record.run))


def running_info(folder: Path, record: records.Task) -> dict[str, Any]:
    """The INFO of the run of the task that runs here: its own, for it to change."""
    code = running_run(folder, record).code
    assert code is not None
    return dict(code.info)


def running_task(folder: Path, record: records.Task) -> Task:
    """The task that runs here: not finished, and without artifacts yet."""
    set_running(folder, record)
    task = Task.__new__(Task)
    path = (record.flow, str(record.run), record.step, str(record.id))
    task._attach(place_at(folder), path, None, None)
    return task
