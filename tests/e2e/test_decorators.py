"""Decorators in real runs: what they do to steps, and what the client says of it afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from processes import Place

HEAD = """
import os, signal, subprocess, sys, time
from mfv import (
    FlowMutator, FlowSpec, Parameter, StepMutator, card, catch, current, environment, kubernetes,
    parallel, project, resources, retry, secrets, step, timeout, user_step_decorator,
)

"""
TAIL = '\nif __name__ == "__main__":\n    F()\n'


def write(place: Place, text: str, name: str = "flow.py") -> None:
    (place.folder / name).write_text(HEAD + text + TAIL)


def ask(place: Place, expression: str) -> Any:
    """What the client answers, in a process of its own; `run` is the latest run of F."""
    code = f"import json, mfv; run = mfv.Flow('F').latest_run; print(json.dumps({expression}))"
    done = place.python("-c", code)
    assert done.code == 0, done.text
    return json.loads(done.out)


def where(place: Place, text: str) -> str:
    """File and number of the first line of the flow that has `text`."""
    file = place.folder / "flow.py"
    lines = file.read_text().splitlines()
    return f"{file}:{next(at for at, line in enumerate(lines, 1) if text in line)}"


CAUGHT = """
class F(FlowSpec):
    @step
    def start(self):
        self.items = [1, 0]
        self.next(self.divide, foreach="items")

    @catch(var="failure")
    @step
    def divide(self):
        self.seen = self.input
        self.share = 1 / self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.failed = [one.seen for one in inputs if one.failure]
        self.failure = next(one.failure for one in inputs if one.failure)
        self.next(self.end)

    @step
    def end(self):
        print("end:", self.failure.type)
"""


def test_a_caught_exception_is_an_artifact_that_later_steps_and_the_client_read(
    place: Place,
) -> None:
    write(place, CAUGHT)
    done = place.run()
    assert "@catch caught an exception from F" in done.out
    assert "end: builtins.ZeroDivisionError" in done.out
    failure = "run.data.failure"
    seen = ask(place, f"[{failure}.type, {failure}.exception, {failure}.stacktrace]")
    assert seen[:2] == ["builtins.ZeroDivisionError", "division by zero"]
    assert seen[2].startswith("Traceback (most recent call last):")
    assert "self.share = 1 / self.input" in seen[2]
    assert ask(place, "[run.successful, run.data.failed]") == [True, [0]]
    assert ask(place, "sorted(t.data.failure is None for t in run['divide'])") == [False, True]


def test_a_step_that_takes_too_long_ends_with_a_timeout(place: Place) -> None:
    write(
        place,
        """
class F(FlowSpec):
    @timeout(seconds=0.2)
    @step
    def start(self):
        self.begun = True
        time.sleep(60)
        self.next(self.end)

    @step
    def end(self):
        pass
""",
    )
    done = place.run(code=1)
    assert "step 'start' timed out after 0.2 seconds" in done.out
    assert "time.sleep(60)" in done.out
    assert place.values("start") == {"begun": True}
    failure = place.task("start").failure
    assert failure is not None and failure.type.endswith("TimeoutException")


def test_a_timeout_is_caught_like_any_exception(place: Place) -> None:
    write(
        place,
        """
class F(FlowSpec):
    @catch(var="late", print_exception=False)
    @timeout(seconds=0.2)
    @step
    def start(self):
        time.sleep(60)
        self.next(self.end)

    @step
    def end(self):
        pass
""",
    )
    place.run()
    assert ask(place, "run.data.late.exception") == "step 'start' timed out after 0.2 seconds"


def test_environment_and_secrets_reach_one_step_and_what_it_starts_and_no_record(
    place: Place,
) -> None:
    write(
        place,
        """
class F(FlowSpec):
    @environment(vars={"COLOUR": "red"})
    @secrets(sources=["env-file.keys.env"])
    @step
    def start(self):
        said = subprocess.check_output(["sh", "-c", "echo $COLOUR ${#KEY}"], text=True)
        self.seen = said.split()
        self.next(self.end)

    @step
    def end(self):
        self.left = [name for name in ("COLOUR", "KEY") if name in os.environ]
""",
    )
    (place.folder / "keys.env").write_text("KEY=unheard-of-value\n")
    place.run()
    assert ask(place, "[run['start'].task.data.seen, run.data.left]") == [["red", "16"], []]
    for path in place.store.rglob("*"):
        assert not path.is_file() or b"unheard-of-value" not in path.read_bytes()


def test_a_secret_that_is_not_there_fails_its_step_with_one_sentence(place: Place) -> None:
    write(
        place,
        """
class F(FlowSpec):
    @secrets(sources=["env-file.keys.env"])
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass
""",
    )
    place.run(code=1)
    failure = place.task("start").failure
    assert failure is not None
    assert failure.message == "the secrets in keys.env cannot be read: No such file or directory"


PROJECT = """
@project(name="fraud")
class F(FlowSpec):
    @step
    def start(self):
        self.seen = [
            current.project_name, current.branch_name, current.is_production,
            current.is_user_branch, current.project_flow_name,
        ]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.mark.parametrize(
    ("words", "branch", "production", "of_user"),
    [
        (["run"], "user.ana", False, True),
        (["run", "--branch", "b"], "test.b", False, False),
        (["--branch", "b", "run"], "test.b", False, False),
        (["--production", "run", "--branch=b"], "prod.b", True, False),
        (["run", "--production"], "prod", True, False),
    ],
)
def test_a_project_is_told_to_steps_and_tags_the_run_for_good(
    place: Place, words: list[str], branch: str, production: bool, of_user: bool
) -> None:
    write(place, PROJECT)
    done = place.python("flow.py", *words)
    assert done.code == 0, done.text
    assert f"project fraud, branch {branch}" in done.out
    name = f"fraud.{branch}.F"
    seen = ask(place, "run['start'].task.data.seen")
    assert seen == ["fraud", branch, production, of_user, name]
    tags = ["project:fraud", f"project_branch:{branch}"]
    assert ask(place, "sorted(t for t in run.system_tags if t.startswith('project'))") == tags
    assert ask(place, f"[len(list(mfv.Flow('F').runs(tag))) for tag in {tags}]") == [1, 1]
    assert ask(place, "len(list(mfv.Flow('F').runs('project:other')))") == 0
    refused = place.python("-c", f"import mfv; mfv.Flow('F').latest_run.remove_tag('{tags[0]}')")
    assert refused.code != 0 and "the system gave it" in refused.err


def test_the_branch_comes_from_the_environment_as_well(place: Place) -> None:
    write(place, PROJECT)
    place.variables["METAFLOW_FLOW_BRANCH"] = "b"
    assert "branch test.b" in place.run().out
    assert "branch test.c" in place.run("--branch", "c").out


PLAIN = """
class F(FlowSpec):
    @step
    def start(self):
        self.seen = os.environ.get("COLOUR")
        self.next(self.end)

    @environment(vars={"COLOUR": "green"})
    @step
    def end(self):
        self.seen = os.environ.get("COLOUR")
"""
SEEN = "[run['start'].task.data.seen, run['end'].task.data.seen]"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--with", 'environment:vars={"COLOUR": "red"}'],
        ["--with", 'environment:vars={"COLOUR": "red"}', "run"],
        ["run", '--with=environment:vars={"COLOUR": "red"}', "--with", "card", "--tag", "t"],
    ],
)
def test_with_puts_a_decorator_on_the_steps_that_do_not_have_it(
    place: Place, words: list[str]
) -> None:
    write(place, PLAIN)
    done = place.python("flow.py", *words)
    assert done.code == 0, done.text
    assert ask(place, SEEN) == ["red", "green"]


@pytest.mark.parametrize("variable", ["MFV_DECOSPECS", "METAFLOW_DECOSPECS"])
def test_a_variable_does_the_same_and_the_command_line_comes_first(
    place: Place, variable: str
) -> None:
    write(place, PLAIN)
    place.variables[variable] = 'card environment:vars={"COLOUR":"blue"}'
    place.run()
    assert ask(place, SEEN) == ["blue", "green"]
    place.run("--with", 'environment:vars={"COLOUR": "red"}')
    assert ask(place, SEEN) == ["red", "green"]


def test_a_wrong_decorator_on_the_command_line_starts_nothing(place: Place) -> None:
    write(place, PLAIN)
    done = place.python("flow.py", "run", "--with", "environmen:vars={}")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: there is no step decorator 'environmen'\nhint: did you mean 'environment'?\n"
    )
    assert place.statuses() == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("@retry(tims=3)", "@retry has no attribute 'tims'"),
        ("@retry(3)", "@retry takes its attributes by name"),
        ("@retry(times=9)", "@retry of step 'start' has times=9"),
        ("@timeout", "@timeout of step 'start' has no time to wait for"),
    ],
)
def test_a_wrong_decorator_in_the_source_is_told_with_file_and_line(
    place: Place, line: str, message: str
) -> None:
    write(place, PLAIN.replace("    @step\n    def start", f"    {line}\n    @step\n    def start"))
    done = place.run(code=1)
    assert done.err.startswith(f"error: {where(place, line)}: {message}"), done.err
    assert "Traceback" not in done.text


def test_cloud_decorators_are_told_of_and_ignored(place: Place) -> None:
    write(
        place,
        """
class F(FlowSpec):
    @kubernetes(cpu=8, image="x")
    @resources(memory=16000)
    @card(type="html")
    @step
    def start(self):
        current.card.append("text")
        self.next(self.end)

    @kubernetes
    @step
    def end(self):
        pass
""",
    )
    done = place.run()
    assert done.out.count("@kubernetes ignored: steps run on this machine") == 1
    assert "@resources" not in done.out


MUTATED = """
@user_step_decorator
def timing(step_name, flow, inputs, attributes):
    begun = time.monotonic()
    yield
    flow.took = time.monotonic() - begun


class Tuned(StepMutator):
    def init(self, colour):
        self.colour = colour

    def mutate(self, mutable_step):
        mutable_step.add_decorator("environment", deco_kwargs={"vars": {"COLOUR": self.colour}})


class Everywhere(FlowMutator):
    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("size", Parameter("size", default=3))

    def mutate(self, mutable_flow):
        for name, one in mutable_flow.steps:
            one.add_decorator(timing)


@Everywhere
class Base(FlowSpec):
    @Tuned("red")
    @step
    def start(self):
        self.seen = [os.environ["COLOUR"], self.size]
        self.next(self.end)

    @step
    def end(self):
        pass


class F(Base):
    pass
"""


def test_mutators_and_decorators_of_ones_own_change_a_flow_that_inherits_them(
    place: Place,
) -> None:
    write(place, MUTATED)
    place.run("--size", "4")
    assert ask(place, "run['start'].task.data.seen") == ["red", 4]
    assert ask(place, "[one.task.data.took >= 0 for one in run]") == [True, True]
    assert ask(place, "run['_parameters'].task.data.size") == 4
    assert "--size" in place.python("flow.py", "run", "--help").out


SKIPPED = """
@user_step_decorator
def only(step_name, flow, inputs, attributes):
    if os.path.exists("go"):
        yield
    else:
        flow.skipped = True
        yield {}


class F(FlowSpec):
    @only
    @step
    def start(self):
        self.ran = True
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_a_step_can_be_skipped_by_a_decorator(place: Place) -> None:
    write(place, SKIPPED)
    place.run()
    assert ask(place, "sorted(a.id for a in run['start'].task)") == ["skipped"]
    Path(place.folder, "go").touch()
    place.run()
    assert ask(place, "sorted(a.id for a in run['start'].task)") == ["ran"]


def test_show_and_check_know_the_decorators(place: Place) -> None:
    write(place, CAUGHT)
    assert "@catch(var='failure')" in place.python("flow.py", "show").out
    write(place, CAUGHT.replace('@catch(var="failure")', '@catch(var="not a name")'))
    checked = place.python("flow.py", "check")
    assert checked.code == 1
    at = where(place, "@catch")
    assert f"{at}: @catch of step 'divide' has var='not a name'" in checked.err
