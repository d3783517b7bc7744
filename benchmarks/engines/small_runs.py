"""Many small runs of ten artifacts each, written and read back by one library in one process.

    python small_runs.py ACTION PLACE PICKLES COUNT REPORT LIBRARY

PICKLES holds one pickle a run, a dict of its artifacts. ACTION "store" writes all COUNT runs;
"restore" reads single artifacts back, checks each, and reports the median of one as `read`.
LIBRARY: "mfv", "mfv-fast" (not synced), "metaflow", "pickle" (a file each, synced).
"""

from __future__ import annotations

import json
import os
import pickle
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from clock import Job, job, measured
from equal import check_values

Values = dict[str, object]
READS = 200


def main(work: Job) -> None:
    (library,) = work.words
    count = work.number
    paths = sorted(work.source.iterdir())[:count]
    if work.action == "restore":
        read_some(work, library, paths)
        return
    runs = [original(path) for path in paths]
    write = {"pickle": write_pickles, "metaflow": write_metaflow}.get(library, write_mfv)
    if library == "mfv-fast":
        set_fast(work.place)
    with measured(work.report):
        write(work.place, runs)


def write_mfv(place: Path, runs: list[Values]) -> None:
    """A run of one task for each, opened and, with its task, sealed as the product does it."""
    from mfv_runs import MOMENT, finished, opening

    from mfv.repo.recorder import RunRecorder
    from mfv.repo.repository import Repository

    repository = Repository.create(place / ".mfv", writer="bench@host")
    for values in runs:
        run = RunRecorder(repository, opening)
        run.seal("ok", ended=MOMENT + 2, finished=[finished(repository, run, values)])


def set_fast(place: Path) -> None:
    """Makes a repository whose settings ask for no sync at every commit."""
    from mfv.repo.repository import Repository

    Repository.create(place / ".mfv", writer="bench@host")
    (place / ".mfv" / "config.toml").write_text('durability = "fast"\n', encoding="ascii")


def write_metaflow(place: Path, runs: list[Values]) -> None:
    """A task for each, in Metaflow's datastore."""
    flow = _metaflow(place)
    for number, values in enumerate(runs, 1):
        task = flow.get_task_datastore(str(number), "start", "1", attempt=0, mode="w")
        task.init_task()
        task.save_artifacts(iter(values.items()))
        task.done()


def write_pickles(place: Path, runs: list[Values]) -> None:
    """A folder for each, with a file for each artifact, synced one by one."""
    for number, values in enumerate(runs, 1):
        folder = place / "store" / f"{number:04d}"
        folder.mkdir()
        for name, value in values.items():
            with (folder / name).open("wb") as file:
                pickle.dump(value, file, 5)
                file.flush()
                os.fsync(file.fileno())


def read_some(work: Job, library: str, paths: list[Path]) -> None:
    """Single artifacts of runs all over, in an order that no cache would guess."""
    draw = random.Random(1)
    read = reader(work.place, library)
    seconds = []
    with measured(work.report):
        for _ in range(READS):
            number = draw.randrange(len(paths))
            values = original(paths[number])
            name = draw.choice(sorted(values))
            begun = time.perf_counter()
            value = read(number + 1, name)
            seconds.append(time.perf_counter() - begun)
            check_values(value, values[name])
    found = json.loads(work.report.read_text("ascii"))
    found["read"] = statistics.median(seconds)
    work.report.write_text(json.dumps(found), encoding="ascii")


def reader(place: Path, library: str) -> Callable[[int, str], object]:
    """What reads an artifact of a run by number and name, from a store that is open."""
    if library == "pickle":
        return lambda number, name: pickle.loads(
            (place / "store" / f"{number:04d}" / name).read_bytes()
        )
    if library == "metaflow":
        flow = _metaflow(place)

        def load_task(number: int, name: str) -> object:
            task = flow.get_task_datastore(str(number), "start", "1")
            ((_, value),) = task.load_artifacts([name])
            return value

        return load_task
    from mfv_runs import value_of

    from mfv.repo.artifacts import load
    from mfv.repo.repository import Repository

    repository = Repository.open(place / ".mfv")
    return lambda number, name: load(repository.database, value_of(repository, number, name))


def original(path: Path) -> Values:
    """The artifacts of one run."""
    values: Values = pickle.loads(path.read_bytes())
    return values


def _metaflow(place: Path):  # type: ignore[no-untyped-def]
    from metaflow_tasks import open_flow

    return open_flow(place)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main(job())
