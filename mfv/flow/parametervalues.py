"""The values that one run gets for its parameters: from texts, variables and defaults.

The environment variable of a parameter has its name in upper case with underscores. Knows neither
the command line nor the environment; both are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mfv.errors import ParameterError, did_you_mean
from mfv.flow.parameters import (
    JSONTypeClass,
    Parameter,
    ParameterContext,
    plain_name,
    type_name,
)

_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})


_FALSE = frozenset({"false", "0", "no", "off", "f", "n"})


def convert(parameter: Parameter, text: str) -> object:
    """The value that `text`, typed by a person, means; ParameterError if it means none.

    An int may be written as Python reads one, a bool as true/false, yes/no, on/off or 1/0 in any
    case. An empty text with a separator is an empty list.
    """
    if parameter.separator:
        return text.split(parameter.separator) if text else []
    if parameter.type is str:
        return text
    if parameter.type is bool:
        word = text.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise _refused(parameter, text)
    if parameter.type is int or parameter.type is float:
        try:
            return parameter.type(text)
        except ValueError:
            raise _refused(parameter, text) from None
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise _refused(parameter, text, detail=f": {error}") from None
    except RecursionError:
        raise _refused(parameter, text, detail=" that is not nested so deeply") from None


def check_value(parameter: Parameter, value: object) -> object:
    """`value` as the parameter's type, for a value that is a Python object already.

    An int becomes a float where one is wanted; a bool is no number and a text is no number either.
    For JSON a text is read as JSON, and anything else has to be writable as JSON. With a separator
    a text is split, and a list or tuple of texts is a list. ParameterError for everything else.
    """
    wanted = parameter.type
    if isinstance(value, str) and (parameter.separator or isinstance(wanted, JSONTypeClass)):
        return convert(parameter, value)
    if parameter.separator:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return list(value)
    elif isinstance(wanted, JSONTypeClass):
        import json

        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise _refused(parameter, value, detail=f": {error}") from None
        return value
    elif wanted is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                raise _refused(parameter, value, detail=" that fits into 64 bits") from None
    elif isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    raise _refused(parameter, value)


def as_text(parameter: Parameter, value: object) -> str | None:
    """The text that `convert` makes `value` of again; None for no value, which no text gives."""
    if value is None:
        return None
    if parameter.separator and isinstance(value, (list, tuple)):
        return parameter.separator.join(map(str, value))
    if isinstance(parameter.type, JSONTypeClass):
        import json

        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def variables(parameter: Parameter) -> tuple[str, str]:
    """The environment variables that set a parameter, the one that wins first."""
    suffix = plain_name(parameter.name).upper()
    return f"MFV_RUN_{suffix}", f"METAFLOW_RUN_{suffix}"


def resolve(
    parameters: dict[str, Parameter],
    given: Mapping[str, str],
    environ: Mapping[str, str],
    context: Callable[[Parameter], ParameterContext],
) -> dict[str, object]:
    """The value of every parameter by name, in the order of `parameters`.

    What is `given` wins, then MFV_RUN_<NAME>, METAFLOW_RUN_<NAME> (an empty variable counts as
    unset), the default, None. `context` makes what a callable default is called with; it is called
    for no other. ParameterError names a given parameter that the flow does not have, all required
    ones without a value, or a value that does not fit.
    """
    for name in given:
        if name not in parameters:
            listed = ", ".join(f"--{known}" for known in parameters)
            raise ParameterError(
                f"the flow has no parameter '{name}'",
                hint=did_you_mean(name, parameters)
                or (f"it has {listed}" if listed else "it takes none"),
            )
    typed: dict[str, tuple[str, str]] = {}  # name: text, where it comes from
    for name, parameter in parameters.items():
        if name in given:
            typed[name] = (given[name], f"--{name}")
            continue
        for variable in variables(parameter):
            if environ.get(variable):
                typed[name] = (environ[variable], variable)
                break
    missing = [name for name, p in parameters.items() if p.required and name not in typed]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        options = " ".join(f"--{name} {_placeholder(parameters[name])}" for name in missing)
        variable = variables(parameters[missing[0]])[0]
        raise ParameterError(
            f"no value for the required parameter{'s' * (len(missing) > 1)} {listed}",
            hint=f"add {options} (or set {variable} and the like)",
        )
    values: dict[str, object] = {}
    for name, parameter in parameters.items():
        if name in typed:
            text, origin = typed[name]
            try:
                values[name] = convert(parameter, text)
            except ParameterError as error:
                raise ParameterError(f"{error.message} (from {origin})", hint=error.hint) from None
        else:
            values[name] = _default(parameter, context)
    return values


def _default(parameter: Parameter, context: Callable[[Parameter], ParameterContext]) -> object:
    default = parameter.default
    if default is None:
        return None
    if callable(default):
        try:
            value = default(context(parameter))
        except Exception as error:
            raise ParameterError(
                f"the default of parameter '{parameter.name}' could not be computed: "
                f"{type(error).__name__}: {error}",
                hint=f"mend the function, or give the value: --{parameter.name} "
                f"{_placeholder(parameter)}",
            ) from error
        what = "the value that its default function returned"
    else:
        value = default
        what = "its default"
    try:
        if isinstance(value, str) and not callable(default):
            # Metaflow reads a default that is a text as if it were typed: default="0.1", type=float
            return convert(parameter, value)
        return check_value(parameter, value)
    except ParameterError as error:
        raise ParameterError(
            f"{error.message} ({what})", hint="correct the default in the flow"
        ) from None


def _placeholder(parameter: Parameter) -> str:
    return parameter._PLACEHOLDER or _PLACEHOLDERS[type_name(parameter)]


_PLACEHOLDERS = {
    "str": "TEXT",
    "int": "INTEGER",
    "float": "NUMBER",
    "bool": "true|false",
    "JSON": "JSON",
}


# What a value of a type is called, and one as typed in a shell.
_EXPECTED = {
    "str": ("a text", "'some text'"),
    "int": ("a whole number", "3"),
    "float": ("a number", "0.5"),
    "bool": ("true or false", "true"),
    "JSON": ("JSON", """'{"key": [1, 2]}'"""),
}


def _refused(parameter: Parameter, value: object, *, detail: str = "") -> ParameterError:
    """The error for a value that does not fit: name, value, what was expected."""
    expected, example = _EXPECTED[type_name(parameter)]
    if parameter.separator:
        expected, example = "a list of texts", f"'a{parameter.separator}b'"
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return ParameterError(
        f"parameter '{parameter.name}' cannot be {shown}: expected {expected}{detail}",
        hint=f"for instance --{parameter.name} {example}",
    )
