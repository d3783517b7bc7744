"""Steps that are tried again, and what is left of every attempt."""

from __future__ import annotations

import json
from typing import Any

from processes import Place

HEAD = """
import os, signal, sys, time
from mfv import FlowSpec, catch, current, parallel, retry, step, timeout

class F(FlowSpec):
"""
TAIL = """
    @step
    def end(self):
        pass

if __name__ == "__main__":
    F()
"""


def run(place: Place, steps: str, *options: str, code: int = 0) -> str:
    """Runs a flow with these steps before the end; what it printed."""
    (place.folder / "flow.py").write_text(HEAD + steps + TAIL)
    return place.run(*options, code=code).text


def ask(place: Place, expression: str) -> Any:
    """What the client answers; `run` is the latest run, `task` the task of its first step."""
    code = (
        "import json, mfv; run = mfv.Flow('F').latest_run; task = run['start'].task\n"
        f"print(json.dumps({expression}))"
    )
    done = place.python("-c", code)
    assert done.code == 0, done.text
    return json.loads(done.out)


def test_a_failed_step_is_tried_again_and_each_attempt_can_be_read(place: Place) -> None:
    out = run(
        place,
        """
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        self.count = current.retry_count
        print("attempt", self.count)
        if self.count < 2:
            raise ValueError(f"not yet: {self.count}")
        self.next(self.end)
""",
    )
    assert "attempt 3 of 3" in out
    assert ask(place, "[run.successful, task.current_attempt, task.data.count]") == [True, 2, 2]
    first = "mfv.Task(task.pathspec, attempt=0)"
    seen = ask(place, f"[{first}.successful, {first}.data.count, {first}.stdout]")
    assert seen == [False, 0, "attempt 0\n"]
    assert ask(place, f"{first}.exception.exception") == "not yet: 0"


def test_between_attempts_the_time_really_passes(place: Place) -> None:
    run(
        place,
        """
    @retry(times=1, minutes_between_retries=0.01)
    @step
    def start(self):
        self.at = time.time()
        if current.retry_count == 0:
            raise ValueError
        self.next(self.end)
""",
    )
    waited = ask(place, "task.data.at - mfv.Task(task.pathspec, attempt=0).data.at")
    assert waited >= 0.6


def test_when_every_attempt_failed_the_run_fails(place: Place) -> None:
    run(
        place,
        """
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        raise ValueError("never")
        self.next(self.end)
""",
        code=1,
    )
    assert ask(place, "[run.successful, task.current_attempt]") == [False, 1]


def test_with_retry_tries_every_step_again(place: Place) -> None:
    run(
        place,
        """
    @step
    def start(self):
        if current.retry_count == 0:
            raise ValueError
        self.next(self.end)
""",
        "--with",
        "retry:times=1,minutes_between_retries=0",
    )
    assert ask(place, "task.current_attempt") == 1


def test_catch_comes_after_the_last_attempt(place: Place) -> None:
    run(
        place,
        """
    @catch(var="failure")
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        self.count = current.retry_count
        raise ValueError(f"no: {self.count}")
        self.next(self.end)
""",
    )
    seen = ask(place, "[task.current_attempt, task.data.count, run.data.failure.exception]")
    assert seen == [1, 1, "no: 1"]


def test_a_process_that_keeps_dying_is_taken_over_by_catch(place: Place) -> None:
    out = run(
        place,
        """
    @catch(var="failure", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        self.lost = True
        os.kill(os.getpid(), signal.SIGKILL)
        self.next(self.exits)

    @catch(var="exited", print_exception=False)
    @step
    def exits(self):
        sys.exit(3)
        self.next(self.end)
""",
    )
    assert "@catch takes over" in out
    seen = ask(place, "[task.current_attempt, run.data.failure.exception]")
    assert seen[0] == 2
    assert "in all of its 2 attempts" in seen[1]
    assert ask(place, "run['exits'].task.data.exited.type").endswith("FailureHandledByCatch")
    assert ask(place, "'lost' in task") is False


def test_a_timeout_is_tried_again_and_each_attempt_has_the_whole_time(place: Place) -> None:
    run(
        place,
        """
    @retry(times=1, minutes_between_retries=0)
    @timeout(seconds=1)
    @step
    def start(self):
        if current.retry_count == 0:
            time.sleep(60)
        self.left = signal.getitimer(signal.ITIMER_REAL)[0]
        self.next(self.end)
""",
    )
    assert ask(place, "task.data.left") > 0.5
    first = ask(place, "mfv.Task(task.pathspec, attempt=0).exception.exception")
    assert first == "step 'start' timed out after 1 seconds"


def test_parallel_tasks_know_of_each_other_and_are_tried_again_together(place: Place) -> None:
    run(
        place,
        """
    @step
    def start(self):
        self.next(self.train, num_parallel=3)

    @retry(times=1, minutes_between_retries=0)
    @parallel
    @step
    def train(self):
        self.facts = tuple(current.parallel)
        if current.retry_count == 0 and current.parallel.node_index == 1:
            raise ValueError("one of them")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.facts = [one.facts for one in inputs]
        self.next(self.end)
""",
    )
    facts = ask(place, "run.data.facts")
    control = facts[0][3]
    assert facts == [["127.0.0.1", 3, index, control] for index in range(3)]
    assert control in ask(place, "[one.id for one in run['train']]")
    assert ask(place, "[one.current_attempt for one in run['train']]") == [1, 1, 1]
