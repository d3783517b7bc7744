"""Stores an object as an artifact of a Metaflow task; see clock.py for the command line.

Runs in Metaflow's own environment. The service that would register metadata is one that does
nothing: what is timed is the datastore alone, as it runs at the end of a task.
"""

from __future__ import annotations

from pathlib import Path

from clock import Job, job, measured, original
from equal import check_values
from metaflow.datastore import FlowDataStore
from metaflow.plugins.datastores.local_storage import LocalStorage


class _NoService:
    """Takes every call of a metadata provider and does nothing."""

    def __getattr__(self, name: str) -> object:
        return lambda *args, **kwargs: None


def open_flow(place: Path) -> FlowDataStore:
    """The datastore of a flow below `place`."""
    return FlowDataStore(
        "Bench", metadata=_NoService(), storage_impl=LocalStorage, ds_root=str(place / "store")
    )


def main(work: Job) -> None:
    value = original(work.source)
    if work.action == "restore":
        del value
    with measured(work.report):
        flow = open_flow(work.place)
        run = str(work.number + 1)
        if work.action == "store":
            task = flow.get_task_datastore(run, "start", "1", attempt=0, mode="w")
            task.init_task()
            task.save_artifacts(iter([("value", value)]))
            task.done()
        else:
            task = flow.get_task_datastore(run, "start", "1")
            ((_, value),) = task.load_artifacts(["value"])
    if work.action == "restore":
        check_values(value, original(work.source))


if __name__ == "__main__":
    main(job())
