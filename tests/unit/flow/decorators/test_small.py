"""`@environment`, `@resources`, `@parallel`, `@card`, and the decorators that are ignored."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
from attempting import attempt, begin, refusal

import mfv
from mfv.flow.current import current
from mfv.flow.decorators.base import FlowMark, StepMark, decorators_of
from mfv.flow.decorators.card import card
from mfv.flow.decorators.environment import environment
from mfv.flow.decorators.ignored import conda, kubernetes, schedule, trigger
from mfv.flow.decorators.parallel import Parallel, parallel, pytorch_parallel
from mfv.flow.decorators.registry import FLOW, STEP, flow_mark, step_mark
from mfv.flow.decorators.resources import resources
from mfv.flow.order import Gang
from mfv.flow.spec import FlowSpec, step

# @environment


def test_variables_are_set_before_the_step_and_seen_by_what_it_starts() -> None:
    class F(FlowSpec):
        @environment(vars={"COLOUR": "rot äöü", "SIZE": 3})
        @step
        def start(self) -> None:
            self.seen = os.environ["COLOUR"]
            self.size = subprocess.check_output(["sh", "-c", "printf $SIZE"], text=True)

    assert attempt(F).values == {"seen": "rot äöü", "size": "3"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["A=1"], "which is no dict"),
        ({1: "x"}, "no name of a variable"),
        ({"A=B": "x"}, "no name of a variable"),
        ({"A": None}, "sets A to a NoneType: variables are text"),
        ({"A": ["x"]}, "sets A to a list: variables are text"),
        ({"A": "x\0y"}, "variables are text"),
    ],
)
def test_what_is_no_variable_is_refused(given: object, message: str) -> None:
    class F(FlowSpec):
        @environment(vars=given)
        @step
        def start(self) -> None: ...

    error = refusal(F)
    assert message in error.message
    assert error.file == __file__


# @resources


def test_resources_are_taken_as_numbers_or_as_text_and_can_be_seen() -> None:
    class F(FlowSpec):
        @resources(cpu=2, memory="16000", gpu=0)
        @step
        def start(self) -> None: ...

    begin(F)
    assert repr(decorators_of(F, "start")[0]) == "@resources(cpu=2, gpu=0, memory='16000')"
    assert attempt(F).ok


@pytest.mark.parametrize("cpu", ["many", -1, [1]])
def test_resources_that_are_no_number_are_refused(cpu: object) -> None:
    class F(FlowSpec):
        @resources(cpu=cpu)
        @step
        def start(self) -> None: ...

    assert f"@resources of step 'start' has cpu={cpu!r}" in refusal(F).message


# @parallel


class Gangs(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.train, num_parallel=2)

    @parallel
    @step
    def train(self) -> None:
        self.facts = tuple(current.parallel)
        self.is_parallel = current.is_parallel
        self.variables = {k: v for k, v in os.environ.items() if k.startswith("MF_PARALLEL_")}
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.next(self.end)

    @step
    def end(self) -> None: ...


def test_a_parallel_task_knows_which_one_it_is() -> None:
    begin(Gangs)
    tried = attempt(Gangs, "train", parents=[{}], gang=Gang(2, 1, "7"))
    assert tried.values["facts"] == Parallel("127.0.0.1", 2, 1, "7")
    assert tried.values["is_parallel"] is True
    assert tried.values["variables"] == {
        "MF_PARALLEL_MAIN_IP": "127.0.0.1",
        "MF_PARALLEL_NUM_NODES": "2",
        "MF_PARALLEL_NODE_INDEX": "1",
        "MF_PARALLEL_CONTROL_TASK_ID": "7",
    }


def test_elsewhere_a_task_is_not_parallel() -> None:
    class F(FlowSpec):
        @step
        def start(self) -> None:
            self.seen = (current.is_parallel, "parallel" in current)

    assert attempt(F).values["seen"] == (False, False)


def test_pytorch_parallel_sets_what_torch_distributed_reads() -> None:
    class F(FlowSpec):
        @step
        def start(self) -> None:
            self.next(self.train, num_parallel=4)

        @pytorch_parallel(master_port=5005)
        @step
        def train(self) -> None:
            names = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "WORLD_SIZE")
            self.seen = [os.environ[name] for name in names]
            self.next(self.join)

        @step
        def join(self, inputs: Any) -> None:
            self.next(self.end)

        @step
        def end(self) -> None: ...

    begin(F)
    tried = attempt(F, "train", parents=[{}], gang=Gang(4, 3, "2"))
    assert tried.values["seen"] == ["127.0.0.1", "5005", "3", "4"]


def test_a_step_that_no_num_parallel_leads_to_cannot_be_parallel() -> None:
    class F(FlowSpec):
        @parallel
        @step
        def start(self) -> None: ...

    assert "which no num_parallel leads to" in refusal(F).message


def test_what_num_parallel_leads_to_has_to_be_parallel() -> None:
    class F(FlowSpec):
        @step
        def start(self) -> None:
            self.next(self.train, num_parallel=2)

        @step
        def train(self) -> None:
            self.next(self.join)

        @step
        def join(self, inputs: Any) -> None:
            self.next(self.end)

        @step
        def end(self) -> None: ...

    error = refusal(F)
    assert "leads by num_parallel to 'train', which is no @parallel step" in error.message
    assert error.hint == "put @parallel above the @step of 'train'"


# @card, and what is ignored


def test_a_card_takes_everything_and_keeps_nothing() -> None:
    class F(FlowSpec):
        @card(type="blank", id="a")
        @card
        @step
        def start(self) -> None:
            current.card.append("text")
            current.card["a"].extend(["text"])
            current.card["b"] = ["text"]
            current.card.get(type="blank")[0].clear()
            current.card.refresh({"x": 1}, force=True)
            self.seen = (list(current.card), len(current.card["a"]))

    tried = attempt(F)
    assert tried.ok
    assert tried.values["seen"] == ([], 0)


def test_ignored_decorators_take_any_attributes_and_are_told_of_once_for_each_kind() -> None:
    @schedule(daily=True)
    @trigger(event="x")
    class F(FlowSpec):
        @kubernetes(cpu=4, image="x")
        @step
        def start(self) -> None:
            self.next(self.end)

        @conda(packages={"x": "1"})
        @kubernetes
        @step
        def end(self) -> None: ...

    assert begin(F).notes == (
        "@trigger ignored: a flow runs when somebody runs it",
        "@schedule ignored: a flow runs when somebody runs it",
        "@kubernetes ignored: steps run on this machine",
        "@conda ignored: steps run in this Python, with the packages that it has",
    )


def test_every_decorator_has_a_name_by_which_it_is_found_and_is_exported() -> None:
    for name in STEP:
        mark = step_mark(name)
        assert isinstance(mark, StepMark) and mark.kind.name == name
        assert getattr(mfv, name) is mark
    for name in FLOW:
        found = flow_mark(name)
        assert isinstance(found, FlowMark) and found.kind.name == name
