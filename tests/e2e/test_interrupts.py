"""Ctrl-C and kill: the run is sealed, what was finished is kept, and no process stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from processes import Place, assert_nothing_left, wait_for

# Two tasks at a time wait for a signal; `start` is finished by then.
WAITS = """
@step
def start(self):
    self.kept = list(range(10))
    self.items = [0, 1]
    self.next(self.wait, foreach="items")

@step
def wait(self):
    self.half = self.index
    {prepare}
    print("waiting", flush=True)
    # Closed before the signal: an exception in the closing of a forgotten file is swallowed.
    with open("begun" + str(self.index), "w") as file:
        file.write(str(os.getpid()))
    os.rename(file.name, f"waiting{{self.index}}")
    {wait}
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""
SLEEP = "time.sleep(600)"
STUBBORN = """
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            print("no", flush=True)
"""


def waiting(place: Place, *, prepare: str = "pass", wait: str = SLEEP) -> subprocess.Popen[str]:
    """A flow whose two tasks wait in their step."""
    place.write(WAITS.format(prepare=prepare, wait=wait))
    process = place.start("flow.py", "run")
    for index in (0, 1):
        wait_for(place.folder / f"waiting{index}", process)
    return process


def assert_interrupted(place: Place, process: subprocess.Popen[str]) -> str:
    out: str = process.communicate(timeout=60)[0]
    assert process.returncode == 130, out
    assert "run F/1 interrupted" in out
    assert place.statuses() == {"F/1": "interrupted"}
    assert place.values("start")["kept"] == list(range(10))
    assert_nothing_left(process)
    place.mfv("fsck")
    return out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_asked_to_stop_is_sealed_as_interrupted(
    place: Place, number: signal.Signals
) -> None:
    process = waiting(place)
    os.killpg(process.pid, number)  # as a terminal does it
    out = assert_interrupted(place, process)
    for task in place.view().tasks("wait"):
        assert task.failure is not None
        assert task.failure.type == "KeyboardInterrupt", out
    # What an interrupted task had set by then is kept too.
    assert [place.values("wait", i)["half"] for i in (0, 1)] == [0, 1]


def test_a_signal_to_the_scheduler_alone_is_enough(place: Place) -> None:
    process = waiting(place)
    process.send_signal(signal.SIGTERM)
    assert_interrupted(place, process)


def test_a_task_that_ignores_sigint_is_ended_by_stronger_signals(place: Place) -> None:
    process = waiting(place, prepare="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    os.killpg(process.pid, signal.SIGINT)
    assert_interrupted(place, process)
    for task in place.view().tasks("wait"):
        assert task.failure is not None
        assert (task.failure.type, task.signal) == ("interrupted", signal.SIGTERM)


def test_a_task_that_ignores_everything_is_killed_by_the_second_ctrl_c(place: Place) -> None:
    ignore = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "signal.signal(signal.SIGINT, lambda *_: open(f'heard{self.index}', 'w').write('x'))"
    )
    process = waiting(place, prepare=ignore, wait="while True: time.sleep(600)")
    os.killpg(process.pid, signal.SIGINT)
    for index in (0, 1):
        wait_for(place.folder / f"heard{index}", process)
    os.killpg(process.pid, signal.SIGINT)
    assert_interrupted(place, process)
    assert {task.signal for task in place.view().tasks("wait")} == {signal.SIGKILL}


def test_many_ctrl_c_in_a_row_still_seal_the_run(place: Place) -> None:
    process = waiting(place, wait=STUBBORN)
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.001)
    # The last one may have come when all was done, and Python was on its way out.
    assert process.returncode in (130, -signal.SIGINT)
    assert place.statuses() == {"F/1": "interrupted"}
    assert_nothing_left(process)
    place.mfv("fsck")


def test_what_an_interrupted_task_had_started_goes_with_it(place: Place) -> None:
    # A shell that shrugs off SIGINT, in the background, still running when its task is gone.
    start = (
        "import subprocess; subprocess.Popen(['sh', '-c', "
        "\"trap '' INT TERM; echo $$ > child$0; sleep 600; sleep 600\", str(self.index)])\n"
        "    while not os.path.exists(f'child{self.index}'): time.sleep(0.01)"
    )
    process = waiting(place, prepare=start)
    os.killpg(process.pid, signal.SIGINT)
    assert_interrupted(place, process)


def test_a_signal_at_any_moment_leaves_no_open_run_and_no_process(place: Place) -> None:
    body = """
    @step
    def start(self):
        self.items = list(range(12))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.made = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [one.made for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
    """
    place.write(body)
    begun = time.monotonic()
    place.run()
    lasted = time.monotonic() - begun
    for moment in range(12):
        process = place.start("flow.py", "run", "--max-workers", "2")
        time.sleep(lasted * moment / 12)
        os.killpg(process.pid, signal.SIGINT)
        out = process.communicate(timeout=60)[0]
        assert_nothing_left(process)
        # Before the run begins, and after its last line, Python ends as it always does.
        if re.search(r"run F/\d+ started", out) and not re.search(r"run F/\d+ done", out):
            assert "interrupted: stopping the running tasks" in out
            assert process.returncode in (130, -signal.SIGINT), out
    assert set(place.statuses().values()) <= {"ok", "interrupted"}
    place.mfv("fsck")


def test_a_server_of_tasks_that_is_killed_fails_the_run_and_takes_its_tasks_along(
    place: Place,
) -> None:
    process = waiting(place)
    task = int((place.folder / "waiting0").read_text())
    status = Path(f"/proc/{task}/stat").read_text()
    server = int(status.rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 1, out
    assert "Traceback" not in out
    assert "the process that starts tasks was killed" in out
    assert place.statuses() == {"F/1": "failed"}
    assert place.values("start")["kept"] == list(range(10))
    assert_nothing_left(process)


def test_a_flow_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    place = Place(
        tmp_path / "project",
        """
        @step
        def start(self):
            open("began", "w").write("yes")
            time.sleep(1)
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    )
    running = place.start(
        "flow.py", "run", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    wait_for(place.folder / "began", running)
    os.killpg(running.pid, signal.SIGHUP)
    running.communicate()
    assert running.returncode == 0
    assert place.statuses() == {"F/1": "ok"}
