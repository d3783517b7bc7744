"""Steps that go wrong: the run is sealed as failed, says why, and keeps what was made."""

from __future__ import annotations

import signal

import pytest
from processes import Done, Place

from mfv.manifest.records import Failure

BREAKS = """
@step
def start(self):
    self.kept = {{"earlier": [1, 2, 3]}}
    self.next(self.breaks)

@step
def breaks(self):
    self.half = "set before"
    print("so far so good", flush=True)
    {how}
    self.next(self.end)

@step
def end(self):
    pass
"""


def broken(place: Place, how: str) -> tuple[Done, Failure]:
    """A run whose second step does `how`; checks all that is the same for every failure."""
    place.write(BREAKS.format(how=how))
    done = place.run(code=1)
    assert "run F/1 failed" in done.out
    view = place.view()
    assert view.status == "failed"
    assert view.manifest is not None
    assert view.manifest.failed_step == "breaks"
    assert place.values("start") == {"kept": {"earlier": [1, 2, 3]}}
    assert set(view.steps()) == {"start", "breaks"}
    task = place.task("breaks")
    assert place.output("stdout", task) == b"so far so good\n"
    assert task.status == "failed"
    assert task.failure is not None
    assert task.failure == view.manifest.failure
    place.mfv("fsck")
    return done, task.failure


def test_an_exception_leaves_its_traceback_and_what_was_set_before(place: Place) -> None:
    done, failure = broken(place, 'raise ValueError("no such luck")')
    assert (failure.type, failure.message) == ("ValueError", "no such luck")
    first, second, *_ = failure.traceback.splitlines()
    # It begins in the user's own file, not in mfv's.
    assert first == "Traceback (most recent call last):"
    assert "flow.py" in second and "in breaks" in second
    assert failure.traceback in place.output("stderr", place.task("breaks")).decode()
    assert "ValueError: no such luck" in done.out
    assert place.values("breaks") == {
        "half": "set before",
        "kept": {"earlier": [1, 2, 3]},
    }
    assert "ValueError: no such luck" in place.mfv("show", "F/1").out


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("os.kill(os.getpid(), 9)", signal.SIGKILL),
        ("import ctypes; ctypes.string_at(0)", signal.SIGSEGV),
        ("os.abort()", signal.SIGABRT),
    ],
)
def test_a_step_that_dies_of_a_signal_says_which(
    place: Place, how: str, number: signal.Signals
) -> None:
    done, failure = broken(place, how)
    assert failure.type == "killed"
    assert number.name in failure.message
    assert place.task("breaks").signal == number
    if number != signal.SIGKILL:  # which gives no time for last words
        assert b"in breaks" in place.output("stderr", place.task("breaks"))
    assert number.name in done.out


def test_a_signal_without_a_name_is_reported_by_its_number(place: Place) -> None:
    _, failure = broken(place, "os.kill(os.getpid(), 40)")
    assert "signal 40" in failure.message


@pytest.mark.parametrize("code", ["0", "3", '"a word"'])
def test_sys_exit_in_a_step_is_a_failure_whatever_the_code(place: Place, code: str) -> None:
    _, failure = broken(place, f"sys.exit({code})")
    assert failure.type == "SystemExit"
    assert failure.message == code.strip('"')
    assert place.values("breaks")["half"] == "set before"


def test_a_process_that_leaves_without_a_word_is_a_failure_too(place: Place) -> None:
    _, failure = broken(place, "os._exit(0)")
    assert failure.type == "exited"
    assert "exit code 0" in failure.message


def test_an_exception_that_is_no_exception_keeps_the_artifacts_all_the_same(place: Place) -> None:
    _, failure = broken(place, "import asyncio; raise asyncio.CancelledError()")
    assert failure.type == "asyncio.exceptions.CancelledError"
    assert place.values("breaks")["half"] == "set before"


def test_an_exception_that_cannot_say_its_own_text_is_recorded(place: Place) -> None:
    _, failure = broken(
        place, "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()"
    )
    assert failure.type == "Mute"
    assert "Mute" in failure.traceback


def test_a_step_that_never_says_what_is_next_fails_with_the_reason(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            if time.time() > 0:
                return
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run(code=1)
    failure = place.task("start").failure
    assert failure is not None
    assert "self.next" in failure.message


def test_siblings_of_a_failed_task_may_finish_and_nothing_new_starts(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.items = list(range(6))
            self.next(self.work, foreach="items")

        @step
        def work(self):
            if self.input == 0:
                while not os.path.exists("other-runs"):
                    time.sleep(0.01)
                raise RuntimeError("first")
            if self.input == 1:
                open("other-runs", "w").close()
                time.sleep(0.3)
            self.finished = self.input
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    done = place.run("--max-workers", "2", code=1)
    assert "RuntimeError: first" in done.out
    tasks = place.view().tasks("work")
    assert [task.status for task in tasks] == ["failed", "ok"]
    assert place.values("work", 1)["finished"] == 1
    assert "join" not in place.view().steps()


def test_what_cannot_be_stored_is_named_and_the_run_goes_on(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            import threading
            self.state = {"name": "x", "locks": [1, threading.Lock()]}
            self.score = lambda value: value + 1
            self.stream = (number for number in range(3))
            self.good = {"fine": True}
            self.next(self.end)

        @step
        def end(self):
            self.still = self.good["fine"]
        """
    )
    done = place.run()
    assert place.view().status == "ok"
    assert place.values("start") == {"good": {"fine": True}}
    dropped = dict(place.task("start").dropped)
    assert set(dropped) == {"state", "score", "stream"}
    assert dropped["state"].startswith("self.state['locks'][1] cannot be stored: _thread.lock")
    assert "function" in dropped["score"]
    assert "generator" in dropped["stream"]
    for reason in dropped.values():
        assert f"not stored: {reason}" in done.out
    assert place.values("end") == {"good": {"fine": True}, "still": True}


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ("(n for n in range(3))", "self.items = list(...)"),
        ("[print, __import__('threading').Lock()]", "self.items[1] cannot be stored"),
        ("[]", "which is empty"),
        ("12", "a int, which has no items"),
    ],
)
def test_a_foreach_over_what_cannot_be_gone_over_fails_in_the_step_that_made_it(
    place: Place, items: str, said: str
) -> None:
    place.write(
        f"""
        @step
        def start(self):
            self.other = 1
            self.items = {items}
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    done = place.run(code=1)
    assert said in done.out
    assert set(place.view().steps()) == {"start"}
    assert place.values("start")["other"] == 1
    failure = place.task("start").failure
    assert failure is not None
    assert "self.items" in failure.message


def test_a_merge_that_conflicts_names_all_that_differ(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.x, self.y, self.z = 1, 2, 3
            self.next(self.join)

        @step
        def b(self):
            self.x, self.y, self.z = 1, 20, 30
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run(code=1)
    failure = place.task("join").failure
    assert failure is not None
    assert "differ in y, z" in failure.message
    assert place.values("join") == {}
