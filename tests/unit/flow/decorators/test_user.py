"""`user_step_decorator` and `UserStepDecorator`: code of one's own around a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attempting import attempt, begin, refusal

from mfv.errors import FlowError
from mfv.flow.decorators.base import decoration_of
from mfv.flow.decorators.catch import catch
from mfv.flow.decorators.user.generator import user_step_decorator
from mfv.flow.decorators.user.step import USER_SKIP_STEP, UserStepDecorator
from mfv.flow.order import Transition
from mfv.flow.spec import FlowSpec, step


def flow(*decorators: Any, fails: bool = False) -> type[FlowSpec]:
    """A flow whose first step wears `decorators`, the first of them outermost."""

    def start(self: Any) -> None:
        self.ran = True
        if fails:
            raise ValueError("no")
        self.next(self.middle)

    @step
    def middle(self: Any) -> None:
        self.next(self.end)

    @step
    def end(self: Any) -> None: ...

    wrapped: Any = step(start)
    for decorator in reversed(decorators):
        wrapped = decorator(wrapped)
    members = {"start": wrapped, "middle": middle, "end": end, "trace": None}
    made = type("F", (FlowSpec,), members)
    begin(made)
    return made


@user_step_decorator
def noting(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:
    word = attributes.get("word", "x")
    flow.notes = [*getattr(flow, "notes", []), f"{word} before {step_name}"]
    yield
    flow.notes = [*flow.notes, f"{word} after"]


@user_step_decorator
def plain(step_name: str, flow: Any, inputs: Any) -> Iterator[None]:
    flow.inputs = inputs
    yield


@user_step_decorator
def swallowing(step_name: str, flow: Any, inputs: Any) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        flow.swallowed = str(error)


# Generators


def test_code_before_and_after_the_yield_runs_before_and_after_the_step() -> None:
    tried = attempt(flow(noting))
    assert tried.ok
    assert tried.values["notes"] == ["x before start", "x after"]
    assert tried.report.transition == Transition(("middle",))


def test_the_outermost_begins_first_and_ends_last() -> None:
    tried = attempt(flow(noting(word="outer"), noting(word="inner")))
    assert tried.values["notes"] == [
        "outer before start",
        "inner before start",
        "inner after",
        "outer after",
    ]


def test_brackets_are_not_needed_and_the_step_stays_a_step() -> None:
    class F(FlowSpec):
        @plain
        @step
        def start(self) -> None: ...

        @plain()
        @step
        def other(self) -> None: ...

    assert [len(decoration_of(F, name).wrappers) for name in ("start", "other")] == [1, 1]
    assert attempt(F).values["inputs"] is None


def test_an_exception_that_is_caught_makes_the_step_ok_and_the_flow_goes_on() -> None:
    tried = attempt(flow(swallowing, fails=True))
    assert tried.ok
    assert tried.values == {"ran": True, "swallowed": "no"}
    assert tried.report.transition == Transition(("middle",))


def test_an_exception_that_is_not_caught_fails_the_step() -> None:
    assert attempt(flow(plain, fails=True)).message == "no"


def test_an_exception_of_its_own_takes_the_place_of_the_steps() -> None:
    @user_step_decorator
    def changing(step_name: str, flow: Any, inputs: Any) -> Iterator[None]:
        try:
            yield
        except ValueError:
            raise KeyError("other") from None

    assert attempt(flow(changing, fails=True)).message == "'other'"


def test_an_outer_one_catches_what_an_inner_one_raises() -> None:
    @user_step_decorator
    def failing(step_name: str, flow: Any, inputs: Any) -> Iterator[None]:
        yield
        raise ValueError("after all")

    tried = attempt(flow(swallowing, failing))
    assert tried.ok
    assert tried.values["swallowed"] == "after all"


@pytest.mark.parametrize("answer", [{}, USER_SKIP_STEP])
def test_an_empty_dict_skips_the_step_and_goes_on_as_it_does(answer: Any) -> None:
    @user_step_decorator
    def skipping(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
        flow.skipped = True
        yield answer
        flow.after = True

    tried = attempt(flow(skipping, noting))
    assert tried.ok
    assert tried.values == {"skipped": True, "after": True}
    assert tried.report.transition == Transition(("middle",))


def test_without_a_yield_the_step_is_skipped() -> None:
    @user_step_decorator
    def never(step_name: str, flow: Any, inputs: Any) -> Iterator[None]:
        if step_name != "start":
            yield

    tried = attempt(flow(never))
    assert tried.ok
    assert "ran" not in tried.values
    assert tried.report.transition == Transition(("middle",))


def test_a_dict_skips_the_step_and_is_handed_to_next() -> None:
    @user_step_decorator
    def fewer(step_name: str, flow: Any, inputs: Any) -> Iterator[Any]:
        flow.items = [7]
        yield {"foreach": "items"}

    class F(FlowSpec):
        @fewer
        @step
        def start(self) -> None:
            self.items = list(range(100))
            self.next(self.each, foreach="items")

        @step
        def each(self) -> None:
            self.next(self.join)

        @step
        def join(self, inputs: Any) -> None:
            self.next(self.end)

        @step
        def end(self) -> None: ...

    tried = attempt(F)
    assert tried.ok
    assert (tried.report.transition.variable, tried.report.transition.total) == ("items", 1)


@pytest.mark.parametrize("answer", [None, True, {}])
def test_a_function_runs_in_the_place_of_the_step(answer: Any) -> None:
    def other(self: Any) -> Any:
        self.instead = True
        if answer is None:
            self.next(self.middle)
        return answer

    @user_step_decorator
    def replacing(step_name: str, flow: Any, inputs: Any) -> Iterator[Callable[..., Any]]:
        yield other

    tried = attempt(flow(replacing))
    assert tried.ok
    assert tried.values == {"instead": True}
    assert tried.report.transition == Transition(("middle",))


def test_a_second_yield_is_an_error() -> None:
    @user_step_decorator
    def twice(step_name: str, flow: Any, inputs: Any) -> Iterator[None]:
        yield
        yield

    assert attempt(flow(twice)).message == "@twice yields more than once"


def test_what_is_yielded_has_to_be_a_function_or_a_dict() -> None:
    @user_step_decorator
    def wrong(step_name: str, flow: Any, inputs: Any) -> Iterator[int]:
        yield 3

    assert attempt(flow(wrong)).message == "@wrong yields 3"


def test_catch_catches_what_is_raised_around_the_step_and_a_fallback_runs_none_of_it() -> None:
    @user_step_decorator
    def failing(step_name: str, flow: Any, inputs: Any) -> Iterator[None]:
        flow.entered = True
        yield
        raise ValueError("after all")

    asked = flow(failing, catch(var="failure"))
    assert attempt(asked).values["failure"].exception == "after all"
    assert "entered" not in attempt(asked, number=1).values


def test_attributes_given_where_it_is_made_are_defaults() -> None:
    @user_step_decorator(word="default")
    def worded(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:
        flow.words = attributes
        yield

    assert attempt(flow(worded)).values["words"] == {"word": "default"}
    assert attempt(flow(worded(word="mine"))).values["words"] == {"word": "mine"}


def test_what_cannot_be_made_a_decorator_is_told_with_its_line() -> None:
    with pytest.raises(FlowError, match="on 'no_yield', which has no yield") as caught:

        @user_step_decorator
        def no_yield(step_name: str, flow: Any, inputs: Any) -> None: ...

    assert caught.value.file == __file__
    with pytest.raises(FlowError, match="which takes 2 arguments"):

        @user_step_decorator
        def few(step_name: str, flow: Any) -> Iterator[None]:
            yield


def test_attributes_without_a_fourth_argument_are_told_before_the_run() -> None:
    class F(FlowSpec):
        @plain(word="x")
        @step
        def start(self) -> None: ...

    assert "@plain has attributes, and 'plain' takes none" in refusal(F).message


def test_below_step_it_is_refused() -> None:
    with pytest.raises(FlowError, match="which is not a step where it is applied"):

        class F(FlowSpec):
            @step
            @plain
            def start(self) -> None: ...


# Classes


class Timed(UserStepDecorator):
    def init(self, **attributes: Any) -> None:
        self.attributes = attributes

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Any:
        flow.seen = (step_name, self.attributes)

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        flow.error = repr(exception)
        return exception


class Skipping(UserStepDecorator):
    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> None:
        self.skip_step = True


class Saving(UserStepDecorator):
    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        return None, {}


def test_a_class_sees_the_step_its_attributes_and_the_exception() -> None:
    tried = attempt(flow(Timed(limit=3)))
    assert tried.values == {"seen": ("start", {"limit": 3}), "ran": True, "error": "None"}
    failed = attempt(flow(Timed, fails=True))
    assert failed.message == "no"
    assert failed.values["error"] == "ValueError('no')"


def test_a_class_can_skip_the_step() -> None:
    tried = attempt(flow(Skipping))
    assert tried.ok
    assert "ran" not in tried.values
    assert tried.report.transition == Transition(("middle",))


def test_a_class_can_make_a_failed_step_ok() -> None:
    tried = attempt(flow(Saving, fails=True))
    assert tried.ok
    assert tried.report.transition == Transition(("middle",))


def test_each_flow_has_a_decorator_of_its_own() -> None:
    first, second = flow(Timed), flow(Timed)
    assert (
        decoration_of(first, "start").wrappers[0] is not decoration_of(second, "start").wrappers[0]
    )
    assert attempt(first).values["seen"] == attempt(second).values["seen"] == ("start", {})


def test_a_join_hands_its_inputs_over() -> None:
    class F(FlowSpec):
        @step
        def start(self) -> None:
            self.next(self.a, self.b)

        @step
        def a(self) -> None:
            self.next(self.join)

        @step
        def b(self) -> None:
            self.next(self.join)

        @noting
        @plain
        @step
        def join(self, inputs: Any) -> None:
            self.total = sum(one.x for one in inputs)
            del self.inputs
            self.next(self.end)

        @step
        def end(self) -> None: ...

    begin(F)
    tried = attempt(F, "join", parents=[{"x": 1}, {"x": 2}])
    assert tried.ok
    assert tried.values == {"total": 3, "notes": ["x before join", "x after"]}


def test_with_puts_one_on_by_its_name() -> None:
    made = flow()
    begin(made, "noting:word=typed")
    assert attempt(made, "middle", parents=[{}]).values["notes"][0] == "typed before middle"


def test_arguments_without_an_init_are_told() -> None:
    class F(FlowSpec):
        @Skipping(x=1)
        @step
        def start(self) -> None: ...

    assert "has arguments, and no `init` that takes them" in refusal(F).message
    with pytest.raises(FlowError, match="takes its attributes by name"):
        Skipping(3)
