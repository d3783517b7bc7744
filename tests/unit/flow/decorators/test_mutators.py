"""`StepMutator` and `FlowMutator`: flows that are changed before they run."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from typing import Any

import pytest
from attempting import attempt, begin, refusal

from mfv.errors import FlowError, UsageError
from mfv.flow.decorators.base import decorators_of, flow_decorators_of
from mfv.flow.decorators.environment import environment
from mfv.flow.decorators.force import pre_mutate
from mfv.flow.decorators.project import project
from mfv.flow.decorators.retry import retry
from mfv.flow.decorators.user.flow import FlowMutator
from mfv.flow.decorators.user.generator import user_step_decorator
from mfv.flow.decorators.user.mutableflow import MutableFlow
from mfv.flow.decorators.user.mutablestep import MutableStep
from mfv.flow.decorators.user.step import StepMutator, UserStepDecorator
from mfv.flow.parameters import Parameter, collect
from mfv.flow.spec import FlowSpec, step

turns: list[str] = []


@pytest.fixture(autouse=True)
def no_turns_yet() -> None:
    turns.clear()


@user_step_decorator
def shouting(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:
    yield
    flow.word = attributes.get("word", "hey")


class Configurable(StepMutator):
    """Does to its step what the test hands to it."""

    def init(self, early: Any = None, late: Any = None) -> None:
        self.early, self.late = early, late

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        if self.early:
            self.early(mutable_step)

    def mutate(self, mutable_step: MutableStep) -> None:
        if self.late:
            self.late(mutable_step)


class Whole(FlowMutator):
    """Does to its flow what the test hands to it."""

    def init(self, early: Any = None, late: Any = None) -> None:
        self.early, self.late = early, late

    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        if self.early:
            self.early(mutable_flow)

    def mutate(self, mutable_flow: MutableFlow) -> None:
        if self.late:
            self.late(mutable_flow)


class Turn(StepMutator):
    def pre_mutate(self, mutable_step: MutableStep) -> None:
        turns.append(f"pre {mutable_step.name}")

    def mutate(self, mutable_step: MutableStep) -> None:
        turns.append(f"mutate {mutable_step.name}")


class FlowTurn(FlowMutator):
    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        turns.append("pre flow")

    def mutate(self, mutable_flow: MutableFlow) -> None:
        turns.append("mutate flow")


def names(flow: type[FlowSpec], name: str = "start") -> list[str]:
    return [one.name for one in decorators_of(flow, name)]


def changed(early: Any = None, late: Any = None, *more: Any) -> type[FlowSpec]:
    """A flow whose first step wears @retry(times=1) and a mutator."""
    given = Configurable(early=early, late=late)

    class F(FlowSpec):
        @given
        @retry(times=1)
        @step
        def start(self) -> None:
            self.seen = os.environ.get("COLOUR")
            self.next(self.end)

        @step
        def end(self) -> None: ...

    return F


def whole(early: Any = None, late: Any = None) -> type[FlowSpec]:
    """A flow with a parameter that a mutator changes."""

    @Whole(early=early, late=late)
    class F(FlowSpec):
        alpha = Parameter("alpha", default=1)

        @step
        def start(self) -> None:
            self.next(self.end)

        @step
        def end(self) -> None: ...

    return F


def test_the_flows_turn_comes_before_that_of_its_steps_in_both_phases() -> None:
    @FlowTurn
    class F(FlowSpec):
        @Turn
        @step
        def start(self) -> None: ...

    pre_mutate(F)
    assert turns == ["pre flow", "pre start"]
    begin(F)
    assert turns == ["pre flow", "pre start", "mutate flow", "mutate start"]
    begin(F)
    assert len(turns) == 4


def test_brackets_are_not_needed_and_flow_and_step_stay_what_they_are() -> None:
    @FlowTurn
    class F(FlowSpec):
        @Turn
        @step
        def start(self) -> None: ...

    @FlowTurn()
    class G(F): ...

    assert isinstance(F, type) and issubclass(G, F)
    assert F.start.is_step  # type: ignore[attr-defined]


def test_flows_that_inherit_are_changed_as_well_and_each_by_itself() -> None:
    @FlowTurn
    class Base(FlowSpec):
        @step
        def start(self) -> None: ...

    class F(Base): ...

    begin(F)
    assert turns == ["pre flow", "mutate flow"]
    begin(Base)
    assert len(turns) == 4


@pytest.mark.parametrize(
    "how",
    [
        lambda step: step.add_decorator(environment, deco_kwargs={"vars": {"COLOUR": "red"}}),
        lambda step: step.add_decorator("environment", deco_kwargs={"vars": {"COLOUR": "red"}}),
        lambda step: step.add_decorator('environment:vars={"COLOUR": "red"}'),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_a_decorator_is_added_by_itself_by_name_or_as_one_types_it(how: Any, early: bool) -> None:
    flow = changed(how, None) if early else changed(None, how)
    assert attempt(flow).values["seen"] == "red"


def test_a_decorator_of_ones_own_is_added_by_its_class_or_its_name() -> None:
    added: list[Any] = []

    def add(step: MutableStep) -> None:
        added.append(step.add_decorator(shouting, deco_kwargs={"word": "ho"}))
        added.append(step.add_decorator("shouting:word=hi"))

    assert attempt(changed(None, add)).values["word"] == "ho"
    assert isinstance(added[0], UserStepDecorator) and added[1] is None


def test_what_is_there_is_kept_replaced_or_an_error() -> None:
    def add(duplicates: int) -> Any:
        return lambda s: s.add_decorator("retry:times=3", duplicates=duplicates)

    kept, replaced = changed(add(MutableStep.IGNORE)), changed(add(MutableStep.OVERRIDE))
    begin(kept)
    begin(replaced)
    assert [one.attributes["times"] for one in decorators_of(kept, "start")] == [1]
    assert [one.attributes["times"] for one in decorators_of(replaced, "start")] == [3]
    error = refusal(changed(add(MutableStep.ERROR)))
    assert "step 'start' has @retry already" in error.message
    assert "say IGNORE, ERROR or OVERRIDE" in refusal(changed(add(7))).message


def test_decorators_are_removed_all_of_a_name_or_those_with_certain_arguments() -> None:
    answers: list[bool] = []

    def remove(step: MutableStep) -> None:
        answers.append(step.remove_decorator("catch"))
        answers.append(step.remove_decorator("retry", deco_kwargs={"times": 9}))
        whole = {"times": 1, "minutes_between_retries": 2}
        answers.append(step.remove_decorator("retry", deco_kwargs=whole))
        step.add_decorator(shouting)
        answers.append(step.remove_decorator("shouting"))

    flow = changed(None, remove)
    begin(flow)
    assert answers == [False, False, True, True]
    assert names(flow) == []


def test_the_specs_say_what_a_step_wears() -> None:
    seen: list[Any] = []

    def look(step: MutableStep) -> None:
        step.add_decorator(shouting, deco_kwargs={"word": "ho"})
        seen.extend(step.decorator_specs)
        seen.append((step.has_decorator("retry"), step.has_decorator("a.retry"), step.name))
        seen.append(len(step.get_decorator_specs(f"{__name__}.shouting")))

    begin(changed(None, look))
    builtin, own, mutator, *answers = seen
    times = {"times": 1, "minutes_between_retries": 2}
    assert builtin == ("retry", "mfv.flow.decorators.retry.RetryDecorator", [], times)
    assert own == ("shouting", f"{__name__}.shouting", [], {"word": "ho"})
    assert mutator[:2] == ("Configurable", f"{__name__}.Configurable")
    assert answers == [(True, False, "start"), 1]


def test_a_step_mutator_can_be_added_early_only_and_then_has_its_turn() -> None:
    begin(changed(lambda step: step.add_decorator(Turn)))
    assert turns == ["pre start", "mutate start"]
    error = refusal(changed(None, lambda step: step.add_decorator(Turn)))
    assert "only in pre_mutate can the step mutator" in error.message
    assert error.file == __file__
    late = refusal(changed(None, lambda step: step.remove_decorator("Configurable")))
    assert "be removed" in late.message


def test_mutators_see_what_was_typed_in_mutate() -> None:
    seen: list[bool] = []
    flow = changed(
        lambda step: seen.append(step.has_decorator("timeout")),
        lambda step: seen.append(step.has_decorator("timeout")),
    )
    begin(flow, "timeout:seconds=5")
    assert seen == [False, True]


def test_wrong_additions_are_told() -> None:
    with pytest.raises(UsageError, match="there is no step decorator 'retri'"):
        begin(changed(lambda step: step.add_decorator("retri")))
    twice = changed(lambda s: s.add_decorator("catch:var=x", deco_kwargs={"var": "y"}))
    assert "is added with further arguments" in refusal(twice).message
    positional = changed(lambda step: step.add_decorator(retry, deco_args=[3]))
    assert "takes its attributes by name" in refusal(positional).message
    wrong = refusal(changed(lambda step: step.add_decorator(3)))
    assert "takes a step decorator or its name" in wrong.message
    with pytest.raises(FlowError, match="@catch has no attribute 'vra'"):
        begin(changed(lambda step: step.add_decorator("catch:vra=x")))


def test_what_a_mutator_raises_is_told_with_the_line_where_it_was_raised() -> None:
    def divide(step: MutableStep) -> None:
        step.name = 1 / 0  # type: ignore[assignment]

    error = refusal(changed(divide))
    assert error.file == __file__ and error.line
    assert "1 / 0" in linecache.getline(error.file, error.line)
    assert "pre_mutate of @Configurable failed: ZeroDivisionError" in error.message


# Flows


def test_a_flow_gives_its_steps_and_parameters() -> None:
    seen: list[Any] = []

    def look(flow: MutableFlow) -> None:
        seen.append([name for name, _ in flow.steps])
        seen.append([(name, one.name) for name, one in flow.parameters])
        seen.append((flow.start.name, flow.alpha.default, flow.start.flow.end.name))
        with pytest.raises(AttributeError, match="has no step or parameter 'nothing'"):
            flow.nothing  # noqa: B018

    begin(whole(look))
    assert seen == [["end", "start"], [("alpha", "alpha")], ("start", 1, "end")]


def test_decorators_are_added_to_all_steps_from_above_the_flow() -> None:
    def add(flow: MutableFlow) -> None:
        for _, one in flow.steps:
            one.add_decorator(retry, deco_kwargs={"times": 2})

    for flow in (whole(add), whole(None, add)):
        begin(flow)
        assert names(flow, "start") == names(flow, "end") == ["retry"]


def test_parameters_are_added_and_removed_before_anybody_reads_them() -> None:
    def change(flow: MutableFlow) -> None:
        flow.add_parameter("beta", Parameter("beta-rate", default=2))
        assert flow.remove_parameter("alpha")
        assert not flow.remove_parameter("gamma")

    flow = whole(change)
    pre_mutate(flow)
    assert {name: one.attribute for name, one in collect(flow).items()} == {"beta-rate": "beta"}


def test_a_parameter_does_not_replace_another_attribute_by_accident() -> None:
    new = Parameter("alpha", default=7)
    error = refusal(whole(lambda flow: flow.add_parameter("alpha", new)))
    assert "has 'alpha' already" in error.message
    flow = whole(lambda flow: flow.add_parameter("alpha", new, overwrite=True))
    begin(flow)
    assert collect(flow)["alpha"].default == 7
    assert "is given a int" in refusal(whole(lambda flow: flow.add_parameter("x", 3))).message


def test_the_flow_itself_cannot_be_changed_in_mutate() -> None:
    for late in (
        lambda flow: flow.add_parameter("x", Parameter("x")),
        lambda flow: flow.remove_parameter("alpha"),
        lambda flow: flow.add_decorator("project:name=x"),
        lambda flow: flow.remove_decorator("project"),
    ):
        error = refusal(whole(None, late))
        assert "only in pre_mutate can" in error.message
        assert error.hint == "move that line from mutate to pre_mutate"


def test_flow_decorators_are_added_replaced_and_removed() -> None:
    def change(flow: MutableFlow) -> None:
        flow.add_decorator(project, deco_kwargs={"name": "one"})
        assert flow.add_decorator("project:name=two") is None
        assert flow.has_decorator("project")
        flow.add_decorator("project:name=three", duplicates=MutableFlow.OVERRIDE)
        flow.add_decorator("schedule:daily=true")
        assert flow.remove_decorator("schedule")
        assert not flow.remove_decorator("trigger")

    flow = whole(change)
    assert begin(flow).facts["project_name"] == "three"
    assert [one.name for one in flow_decorators_of(flow)] == ["project"]
    error = refusal(whole(lambda flow: flow.remove_decorator("Whole")))
    assert "cannot be removed" in error.message


def test_a_mutator_that_is_added_has_its_turn_after_the_others() -> None:
    begin(whole(lambda flow: flow.add_decorator(FlowTurn)))
    begin(whole(lambda flow: flow.add_decorator("FlowTurn")))
    assert turns == ["pre flow", "mutate flow"] * 2


def test_on_anything_but_a_flow_a_flow_mutator_is_refused() -> None:
    with pytest.raises(FlowError, match="@FlowTurn is for flows, and 'int' is none"):
        FlowTurn()(int)


def test_arguments_without_an_init_are_told() -> None:
    @FlowTurn(x=1)
    class F(FlowSpec):
        @step
        def start(self) -> None: ...

    assert "has arguments, and no `init` that takes them" in refusal(F).message
