"""The parameters that a flow declares.

Names are Metaflow's business as well as ours: the option is `--` and the Parameter's name exactly
as written, the value appears on `self` under the class attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, NamedTuple, TypeVar

from mfv.errors import FlowError
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
                f"parameter '{name}' has a separator, but is of type {type_name(self)}",
                hint="leave the type out: a separator makes a list of texts; for a list of "
                "numbers use type=JSONType",
            )

    def __set_name__(self, owner: object, attribute: str) -> None:
        self.attribute = attribute

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, type={type_name(self)}, default={self.default!r})"


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
        plain = plain_name(name)
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


def plain_name(name: str) -> str:
    return name.lower().replace("-", "_")


def check_name(name: object, noun: str, reserved: Container[str]) -> None:
    """FlowError for a name that no parameter or config can have."""
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier() or name[0] == "-":
        raise FlowError(
            f"a {noun} cannot be named {name!r}",
            hint="use letters, digits, dashes and underscores, with no digit or dash in front: "
            "the name is typed on the command line, such as --learning-rate",
        )
    if plain_name(name).replace("_", "-") in reserved:
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


def type_name(parameter: Parameter) -> str:
    kind = parameter.type
    return "JSON" if isinstance(kind, JSONTypeClass) else kind.__name__
