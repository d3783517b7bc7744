"""`current.graph` says what the flow and its steps wear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attempting import attempt, begin

from mfv.flow.current import current
from mfv.flow.decorators.project import project
from mfv.flow.decorators.retry import retry
from mfv.flow.decorators.secrets import secrets
from mfv.flow.decorators.user.generator import user_step_decorator
from mfv.flow.spec import FlowSpec, step


@user_step_decorator
def marking(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:
    yield


def test_every_decorator_is_there_with_its_attributes_and_whether_it_was_typed() -> None:
    @project(name="fraud")
    class F(FlowSpec):
        @marking(word="x")
        @retry(times=1)
        @step
        def start(self) -> None:
            self.steps = current.graph["steps"]
            self.worn = current.graph["decorators"]

    begin(F, "card")
    values = attempt(F).values
    times = {"times": 1, "minutes_between_retries": 2}
    assert values["steps"]["start"]["decorators"] == [
        {"name": "retry", "attributes": times, "statically_defined": True},
        {"name": "card", "attributes": {}, "statically_defined": False},
        {"name": "marking", "attributes": {"word": "x"}, "statically_defined": True},
    ]
    assert [(one["name"], one["attributes"]["name"]) for one in values["worn"]] == [
        ("project", "fraud")
    ]


def test_the_attributes_of_secrets_are_not() -> None:
    inline = {"type": "inline", "id": "x", "options": {"env_vars": {"KEY": "hush"}}}

    class F(FlowSpec):
        @secrets(sources=[inline])
        @step
        def start(self) -> None:
            self.worn = current.graph["steps"]["start"]["decorators"]

    assert attempt(F).values["worn"][0]["attributes"] == {}
