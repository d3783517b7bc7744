"""What a flow declares as parameters, and which values a run gets."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest

from mfv.errors import FlowError, ParameterError
from mfv.flow.parameters import (
    RESERVED,
    JSONType,
    JSONTypeClass,
    Parameter,
    ParameterContext,
    collect,
)
from mfv.flow.parametervalues import check_value, convert, resolve, variables


def context(parameter: Parameter) -> ParameterContext:
    return ParameterContext("F", "ana", parameter.name, print, "local")


def values(
    *parameters: Parameter,
    given: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
) -> dict[str, object]:
    known = {parameter.name: parameter for parameter in parameters}
    return resolve(known, given or {}, environ or {}, context)


# Declaring


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ({}, str),
        ({"default": "a"}, str),
        ({"default": 1}, int),
        ({"default": 0.5}, float),
        ({"default": True}, bool),
        ({"default": {"a": 1}}, JSONType),
        ({"default": [1]}, JSONType),
        ({"default": (1,)}, JSONType),
        ({"default": lambda context: 1}, str),
        ({"default": 1, "type": float}, float),
        ({"default": lambda context: 1, "type": int}, int),
        ({"type": JSONType}, JSONType),
        ({"type": JSONTypeClass}, JSONType),
        ({"type": dict}, JSONType),
        ({"default": enum.StrEnum("Mode", ["fast"])["fast"]}, str),
    ],
)
def test_the_type_is_the_one_given_or_of_the_default_or_text(
    declared: dict[str, Any], wanted: object
) -> None:
    assert Parameter("x", **declared).type is wanted


def test_the_json_type_shows_itself_as_json() -> None:
    assert repr(JSONType) == "JSON"
    assert repr(Parameter("x", default=[1])) == "Parameter('x', type=JSON, default=[1])"
    assert repr(Parameter("x")) == "Parameter('x', type=str, default=None)"


def test_further_arguments_are_kept() -> None:
    assert Parameter("x", is_flag=True, hidden=True).kwargs == {"is_flag": True, "hidden": True}


def test_a_parameter_with_a_default_is_never_required() -> None:
    assert Parameter("x", required=True).required
    assert not Parameter("x", required=True, default=1).required
    assert not Parameter("x").required


@pytest.mark.parametrize("name", ["alpha", "Alpha", "learning-rate", "learning_rate", "x2"])
def test_names_that_make_an_option_are_accepted(name: str) -> None:
    assert Parameter(name).name == name


@pytest.mark.parametrize("name", ["", "two words", "-x", "2nd", "a.b", "a=b", 3])
def test_names_that_make_no_option_are_refused(name: Any) -> None:
    with pytest.raises(FlowError, match="cannot be named"):
        Parameter(name)


@pytest.mark.parametrize("name", [*sorted(RESERVED), "max_workers", "run_id_file", "Tag"])
def test_names_of_options_of_a_run_are_refused(name: str) -> None:
    with pytest.raises(FlowError, match="a run has an option of that name"):
        Parameter(name)


@pytest.mark.parametrize(
    "declared",
    [
        {"type": bytes},
        {"default": object()},
        {"default": b"x"},
        {"type": "int"},
        {"separator": ",", "type": int},
        {"separator": ",", "default": 1},
        {"separator": ",", "type": JSONType},
        {"required": lambda context: True},
        {"show_default": print},
        {"separator": str},
        {"multiple": True},
        {"nargs": 2},
    ],
)
def test_declarations_that_make_no_sense_are_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(FlowError) as caught:
        Parameter("x", **declared)
    assert "parameter 'x'" in caught.value.message
    assert caught.value.hint


# From text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (str, "", ""),
        (str, " a ", " a "),
        (int, "42", 42),
        (int, "-7", -7),
        (float, "0.5", 0.5),
        (float, "1e-3", 0.001),
        (float, "3", 3.0),
        (float, "inf", math.inf),
        *((bool, text, True) for text in ("true", "TRUE", "1", "yes", "Yes", "on", " y ")),
        *((bool, text, False) for text in ("false", "False", "0", "no", "OFF", "n")),
        (JSONType, '{"a": [1, null]}', {"a": [1, None]}),
        (JSONType, "3", 3),
        (JSONType, "null", None),
    ],
)
def test_text_is_read_as_the_type(kind: Any, text: str, value: object) -> None:
    found = convert(Parameter("x", type=kind), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (int, "4.5", "a whole number"),
        (int, "", "a whole number"),
        (float, "much", "a number"),
        (bool, "maybe", "true or false"),
        (bool, "", "true or false"),
        (bool, "2", "true or false"),
        (JSONType, "{a: 1}", "JSON: "),
        (JSONType, "", "JSON: "),
        (JSONType, "[" * 200_000, "JSON that is not nested so deeply"),
    ],
)
def test_text_that_does_not_fit_is_refused_with_what_was_expected(
    kind: Any, text: str, expected: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        convert(Parameter("rate", type=kind), text)
    message = caught.value.message
    assert message.startswith("parameter 'rate' cannot be ")
    assert repr(text)[:40] in message
    assert f"expected {expected}" in message
    assert len(message) < 300
    assert "--rate " in (caught.value.hint or "")


def test_a_separator_makes_a_list_of_texts() -> None:
    parameter = Parameter("x", separator=",")
    assert convert(parameter, "a,b, c") == ["a", "b", " c"]
    assert convert(parameter, "a") == ["a"]
    assert convert(parameter, "") == []


# From Python


@pytest.mark.parametrize(
    ("declared", "value", "result"),
    [
        ({"type": str}, "a", "a"),
        ({"type": int}, 3, 3),
        ({"type": float}, 3, 3.0),
        ({"type": float}, 0.5, 0.5),
        ({"type": bool}, False, False),
        ({"type": JSONType}, {"a": [1]}, {"a": [1]}),
        ({"type": JSONType}, None, None),
        ({"type": JSONType}, '{"a": 1}', {"a": 1}),
        ({"separator": ","}, "a,b", ["a", "b"]),
        ({"separator": ","}, ("a", "b"), ["a", "b"]),
    ],
)
def test_a_python_value_of_the_type_is_accepted(
    declared: dict[str, Any], value: object, result: object
) -> None:
    found = check_value(Parameter("x", **declared), value)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ({"type": str}, 3),
        ({"type": str}, None),
        ({"type": int}, True),
        ({"type": int}, "3"),
        ({"type": int}, 3.0),
        ({"type": float}, True),
        ({"type": float}, "0.5"),
        ({"type": float}, 10**400),
        ({"type": bool}, 1),
        ({"type": bool}, "true"),
        ({"type": JSONType}, {1, 2}),
        ({"type": JSONType}, "not json"),
        ({"separator": ","}, ["a", 1]),
        ({"separator": ","}, 1),
    ],
)
def test_a_python_value_of_another_type_is_refused(declared: dict[str, Any], value: object) -> None:
    with pytest.raises(ParameterError, match=r"parameter 'x' cannot be .*: expected "):
        check_value(Parameter("x", **declared), value)


# Of a class


def test_parameters_are_collected_by_name_with_their_attribute() -> None:
    class Flow:
        rate = Parameter("learning-rate", default=0.1)
        other = 3
        alpha = Parameter("alpha")

    found = collect(Flow)
    assert list(found) == ["learning-rate", "alpha"]
    assert found["learning-rate"].attribute == "rate"
    assert found["alpha"] is Flow.alpha


def test_inherited_parameters_come_first_and_can_be_replaced_or_removed() -> None:
    class Base:
        a = Parameter("a")
        b = Parameter("b")
        c = Parameter("c")

    class Flow(Base):
        d = Parameter("d")
        a = Parameter("a", default=2)
        b = 3  # type: ignore[assignment]

    found = collect(Flow)
    assert list(found) == ["a", "c", "d"]
    assert found["a"].default == 2


def test_a_parameter_added_to_a_finished_class_gets_its_attribute() -> None:
    class Flow:
        pass

    Flow.late = Parameter("later")  # type: ignore[attr-defined]
    assert collect(Flow)["later"].attribute == "late"


@pytest.mark.parametrize("other", ["alpha", "Alpha", "ALPHA"])
def test_two_parameters_of_one_name_in_any_case_are_refused(other: str) -> None:
    flow = type("Flow", (), {"a": Parameter("alpha"), "b": Parameter(other)})
    with pytest.raises(FlowError, match=r"'alpha' \(self.a\) and '.*' \(self.b\)"):
        collect(flow)


def test_two_names_of_one_environment_variable_are_refused() -> None:
    flow = type("Flow", (), {"a": Parameter("my-rate"), "b": Parameter("my_rate")})
    with pytest.raises(FlowError, match="have one name"):
        collect(flow)


@pytest.mark.parametrize("attribute", ["_rate", "next", "input", "index", "name", "foreach_stack"])
def test_an_attribute_where_self_cannot_show_a_parameter_is_refused(attribute: str) -> None:
    with pytest.raises(FlowError, match=f"is kept in '{attribute}'"):
        collect(type("Flow", (), {attribute: Parameter("rate")}))


# Of a run


def test_the_command_line_wins_over_the_environment_and_that_over_the_default() -> None:
    parameter = Parameter("learning-rate", default=1)
    ours, theirs = variables(parameter)
    assert (ours, theirs) == ("MFV_RUN_LEARNING_RATE", "METAFLOW_RUN_LEARNING_RATE")
    environ = {ours: "3", theirs: "2"}
    assert values(parameter) == {"learning-rate": 1}
    assert values(parameter, environ={theirs: "2"}) == {"learning-rate": 2}
    assert values(parameter, environ=environ) == {"learning-rate": 3}
    assert values(parameter, environ=environ, given={"learning-rate": "4"}) == {"learning-rate": 4}


def test_an_empty_variable_counts_as_unset_and_an_empty_option_does_not() -> None:
    parameter = Parameter("x", default="d")
    assert values(parameter, environ={"MFV_RUN_X": "", "METAFLOW_RUN_X": "m"}) == {"x": "m"}
    assert values(parameter, given={"x": ""}) == {"x": ""}


def test_values_are_in_the_order_of_definition() -> None:
    found = values(Parameter("b"), Parameter("a", default=1), given={"a": "2", "b": "x"})
    assert list(found.items()) == [("b", "x"), ("a", 2)]


def test_a_parameter_without_a_value_is_none() -> None:
    assert values(Parameter("x"), Parameter("n", type=int)) == {"x": None, "n": None}


def test_all_missing_required_parameters_are_named_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        values(
            Parameter("a", required=True),
            Parameter("b", default=1, required=True),
            Parameter("my-c", type=int, required=True),
            Parameter("d", required=True),
            environ={"MFV_RUN_D": "x"},
        )
    assert caught.value.message == "no value for the required parameters 'a', 'my-c'"
    assert "--a TEXT --my-c INTEGER" in (caught.value.hint or "")
    assert "MFV_RUN_A" in (caught.value.hint or "")


def test_an_unknown_parameter_is_refused_and_the_near_name_told() -> None:
    with pytest.raises(ParameterError, match="no parameter 'learning_rate'") as caught:
        values(Parameter("learning-rate"), given={"learning_rate": "1"})
    assert caught.value.hint == "did you mean 'learning-rate'?"
    with pytest.raises(ParameterError) as caught:
        values(Parameter("alpha"), Parameter("n"), given={"zzz": "1"})
    assert caught.value.hint == "it has --alpha, --n"
    with pytest.raises(ParameterError) as caught:
        values(given={"zzz": "1"})
    assert caught.value.hint == "it takes none"


@pytest.mark.parametrize(
    ("given", "environ", "origin"),
    [
        ({"n": "x"}, {}, "--n"),
        ({}, {"MFV_RUN_N": "x"}, "MFV_RUN_N"),
        ({}, {"METAFLOW_RUN_N": "x"}, "METAFLOW_RUN_N"),
    ],
)
def test_a_wrong_value_says_where_it_comes_from(
    given: dict[str, str], environ: dict[str, str], origin: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        values(Parameter("n", type=int), given=given, environ=environ)
    assert caught.value.message == (
        f"parameter 'n' cannot be 'x': expected a whole number (from {origin})"
    )


def test_a_default_of_text_is_read_as_if_it_were_typed() -> None:
    assert values(
        Parameter("rate", default="0.1", type=float),
        Parameter("config", default='{"a": 1}', type=JSONType),
        Parameter("countries", default="US,CA", separator=","),
    ) == {"rate": 0.1, "config": {"a": 1}, "countries": ["US", "CA"]}


def test_a_default_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"cannot be 0.5: .* \(its default\)"):
        values(Parameter("n", default=0.5, type=int))
    with pytest.raises(ParameterError, match=r"cannot be 'x': .* \(its default\)"):
        values(Parameter("n", default="x", type=int))


def test_a_default_that_is_a_function_is_told_of_the_run_and_called_only_if_needed() -> None:
    calls: list[ParameterContext] = []

    def default(context: ParameterContext) -> str:
        calls.append(context)
        return f"{context.flow_name}/{context.user_name}/{context.parameter_name}"

    parameter = Parameter("who", default=default)
    assert values(parameter, given={"who": "me"}) == {"who": "me"}
    assert calls == []
    assert values(parameter) == {"who": "F/ana/who"}
    assert [call.ds_type for call in calls] == ["local"]


def test_what_a_default_function_returns_has_to_fit() -> None:
    with pytest.raises(ParameterError, match="that its default function returned"):
        values(Parameter("n", type=int, default=lambda context: "3"))


def test_a_default_function_that_fails_is_named_with_its_error() -> None:
    def default(context: ParameterContext) -> str:
        raise ValueError("no such table")

    with pytest.raises(ParameterError) as caught:
        values(Parameter("who", default=default))
    assert "the default of parameter 'who' could not be computed" in caught.value.message
    assert "ValueError: no such table" in caught.value.message
    assert isinstance(caught.value.__cause__, ValueError)
