"""Going on where a run ended: what is taken over, what runs anew, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Place, assert_nothing_left

FLOW = """
width = Parameter("width", default=4)
token = Parameter("token", default="none")
SIZE = int(os.environ.get("SIZE", "3"))

@step
def start(self):
    self.items = list(range(self.width))
    self.kept = ("start", self.SIZE)
    print("start ran")
    self.next(self.body, foreach="items")

@step
def body(self):
    if self.input == 2 and os.path.exists("../broken"):
        raise ValueError("broken")
    self.got = self.input * 10
    print("body", self.input)
    self.next(self.join)

@step
def join(self, inputs):
    self.total = sum(one.got for one in inputs)
    self.merge_artifacts(inputs, include=["kept"])
    self.next(self.end)

@step
def end(self):
    self.seen = (self.width, self.SIZE, len(self.token), current.origin_run_id)
"""


def broken(place: Place) -> Path:
    """A file outside of the project, with which a step fails."""
    return place.folder.parent / "broken"


@pytest.fixture
def failed(place: Place) -> Place:
    """A place with a run that failed in one task of its foreach."""
    place.write(FLOW)
    broken(place).touch()
    place.run("--width", "5", code=1)
    broken(place).unlink()
    return place


def resume(place: Place, *words: str) -> str:
    done = place.python("flow.py", "resume", *words)
    assert done.code == 0, done.text
    return done.text


def origins(place: Place, run: int) -> dict[tuple[str, int], tuple[int, int] | None]:
    """By step and index in the foreach: of what task each task is a clone."""
    view = place.view(run)
    tasks = [view.repository.task(ref) for ref in view.refs]
    return {(t.step, t.splits[0].index if t.splits else 0): t.origin for t in tasks}


def test_what_succeeded_is_taken_over_and_the_rest_runs(failed: Place) -> None:
    said = resume(failed)
    assert "run F/2 started, going on from F/1" in said
    assert "took over start" in said
    assert "took over body (4 tasks)" in said
    assert said.count("body 2") == 1
    assert "start ran" not in said
    found = origins(failed, 2)
    assert found["start", 0] == (1, 1)
    assert found["body", 2] is found["join", 0] is found["end", 0] is None
    assert all(found["body", index] is not None for index in (0, 1, 3, 4))
    assert failed.values("end", run=2)["total"] == 100
    assert failed.view(2).opening.resumed_from == 1
    assert failed.statuses() == {"F/1": "failed", "F/2": "ok"}


def test_clones_keep_values_logs_and_places(failed: Place) -> None:
    resume(failed)
    for index in (0, 1, 3, 4):
        old, new = failed.task("body", index), failed.task("body", index, run=2)
        assert new.artifacts == old.artifacts
        assert new.splits == old.splits
        assert failed.output("stdout", new, run=2) == failed.output("stdout", old)
    assert failed.mfv("fsck", "--data").code == 0


def test_a_run_can_be_resumed_from_a_step_on(failed: Place) -> None:
    resume(failed)
    said = resume(failed, "join", "--origin-run-id", "2")
    found = origins(failed, 3)
    assert found["join", 0] is None
    assert found["body", 2] is not None
    assert "body 2" not in said


def test_a_step_in_the_middle_of_a_foreach_takes_all_after_it_along(failed: Place) -> None:
    resume(failed)
    resume(failed, "body")
    found = origins(failed, 3)
    assert [place for place, origin in found.items() if origin is not None] == [("start", 0)]


def test_the_parameters_are_those_of_the_origin(failed: Place) -> None:
    resume(failed)
    assert failed.values("end", run=2)["seen"] == (5, 3, 4, "1")
    done = failed.python("flow.py", "resume", "--width", "6")
    assert done.code == 2
    assert "--width cannot be changed: a resumed run has the parameters of F/2" in done.err
    assert "`--set width=VALUE` changes it" in done.err


def test_a_secret_is_given_again(place: Place) -> None:
    place.write(FLOW)
    broken(place).touch()
    place.run("--token", "s3cret", code=1)
    broken(place).unlink()
    resume(place, "--token", "s3cret")
    assert place.values("end", run=2)["seen"][2] == 6
    assert "s3cret" not in place.mfv("show", "F/2").text


def test_a_secret_whose_option_is_spelt_otherwise_than_its_attribute_is_given_again(
    place: Place,
) -> None:
    place.write(FLOW.replace('Parameter("token"', 'Parameter("api-token"'))
    broken(place).touch()
    place.run("--api-token", "s3cret", code=1)
    broken(place).unlink()
    resume(place, "--api-token", "other")
    assert place.values("end", run=2)["seen"][2] == len("other")


def test_code_that_is_trusted_is_told_of_and_what_it_made_recorded_as_it_was(
    failed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = failed.folder / "flow.py"
    script.write_text(script.read_text().replace("* 10", "* 100"))
    monkeypatch.setenv("SIZE", "8")
    said = resume(failed, "--trust-code")
    assert "flow.py changed since F/1" in said
    assert "SIZE is 8 now, and was 3 in F/1" in said
    view = failed.view(2)
    constants = {
        task.step: {a.name: a.value for a in view.all_artifacts(task)}["SIZE"]
        for task in (failed.task("start", run=2), failed.task("end", run=2))
    }
    assert constants == {"start": 3, "end": 8}
    assert failed.values("end", run=2)["total"] == 0 + 10 + 200 + 30 + 40


def test_a_finished_run_is_resumed_to_the_same_without_a_task(place: Place) -> None:
    place.write(FLOW)
    place.run()
    said = resume(place)
    assert "pid" not in said
    assert place.values("end", run=2) == place.values("end")
    assert place.statuses() == {"F/1": "ok", "F/2": "ok"}


@pytest.mark.parametrize(
    ("killed", "status"),
    [("task", "failed"), ("server", "failed"), ("scheduler", "crashed"), ("both", "crashed")],
)
def test_what_a_killed_run_had_finished_is_taken_over(
    place: Place, killed: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(
        """
        @step
        def start(self):
            self.made = 1
            self.next(self.die)

        @step
        def die(self):
            import signal
            server = os.getppid()
            with open(f"/proc/{server}/stat") as file:
                scheduler = int(file.read().rpartition(")")[2].split()[1])
            victims = {
                "task": [os.getpid()],
                "server": [server],
                "scheduler": [scheduler],
                "both": [scheduler, server],
            }
            for victim in victims.get(os.environ["KILLED"], []):
                os.kill(victim, signal.SIGKILL)
            self.next(self.end)

        @step
        def end(self):
            self.made += 1
        """
    )
    monkeypatch.setenv("KILLED", killed)
    process = place.start("flow.py", "run")
    process.communicate()
    assert_nothing_left(process)
    monkeypatch.setenv("KILLED", "nobody")
    resume(place)
    assert place.statuses() == {"F/1": status, "F/2": "ok"}
    assert place.task("start", run=2).origin == (1, 1)
    assert place.values("end", run=2) == {"made": 2}


def test_repeated_steps_are_taken_over_in_their_order(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.count = 0
            self.next(self.loop)

        @step
        def loop(self):
            self.count += 1
            if self.count == 4 and os.path.exists("../broken"):
                raise ValueError("broken")
            self.more = self.count < 5
            self.next({True: self.loop, False: self.end}, condition="more")

        @step
        def end(self):
            pass
        """
    )
    broken(place).touch()
    place.run(code=1)
    broken(place).unlink()
    resume(place)
    view = place.view(2)
    loops = [view.repository.task(ref) for ref in view.step("loop")]
    assert [task.origin for task in loops] == [(1, 2), (1, 3), (1, 4), None, None]
    assert place.values("end", run=2) == {"count": 5, "more": False}


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (["nowhere"], 1, "F has no step 'nowhere' to resume from", "its steps are start"),
        (["bdoy"], 1, "F has no step 'bdoy'", "did you mean"),
        (["--origin-run-id", "7"], 3, "F has no run '7'", "its runs are 1 to 1"),
        (["--origin-run-id", "x"], 3, "F has no run 'x'", "its runs are 1 to 1"),
    ],
)
def test_what_cannot_be_resumed_is_told_and_leaves_no_run(
    failed: Place, words: list[str], code: int, message: str, hint: str
) -> None:
    done = failed.python("flow.py", "resume", *words)
    assert done.code == code, done.text
    assert message in done.err
    assert hint in done.err
    assert failed.statuses() == {"F/1": "failed"}


def test_without_any_run_there_is_nothing_to_resume(place: Place) -> None:
    place.write(FLOW)
    done = place.python("flow.py", "resume")
    assert done.code == 3
    assert "Traceback" not in done.err
