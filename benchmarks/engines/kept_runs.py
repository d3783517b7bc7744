"""Tells all that a client gives back of the runs of one flow: a hash of each part, or a refusal.

    python kept_runs.py metaflow|mfv

Metaflow's client and that of mfv are asked by the same lines.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

FLOW = "SaveFlow"
REFUSED = "refused"
WARNED = "warned"  # a part that is there where the client said that names may be missing


def main(package: str) -> None:
    warned: list[str] = []
    client = importlib.import_module(package)
    warnings.showwarning = lambda message, category, *_: warned.append(category.__name__)
    client.namespace(None)  # of all users
    found: dict[str, str] = {}

    def part(name: str, read: Callable[[], Any]) -> Any:
        """Notes what `read` gives, and returns it; None where it refuses."""
        try:
            value = read()
        except Exception:
            found[name] = REFUSED
            return None
        found[name] = hashlib.sha256(_plain(value)).hexdigest()
        return value

    runs = part_of_objects(lambda: list(client.Flow(FLOW).runs()), found, "runs")
    for run in runs:
        part(f"{run.id} tags", lambda run=run: sorted(run.user_tags))
        part(f"{run.id} times", lambda run=run: (str(run.created_at), str(run.finished_at)))
        part(f"{run.id} end", lambda run=run: (run.finished, run.successful))
        for step in part_of_objects(lambda run=run: list(run), found, f"{run.id} steps"):
            where = f"{run.id}/{step.id}"
            for task in part_of_objects(lambda step=step: list(step), found, f"{where} tasks"):
                part(f"{where} output", lambda task=task: (task.stdout, task.stderr))
                name = f"{where} artifacts"
                for one in part_of_objects(lambda task=task: list(task), found, name):
                    part(f"{where}/{one.id}", lambda one=one: one.data)
    if "DamagedLogWarning" in warned:
        found[WARNED] = REFUSED
    print(json.dumps(found))


def part_of_objects(read: Callable[[], list[Any]], found: dict[str, str], name: str) -> list[Any]:
    """The objects of the client that `read` lists; none, and a refusal, where it fails."""
    try:
        objects = read()
    except Exception:
        found[name] = REFUSED
        return []
    found[name] = " ".join(sorted(one.id for one in objects))
    return objects


def _plain(value: object) -> bytes:
    return value if isinstance(value, bytes) else repr(value).encode()


if __name__ == "__main__":
    main(*sys.argv[1:])
