"""Decorators that are typed: `--with retry:times=2`."""

from __future__ import annotations

from typing import Any

import pytest
from attempting import begin, refusal

from mfv.errors import UsageError
from mfv.flow.decorators.base import decorators_of, policy_of
from mfv.flow.decorators.retry import retry
from mfv.flow.decorators.specs import parse_spec
from mfv.flow.spec import FlowSpec, step


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("retry", {}),
        ("retry:times=2", {"times": 2}),
        ("retry:times=2,minutes_between_retries=0.5", {"times": 2, "minutes_between_retries": 0.5}),
        ('environment:vars={"a": "1", "b": "2"}', {"vars": {"a": "1", "b": "2"}}),
        ("catch:var=failure,print_exception=false", {"var": "failure", "print_exception": False}),
        ("x:a=b,c,d=e", {"a": "b,c", "d": "e"}),
        ("x:a=1=2", {"a": "1=2"}),
        ('x:a=[1, 2], b="c"', {"a": [1, 2], "b": "c"}),
        (r"x:a={\"b\": 1}", {"a": {"b": 1}}),
        ("x:a=null", {"a": None}),
        ("x:a=", {"a": ""}),
    ],
)
def test_values_are_json_or_else_text(text: str, attributes: dict[str, Any]) -> None:
    spec = parse_spec(text)
    assert (spec.name, spec.positional, spec.attributes) == (text.split(":")[0], [], attributes)


def test_numbers_in_the_place_of_names_are_positions() -> None:
    assert parse_spec("mine:1=b,0=a,x=2") == ("mine", ["a", "b"], {"x": 2})


@pytest.mark.parametrize("text", ["", ":times=2", "retry:times"])
def test_what_is_no_decorator_is_told(text: str) -> None:
    with pytest.raises(UsageError):
        parse_spec(text)


class F(FlowSpec):
    @retry(times=1)
    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None: ...


def fresh() -> type[FlowSpec]:
    return type("F", (F,), {})


def test_it_is_put_on_every_step_that_does_not_have_it() -> None:
    flow = fresh()
    begin(flow, "retry:times=3,minutes_between_retries=0")
    assert policy_of(flow, "start")[:2] == (1, 120.0)
    assert policy_of(flow, "end")[:2] == (3, 0.0)
    assert policy_of(fresh(), "end").retries == 0


def test_several_are_put_on_in_order_and_twice_is_once() -> None:
    flow = fresh()
    begin(flow, "catch:var=x", "timeout:seconds=5", "catch:var=y")
    begin(flow, "catch:var=x", "timeout:seconds=5")
    worn = decorators_of(flow, "end")
    assert [one.name for one in worn] == ["catch", "timeout"]
    assert worn[0].attributes["var"] == "x"


def test_a_decorator_that_there_is_not_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError, match="there is no step decorator 'rety'") as caught:
        begin(fresh(), "rety")
    assert caught.value.hint == "did you mean 'retry'?"


def test_an_attribute_that_it_does_not_have_is_told() -> None:
    error = refusal(fresh(), "retry:time=2")
    assert error.message == "@retry has no attribute 'time'"
    assert error.hint == "did you mean 'times'?"
    assert "takes its attributes by name" in refusal(fresh(), "retry:0=2").message


def test_wrong_values_are_told() -> None:
    assert "@retry of step 'end' has times=9" in refusal(fresh(), "retry:times=9").message
