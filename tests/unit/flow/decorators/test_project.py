"""`@project`: names, branches, and what steps and runs are told of them."""

from __future__ import annotations

from typing import Any

import pytest
from attempting import begin, refusal

from mfv.flow.decorators.force import options_of
from mfv.flow.decorators.project import project
from mfv.flow.spec import FlowSpec, step


def flow(**attributes: Any) -> type[FlowSpec]:
    @project(**attributes)
    class F(FlowSpec):
        @step
        def start(self) -> None: ...

    return F


@pytest.mark.parametrize(
    ("attributes", "options", "branch", "production", "of_user"),
    [
        ({}, {}, "user.ana", False, True),
        ({}, {"branch": "b"}, "test.b", False, False),
        ({}, {"production": True}, "prod", True, False),
        ({}, {"branch": "b", "production": True}, "prod.b", True, False),
        ({"branch": "b"}, {}, "test.b", False, False),
        ({"branch": "b"}, {"branch": "b"}, "test.b", False, False),
        ({"production": True}, {}, "prod", True, False),
    ],
)
def test_the_branch_is_the_users_a_test_or_production(
    attributes: dict[str, Any],
    options: dict[str, Any],
    branch: str,
    production: bool,
    of_user: bool,
) -> None:
    begun = begin(flow(name="fraud", **attributes), **options)
    assert begun.facts == {
        "project_name": "fraud",
        "branch_name": branch,
        "is_production": production,
        "is_user_branch": of_user,
        "project_flow_name": f"fraud.{branch}.F",
    }
    assert begun.tags == ("project:fraud", f"project_branch:{branch}")
    assert begun.notes == (f"project fraud, branch {branch}",)


def test_only_flows_with_it_have_its_options() -> None:
    assert [option.name for option in options_of(flow(name="x"))] == ["branch", "production"]
    assert options_of(FlowSpec) == []


@pytest.mark.parametrize("name", [None, "", 3])
def test_it_needs_a_name(name: object) -> None:
    assert refusal(flow(name=name)).hint == 'write @project(name="some_project")'


@pytest.mark.parametrize("name", ["Fraud", "a-b", "a b", "ä"])
def test_names_are_lower_case_letters_digits_and_underscores(name: str) -> None:
    error = refusal(flow(name=name))
    assert f"a project cannot be named '{name}'" in error.message
    assert error.file == __file__
    assert f"a branch cannot be named '{name}'" in refusal(flow(name="x"), branch=name).message


def test_names_have_at_most_128_characters() -> None:
    begin(flow(name="x" * 128))
    assert "has 129 characters" in refusal(flow(name="x" * 129)).message


def test_the_command_line_and_the_source_must_not_say_two_things() -> None:
    error = refusal(flow(name="x", branch="a"), branch="b")
    assert "--branch says one thing and @project(branch='a') another" in error.message
