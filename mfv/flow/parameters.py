"""The parameters of a flow: what is declared, and the values that one run gets.

Names are Metaflow's business as well as ours: the option is `--` and the Parameter's name exactly
as written, the value appears on `self` under the class attribute, and the environment variable has
the name in upper case with underscores. Knows neither the command line nor the environment; both
are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple, TypeVar

from mfv.errors import FlowError, ParameterError, did_you_mean
from mfv.flow.delayed import is_delayed, known, resolve_delayed

T = TypeVar("T")


class JSONTypeClass:
    """The type of a parameter whose value is JSON; use the instance `JSONType`."""

    name = "JSON"

    def __repr__(self) -> str:
        return "JSON"


JSONType = JSONTypeClass()

ParameterType = type[str] | type[int] | type[float] | type[bool] | JSONTypeClass


class ParameterContext(NamedTuple):
    """What a callable default is told about the run that is about to start."""

    flow_name: str
    user_name: str
    parameter_name: str
    logger: Callable[..., None]
    ds_type: str
    configs: Any = None  # a ConfigValue with the flow's configs by name


# Options that a run has itself, or that Metaflow's run has.
RESERVED = frozenset(
    {
        "decospecs",
        "help",
        "json",
        "max-log-size",
        "max-num-splits",
        "max-workers",
        "namespace",
        "obj",
        "parameters",
        "params",
        "run-id",
        "run-id-file",
        "runner-attribute-file",
        "tag",
        "tags",
        "task-id",
        "user-namespace",
        "with",
    }
)
# Attributes that every flow has itself: a parameter kept there would never be seen, or break it.
_TAKEN = frozenset(
    {"cmd", "foreach_stack", "index", "input", "merge_artifacts", "name", "next", "script_name"}
)
# Of Metaflow's further options, those that would make several values out of one.
_MANY = {"multiple": False, "nargs": 1}

_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n"})


class Parameter:
    """A parameter of a flow, written as a class attribute: `alpha = Parameter("alpha", default=1)`.

    The type is `type`, else that of the default (a dict, list or tuple means JSON), else str. A
    default that is a function is called with a ParameterContext when a run starts. `required` is
    ignored where there is a default. With `separator` the text is split into a list of str.
    Further arguments are kept in `kwargs`. FlowError if the declaration makes no sense.
    """

    attribute: str  # the name on the class and on self; "" until it is in a class

    IS_CONFIG_PARAMETER = False
    _PLACEHOLDER: str | None = None  # for a value in a hint, where the type does not say it

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: ParameterType | None = None,
        help: str | None = None,
        required: bool | None = None,
        show_default: bool | None = None,
        separator: str | None = None,
        **kwargs: Any,
    ) -> None:
        given = {
            "default": default,
            "type": type,
            "help": help,
            "required": required,
            "show_default": show_default,
            "separator": separator,
        }
        self._begin(name, {**kwargs, **given})

    def _begin(self, name: str, given: dict[str, Any]) -> None:
        """Takes the declaration down; what it says of configs is filled in by `complete`."""
        check_name(name, "parameter", RESERVED)
        self.name = name
        self.attribute = ""
        self._delayed = given if is_delayed(given) else None
        self._declare(**({} if self._delayed else given))

    def _declare(
        self,
        default: Any = None,
        type: ParameterType | None = None,
        help: str | None = None,
        required: bool | None = None,
        show_default: bool | None = None,
        separator: str | None = None,
        **kwargs: Any,
    ) -> None:
        name = self.name
        for field, value in (
            ("required", required),
            ("show_default", show_default),
            ("separator", separator),
        ):
            if callable(value):
                raise FlowError(
                    f"{field} of parameter '{name}' is a function",
                    hint="only the default can be one; give the value itself",
                )
        for field, one in _MANY.items():
            if kwargs.get(field, one) != one:
                raise FlowError(
                    f"parameter '{name}' wants {field}={kwargs[field]!r}, but a parameter has "
                    "one value",
                    hint='use separator="," for a list of texts, or type=JSONType',
                )
        self.default = default
        self.type = _type_of(name, type, default)
        self.help = help
        self.required = bool(required) and default is None
        self.show_default = show_default is not False
        self.separator = separator or None
        self.kwargs = kwargs
        if self.separator and self.type is not str:
            raise FlowError(
                f"parameter '{name}' has a separator, but is of type {_type_name(self)}",
                hint="leave the type out: a separator makes a list of texts; for a list of "
                "numbers use type=JSONType",
            )

    def __set_name__(self, owner: object, attribute: str) -> None:
        self.attribute = attribute

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, type={_type_name(self)}, default={self.default!r})"


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


def collect(flow_class: type) -> dict[str, Parameter]:
    """The parameters of a flow by name, inherited ones first, in order of definition.

    Sets `attribute` of each, and fills in what it takes from configs, once these are known.
    FlowError if two have one name (case, dashes and underscores make no difference, as in options
    and environment variables), or if one sits where `self` cannot show it.
    """
    declared = gather(flow_class, Parameter, "parameter", lambda one: one.name)
    for attribute, parameter in declared.items():
        parameter.attribute = attribute
        if known() is not None:
            complete(parameter)
    return {parameter.name: parameter for parameter in declared.values()}


def complete(parameter: Parameter) -> None:
    """Fills in what the declaration takes from configs, which have to be known."""
    if parameter._delayed is not None:
        # Of `**config.entry` and what is said outright, the latter stands later, and wins.
        said = {name: value for name, value in parameter._delayed.items() if value is not None}
        parameter._declare(**resolve_delayed(said))


def gather(flow_class: type, kind: type[T], noun: str, name_of: Callable[[T], str]) -> dict[str, T]:
    """The class attributes of a flow that are of a kind, inherited ones first; by attribute."""
    found: dict[str, object] = {}
    for cls in reversed(flow_class.__mro__):
        found.update(vars(cls))
    declared: dict[str, T] = {}
    seen: dict[str, tuple[str, str]] = {}  # plain name: the name and attribute that have it
    for attribute, value in found.items():
        if not isinstance(value, kind):
            continue
        name = name_of(value)
        if attribute in _TAKEN or attribute.startswith("_"):
            why = "starts with an underscore" if attribute[0] == "_" else "belongs to the flow"
            raise FlowError(
                f"{noun} '{name}' of flow '{flow_class.__name__}' is kept in "
                f"'{attribute}', which {why}",
                hint=f"give the attribute another name; the {noun} can keep its own",
            )
        plain = _plain(name)
        if plain in seen:
            first, other = seen[plain]
            raise FlowError(
                f"{noun}s '{first}' (self.{other}) and '{name}' (self.{attribute}) of "
                f"flow '{flow_class.__name__}' have one name",
                hint="rename one of them; case, dashes and underscores do not tell names apart",
            )
        seen[plain] = (name, attribute)
        declared[attribute] = value
    return declared


def variables(parameter: Parameter) -> tuple[str, str]:
    """The environment variables that set a parameter, the one that wins first."""
    suffix = _plain(parameter.name).upper()
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


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def check_name(name: object, noun: str, reserved: Container[str]) -> None:
    """FlowError for a name that no parameter or config can have."""
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier() or name[0] == "-":
        raise FlowError(
            f"a {noun} cannot be named {name!r}",
            hint="use letters, digits, dashes and underscores, with no digit or dash in front: "
            "the name is typed on the command line, such as --learning-rate",
        )
    if _plain(name).replace("_", "-") in reserved:
        raise FlowError(
            f"no {noun} can be named '{name}': a run has an option of that name",
            hint=f"name it otherwise, for instance 'flow-{name}'; the attribute can stay as it is",
        )


def _type_of(name: str, declared: object, default: object) -> ParameterType:
    kind = declared
    if kind is None:
        kind = str if default is None or callable(default) else type(default)
    if kind is JSONTypeClass or isinstance(kind, JSONTypeClass) or kind in (dict, list, tuple):
        return JSONType
    for typed in (str, bool, int, float):
        # A default of a subclass, such as an enumeration of texts, counts as what it extends.
        if kind is typed or (declared is None and isinstance(default, typed)):
            return typed
    shown = getattr(kind, "__name__", repr(kind))
    raise FlowError(
        f"parameter '{name}' is of type {shown}, which cannot be typed on a command line",
        hint="use type=str, int, float, bool or JSONType and make the rest of it in a step",
    )


def _type_name(parameter: Parameter) -> str:
    kind = parameter.type
    return "JSON" if isinstance(kind, JSONTypeClass) else kind.__name__


def _placeholder(parameter: Parameter) -> str:
    return parameter._PLACEHOLDER or _PLACEHOLDERS[_type_name(parameter)]


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
    expected, example = _EXPECTED[_type_name(parameter)]
    if parameter.separator:
        expected, example = "a list of texts", f"'a{parameter.separator}b'"
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return ParameterError(
        f"parameter '{parameter.name}' cannot be {shown}: expected {expected}{detail}",
        hint=f"for instance --{parameter.name} {example}",
    )
