"""Asks Metaflow's client about runs in its local datastore, as a script of its user would.

    python metaflow_client.py newest|best
    python metaflow_client.py one ID

Runs in Metaflow's own environment. Metaflow has no query: its client is an iterator over the runs,
newest first, each of which reads its values when they are asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice

from metaflow import Flow, Run, namespace
from questions import BEST, EXPERIMENT, LISTED, NEWEST, fits, tell


def main(question: str, *words: str) -> None:
    namespace(None)  # of all users
    if question == NEWEST:
        runs = islice(Flow(EXPERIMENT).runs(), LISTED)
        tell({"id": run.id, "created": run.created_at, "ok": run.successful} for run in runs)
    elif question == BEST:
        fitting = sorted(found(), key=lambda row: -float(str(row["accuracy"])))
        tell(fitting[:LISTED])
    else:
        run = Run(f"{EXPERIMENT}/{words[0]}")
        values = {artifact.id: artifact.data for artifact in run.end_task}
        tell([{**values, "id": run.id, "created": run.created_at, "ok": run.successful}])


def found() -> Iterator[dict[str, object]]:
    """All runs that fit, in no order."""
    for run in Flow(EXPERIMENT).runs():
        data = run.data
        if data is not None and fits(data.lr, data.accuracy):
            yield {"id": run.id, "lr": data.lr, "accuracy": data.accuracy}


if __name__ == "__main__":
    main(*sys.argv[1:])
