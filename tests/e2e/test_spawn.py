"""Tasks in new interpreters: what they share with forked ones, and what they are spared."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from processes import Place, assert_nothing_left, kill_session, wait_for

from mfv.client import Run, namespace

SPAWN = ("--process", "spawn")

# Its lock is only ever let go by a thread, which a fork does not copy.
THREADED = """
import threading
from mfv import FlowSpec, step

asked, held = threading.Event(), threading.Lock()
held.acquire()

def lend():
    asked.wait()
    held.release()
    threading.Event().wait()

threading.Thread(target=lend, daemon=True, name="lender").start()


class F(FlowSpec):
    @step
    def start(self):
        asked.set()
        self.got = held.acquire(timeout=0.5)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    F()
"""

CLASSES = """
import os, sys
from mfv import FlowSpec, Parameter, step


class Box:
    def __init__(self, number):
        self.number = number


def counted(context):
    with open("calls", "a") as file:
        file.write("x")
    return 6


class F(FlowSpec):
    count = Parameter("count", default=counted, type=int)
    FACTOR = [7]

    @step
    def start(self):
        self.box = Box(self.count)
        self.items = ["a", "b"]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        assert type(self.box) is Box and Box.__module__ == "__main__"
        self.result = self.input, self.box.number * self.FACTOR[0]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.results = [one.result for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("results:", self.results, "MFV_TASK" in os.environ)


if __name__ == "__main__":
    F()
"""
RESULTS = "results: [('a', 42), ('b', 42)] False"

WAITS = """
@step
def start(self):
    self.kept = 1
    self.next(self.wait)

@step
def wait(self):
    import subprocess
    subprocess.Popen(["sleep", "600"])
    with open("begun", "w") as file:
        file.write(str(os.getpid()))
    os.rename("begun", "waiting")
    time.sleep(600)
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_thread_that_was_started_at_import_is_missed_in_a_fork_and_there_in_a_spawned_task(
    place: Place,
) -> None:
    (place.folder / "flow.py").write_text(THREADED)
    forked = place.run()
    assert place.values("start") == {"got": False}
    assert "threads (lender)" in forked.out
    assert forked.out.count("--process spawn") == 1
    spawned = place.run(*SPAWN)
    assert place.values("start", run=2) == {"got": True}
    assert "threads" not in spawned.out


def test_numbers_from_numpy_cause_no_warning(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.made = float(np.ones((200, 200)).dot(np.ones((200, 200))).sum())
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    text = (place.folder / "flow.py").read_text()
    warm = "import numpy as np, scipy.linalg\nnp.ones((200, 200)).dot(np.ones((200, 200)))\n"
    (place.folder / "flow.py").write_text(warm + text)
    done = place.run()
    assert place.values("start") == {"made": 8e6}
    assert "thread" not in done.out


def test_classes_of_the_script_are_the_same_in_tasks_of_both_kinds(place: Place) -> None:
    (place.folder / "flow.py").write_text(CLASSES)
    for number, way in enumerate(("fork", "spawn"), 1):
        assert RESULTS in place.run("--process", way).out
        assert place.values("join", run=number)["results"] == [("a", 42), ("b", 42)]
    boxes = [
        artifact.id
        for number in (1, 2)
        for artifact in place.task("start", run=number).artifacts
        if artifact.name == "box"
    ]
    assert boxes[0] == boxes[1]


def test_a_default_that_is_computed_is_computed_once_a_run(place: Place) -> None:
    (place.folder / "flow.py").write_text(CLASSES)
    place.run(*SPAWN)
    assert (place.folder / "calls").read_text() == "x"


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "mfv", "run", "flow.py", *SPAWN),
        ("-m", "mfv", "-C", "deep", "run", "../flow.py", *SPAWN),
        ("-m", "flow", "run", *SPAWN),
        ("-m", "pack.flow", "run", *SPAWN),
        ("pack/flow.py", "run", *SPAWN),
        ("-c", "import pack.made; pack.made.make()()", "run", *SPAWN),
    ],
    ids=" ".join,
)
def test_however_a_flow_is_started_its_tasks_are_started_alike(
    place: Place, words: tuple[str, ...]
) -> None:
    (place.folder / "deep").mkdir()
    (place.folder / "pack").mkdir()
    (place.folder / "pack" / "__init__.py").touch()
    for name in ("flow.py", "pack/flow.py"):
        (place.folder / name).write_text(CLASSES)
    made = CLASSES.replace('"__main__"', '"pack.made"').replace(
        'if __name__ == "pack.made":\n    F()', "def make():\n    return F"
    )
    (place.folder / "pack" / "made.py").write_text(made)
    done = place.python(*words)
    assert done.code == 0, done.text
    assert RESULTS in done.out


def test_the_settings_and_the_environment_may_ask_for_it_and_the_option_wins(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.imported_in = IMPORTED_IN == os.getpid()
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    text = (place.folder / "flow.py").read_text()
    text = text.replace("class F", "IMPORTED_IN = os.getpid()\n\nclass F", 1)
    (place.folder / "flow.py").write_text(text)

    def spawned(*options: str) -> bool:
        place.run(*options)
        return bool(place.values("start", run=len(place.statuses()))["imported_in"])

    assert not spawned()
    (place.store / "config.toml").write_text('process = "spawn"\n')
    assert spawned()
    place.variables["MFV_PROCESS"] = "fork"
    assert not spawned()
    assert spawned(*SPAWN)


def test_a_way_that_does_not_exist_is_refused(place: Place) -> None:
    place.write(WAITS)
    assert "--process cannot be 'thread'" in place.run("--process", "thread", code=2).err
    place.variables["MFV_PROCESS"] = "threads"
    assert "MFV_PROCESS cannot be 'threads'" in place.run(code=2).err


def test_a_parameter_called_process_is_the_flows_own(place: Place) -> None:
    place.write(
        """
        process = Parameter("process", default="none")

        @step
        def start(self):
            self.seen = self.process
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run("--process", "distill")
    assert place.values("start")["seen"] == "distill"


def test_a_script_that_comes_to_another_flow_in_its_tasks_is_told(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    path = place.folder / "flow.py"
    *lines, _ = path.read_text().splitlines()
    once = ["    first = not os.path.exists('once')", "    open('once', 'w')"]
    other = ["    class G(F): pass", "    (F if first else G)()"]
    path.write_text("\n".join([*lines, *once, *other]))
    done = place.run(*SPAWN, code=1)
    assert "the script ran G in a task of a run of F" in done.out
    assert "Traceback" not in done.text


def test_a_script_that_breaks_when_it_runs_anew_fails_the_task_with_its_traceback(
    place: Place,
) -> None:
    place.write(WAITS)
    path = place.folder / "flow.py"
    path.write_text(
        "import os\nif os.path.exists('once'): raise OSError('only once')\nopen('once', 'w')\n"
        + path.read_text()
    )
    done = place.run(*SPAWN, code=1)
    assert "OSError: only once" in done.out
    failure = place.task("start").failure
    assert failure is not None
    assert failure.type == "exited"


def waiting(place: Place) -> tuple[subprocess.Popen[str], int]:
    place.write(WAITS)
    process = place.start("flow.py", "run", *SPAWN)
    return process, int(wait_for(place.folder / "waiting", process))


def test_ctrl_c_ends_spawned_tasks_and_what_they_started(place: Place) -> None:
    process, _ = waiting(place)
    os.killpg(process.pid, signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130, out
    assert place.statuses() == {"F/1": "interrupted"}
    failure = place.task("wait").failure
    assert failure is not None
    assert failure.type == "KeyboardInterrupt"
    assert_nothing_left(process)


@pytest.mark.parametrize("victim", ["task", "server", "scheduler", "all"])
def test_whoever_is_killed_no_process_stays_and_the_next_run_works(
    place: Place, victim: str
) -> None:
    process, task = waiting(place)
    stat = Path(f"/proc/{task}/stat").read_text()
    server = int(stat.rpartition(")")[2].split()[1])
    if victim == "all":
        kill_session(process)
    else:
        os.kill({"task": task, "server": server, "scheduler": process.pid}[victim], signal.SIGKILL)
    process.communicate(timeout=60)
    assert_nothing_left(process)
    assert place.values("start") == {"kept": 1}
    expected = "crashed" if victim in ("scheduler", "all") else "failed"
    assert place.statuses() == {"F/1": expected}
    place.write(WAITS.replace("time.sleep(600)", "pass").replace('"600"', '"0"'))
    place.run(*SPAWN)
    assert place.statuses() == {"F/1": expected, "F/2": "ok"}
    place.mfv("fsck")


def test_flags_of_the_interpreter_are_those_of_its_tasks(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.seen = (sys.flags.optimize, sys.flags.dev_mode, sys.argv[1:2])
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    done = place.python("-O", "flow.py", "run", *SPAWN)
    assert done.code == 0, done.text
    assert place.values("start")["seen"] == (1, False, ["run"])


def test_the_client_finds_nothing_unlike_a_forked_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "flow.py").write_text(CLASSES)
    place.run(*SPAWN)
    monkeypatch.setenv("MFV_DIR", str(place.store))
    namespace(None)
    run = Run("F/1")
    assert run.successful
    assert run.data.results == [("a", 42), ("b", 42)]
    assert RESULTS in run.end_task.stdout


def test_what_the_command_line_says_of_decorators_and_namespaces_holds_in_spawned_tasks(
    place: Place,
) -> None:
    place.write(
        """
        @step
        def start(self):
            from mfv import get_namespace
            self.seen = (os.environ.get("GIVEN"), get_namespace(), current.retry_count)
            if not self.seen[2]:
                raise ValueError("once")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run(
        *SPAWN,
        *("--with", 'environment:vars={"GIVEN": "x"}'),
        *("--with", "retry:times=1,minutes_between_retries=0"),
        *("--namespace", "user:ben"),
    )
    task = place.task("start", -1)
    assert task.attempt == 1
    assert place.values("start", -1)["seen"] == ("x", "user:ben", 1)
