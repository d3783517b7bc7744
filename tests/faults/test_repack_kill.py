"""kill -9 of `mfv gc --repack` at random moments, beside real writers: nothing reported is lost."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import keeping
from keeping import assert_well, assert_whole, count_packs
from processes import Place

from mfv.repo.archive import list_archives, list_entries
from mfv.repo.repository import Repository

# Records runs until it is killed, some of what the ones before recorded, and tells each one.
WRITER = f"""
import sys
sys.path.insert(0, {str(Path(keeping.__file__).parent)!r})
from keeping import record
from mfv.repo.repository import Repository

repository = Repository.create(".mfv", writer="ana@host")
number = int(sys.argv[1])
while True:
    print(record(repository, number % 40), number % 40, flush=True)
    number += 1
"""


class Writers:
    """Two processes that record runs, and what they reported."""

    def __init__(self, place: Place) -> None:
        self._place = place
        (place.folder / "writer.py").write_text(WRITER)
        self._outputs: list[Path] = []
        self._running: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        for _ in range(2):
            output = self._place.folder / f"output{len(self._outputs)}"
            with output.open("w") as file:
                words = ("writer.py", str(len(self._outputs) * 7))
                options = {"stdout": file, "stderr": subprocess.STDOUT}
                self._running.append(self._place.start(*words, **options))
            self._outputs.append(output)

    def kill(self) -> None:
        while self._running:
            process = self._running.pop()
            assert process.poll() is None, "it ended by itself"
            process.kill()
            process.wait()

    def reported(self) -> dict[str, int]:
        found = {}
        for output in self._outputs:
            lines = output.read_text().split("\n")[:-1]  # the last one may be cut short
            for line in lines:
                name, number = line.split()
                found[name] = int(number)
        return found


def test_killed_at_any_moment_beside_writers_that_are_killed_too_it_loses_nothing(
    tmp_path: Path, long: bool
) -> None:
    place = Place(tmp_path / "project")
    place.mfv("init")
    writers = Writers(place)
    moments = random.Random("moments")
    kills = 0
    for round_number in range(20 if long else 5):
        writers.start()
        time.sleep(0.3)
        begun = time.monotonic()
        place.mfv("gc", "--repack", "--prune", "now")
        lasts = time.monotonic() - begun
        for _ in range(3):
            process = place.start("-m", "mfv", "gc", "--repack", "--prune", "now")
            time.sleep(lasts * moments.uniform(0.1, 1.0))
            kills += process.poll() is None
            process.kill()
            process.communicate()
        writers.kill()
        backend = Repository.open(place.store).backend
        assert_whole(backend, writers.reported())
        if round_number % 4 == 0:
            place.mfv("gc", "--repack", "--prune", "now")
    assert kills, "every kill came too late to mean anything"
    assert len(writers.reported()) > 20
    place.mfv("gc", "--repack", "--prune", "now")
    backend = Repository.open(place.store).backend
    assert count_packs(backend) == 1
    end = max(last for _, last in list_archives(backend))
    assert [number for number in list_entries(backend) if number <= end] == []
    assert len([name for name in backend.list("log/") if "checkpoint" in name]) == 1
    assert not list((place.store / "tmp").iterdir())
    assert_whole(backend, writers.reported())
    assert_well(backend)
    place.mfv("fsck", "--data")
