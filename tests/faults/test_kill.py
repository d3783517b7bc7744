"""kill -9 at random moments of a running flow: nothing that was reported is lost."""

from __future__ import annotations

import random
import re
import subprocess
import time
from pathlib import Path

import pytest
from processes import Place, assert_nothing_left, kill_session

# Small artifacts that travel with the commit, and large ones that the task writes out itself.
BODY = """
@step
def start(self):
    self.shared = os.urandom(300_000)
    self.items = list(range(8))
    self.next(self.work, foreach="items")

@step
def work(self):
    self.small = {"item": self.input, "run": current.run_id}
    self.large = bytes([self.input]) + os.urandom(400_000)
    print("worked on", self.input)
    self.next(self.join)

@step
def join(self, inputs):
    self.all = [one.small["item"] for one in inputs]
    self.next(self.end)

@step
def end(self):
    pass
"""
DONE = re.compile(r"\[(\d+)/(\w+)/(\d+) \(pid \d+\)\] done in")


def assert_all_that_was_reported_is_there(place: Place, out: str) -> int:
    """Reads every task that a run said is done; returns how many there were."""
    reported = DONE.findall(out)
    for run, step, task_id in reported:
        view = place.view(int(run))
        task = view.task(step, task_id)
        assert task.status == "ok"
        database = view.repository.database
        for artifact in task.artifacts:
            for frame in artifact.frames:
                assert len(database.read_blob(frame.id)) == frame.size
    return len(reported)


def assert_it_can_be_gone_on_from(place: Place) -> int:
    """Resumes the newest run if it was killed: no task that was done runs again. How many runs."""
    statuses = place.statuses()
    last = len(statuses)
    if statuses.get(f"F/{last}") != "crashed":
        return 0
    before = {(ref.step, ref.id) for ref in place.view(last).refs if ref.status == "ok"}
    done = place.python("flow.py", "resume")
    assert done.code == 0, done.text
    view = place.view(last + 1)
    tasks = [view.repository.task(ref) for ref in view.refs]
    assert {task.origin for task in tasks if task.origin} == {(last, id) for _, id in before}
    assert place.values("join", run=last + 1)["all"] == list(range(8))
    return 1


def kill(process: subprocess.Popen[str], whole_session: bool) -> None:
    if whole_session:
        kill_session(process)
    else:
        process.kill()  # the scheduler alone; the server sees that it is gone
        process.wait()


def timed_run(place: Place) -> float:
    """Runs the flow to its end; returns how long that took, seconds."""
    begun = time.monotonic()
    place.run()
    return time.monotonic() - begun


@pytest.mark.parametrize("whole_session", [False, True], ids=["scheduler", "session"])
def test_a_flow_killed_at_any_moment_leaves_a_whole_repository(
    tmp_path: Path, whole_session: bool, long: bool
) -> None:
    place = Place(tmp_path / "project", BODY)
    moments = random.Random(f"moments {whole_session}")
    kills, reported, running, resumed = (25 if long else 6), 0, 0, 0
    lasts = timed_run(place)
    for _ in range(kills):
        output = tmp_path / "output"
        with output.open("w") as file:
            process = place.start("flow.py", "run", stdout=file)
            time.sleep(lasts * moments.uniform(0.2, 1.0))
            running += process.poll() is None
            kill(process, whole_session)
        assert_nothing_left(process)
        if (place.store / "format").exists():
            place.mfv("fsck")
            place.mfv("log")
        out = output.read_text()
        reported += assert_all_that_was_reported_is_there(place, out)
        resumed += assert_it_can_be_gone_on_from(place)
        lasts = timed_run(place)
        statuses = place.statuses()
        last = len(statuses)
        assert set(statuses) == {f"F/{number}" for number in range(1, last + 1)}
        assert statuses[f"F/{last}"] == "ok"
        assert set(statuses.values()) <= {"ok", "crashed"}
        assert place.values("join", run=last)["all"] == list(range(8))
    assert running, "every kill came too late to mean anything"
    assert reported, "every kill came before anything was done"
    assert resumed, "no kill left anything to go on from"
    assert not list((place.store / "tmp").iterdir())
    place.mfv("fsck")
