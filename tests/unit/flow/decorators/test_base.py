"""How decorators are put on, and what they add up to."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import pytest

from mfv.errors import FlowError
from mfv.flow.decorators.base import (
    FlowDecorator,
    FlowMark,
    StepDecorator,
    StepMark,
    decorators_of,
    flow_decorators_of,
    policy_of,
)
from mfv.flow.decorators.retry import retry
from mfv.flow.policy import Policy
from mfv.flow.spec import FlowSpec, step


class Plain(StepDecorator):
    name = "plain"
    defaults: ClassVar = {"colour": "red", "size": 1}


class Many(StepDecorator):
    name = "many"
    defaults: ClassVar = {"id": None}
    many = True


class OnFlow(FlowDecorator):
    name = "on_flow"
    defaults: ClassVar = {"level": 1}


plain, many, on_flow = StepMark(Plain), StepMark(Many), FlowMark(OnFlow)


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def test_brackets_are_not_needed_where_no_attribute_is_given() -> None:
    class F(FlowSpec):
        @plain
        @step
        def bare(self) -> None: ...

        @plain()
        @step
        def empty(self) -> None: ...

        @plain(size=2)
        @step
        def given(self) -> None: ...

    seen = {name: decorators_of(F, name)[0].attributes for name in ("bare", "empty", "given")}
    assert seen["bare"] == seen["empty"] == {"colour": "red", "size": 1}
    assert seen["given"] == {"colour": "red", "size": 2}


def test_the_decorator_next_to_the_def_has_its_turn_first() -> None:
    class F(FlowSpec):
        @many(id="outer")
        @plain
        @many(id="inner")
        @step
        def start(self) -> None: ...

    assert [d.attributes.get("id", "plain") for d in decorators_of(F, "start")] == [
        "inner",
        "plain",
        "outer",
    ]


def test_below_step_it_is_refused_with_file_and_line_and_the_right_order() -> None:
    with pytest.raises(FlowError) as caught:

        class F(FlowSpec):
            @step
            @plain
            def start(self) -> None: ...

    error = caught.value
    assert error.file == __file__
    assert "@plain is on 'start', which is not a step where it is applied" in error.message
    assert error.hint == "put @step on the line just above the def, and @plain above @step"


def test_an_attribute_that_it_does_not_have_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(FlowError, match="@plain has no attribute 'color'") as caught:
        line = here() + 1
        plain(color="red")
    assert (caught.value.file, caught.value.line) == (__file__, line)
    assert caught.value.hint == "did you mean 'colour'?"


def test_an_attribute_without_its_name_is_told() -> None:
    mark: Any = plain
    with pytest.raises(FlowError, match="@plain takes its attributes by name") as caught:
        mark(3)
    assert caught.value.hint == "write @plain(colour=...)"


def test_twice_on_one_step_is_refused_unless_it_can_be_there_many_times() -> None:
    with pytest.raises(FlowError, match="step 'start' has @plain twice"):

        class F(FlowSpec):
            @plain
            @plain
            @step
            def start(self) -> None: ...

    class G(FlowSpec):
        @many
        @many
        @step
        def start(self) -> None: ...

    assert len(decorators_of(G, "start")) == 2


def test_on_a_class_a_step_decorator_is_refused_and_on_a_step_a_flow_decorator() -> None:
    with pytest.raises(FlowError, match="@plain is for steps, and F is a class"):

        @plain
        class F(FlowSpec): ...

    wrong: Any = on_flow
    with pytest.raises(FlowError, match="@on_flow is for flows, and 'start' is none"):

        class G(FlowSpec):
            @wrong
            @step
            def start(self) -> None: ...


def test_a_flow_inherits_steps_with_their_decorators_and_an_override_starts_anew() -> None:
    class Base(FlowSpec):
        @plain
        @step
        def start(self) -> None: ...

        @plain
        @step
        def end(self) -> None: ...

    class F(Base):
        @step
        def end(self) -> None: ...

    assert len(decorators_of(F, "start")) == 1
    assert decorators_of(F, "end") == []


def test_what_is_added_to_one_flow_does_not_reach_another_that_shares_the_step() -> None:
    class Base(FlowSpec):
        @plain
        @step
        def start(self) -> None: ...

    class F(Base): ...

    class G(Base): ...

    decorators_of(F, "start").append(Many())
    decorators_of(F, "start")[0].attributes["size"] = 5
    assert [d.name for d in decorators_of(G, "start")] == ["plain"]
    assert decorators_of(G, "start")[0].attributes["size"] == 1


def test_flow_decorators_are_inherited_and_cannot_be_there_twice() -> None:
    @on_flow(level=2)
    class Base(FlowSpec): ...

    class F(Base): ...

    assert [d.attributes for d in flow_decorators_of(F)] == [{"level": 2}]
    with pytest.raises(FlowError, match="flow 'F' has or inherits @on_flow already"):
        on_flow(F)
    with pytest.raises(FlowError, match="@on_flow has no attribute 'levl'"):
        on_flow(levl=1)


def test_a_step_without_decorators_is_tried_once() -> None:
    class F(FlowSpec):
        @step
        def start(self) -> None: ...

    assert policy_of(F, "start") == Policy(0, 0.0, 0, None)


def test_retries_are_the_policy_of_a_step_with_the_wait_in_seconds() -> None:
    class F(FlowSpec):
        @retry
        @step
        def start(self) -> None: ...

        @retry(times="2", minutes_between_retries="0.5")
        @step
        def end(self) -> None: ...

    assert policy_of(F, "start") == Policy(retries=3, wait=120.0)
    assert policy_of(F, "end") == Policy(retries=2, wait=30.0)
