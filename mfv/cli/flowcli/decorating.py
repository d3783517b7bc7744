"""What a command line says of decorators: `--with retry:times=2`, and the options of @project."""

from collections.abc import Mapping
from typing import Any

from mfv.cli.command import Param, option
from mfv.errors import FlowError
from mfv.flow.decorators.force import Typed, options_of
from mfv.flow.parameters import collect
from mfv.flow.spec import FlowSpec

_PREFIX = "decorator "  # no option of a command has a space in its name
_WITH = f"{_PREFIX}with"
_SPECS = ("MFV_DECOSPECS", "METAFLOW_DECOSPECS", "METAFLOW_DEFAULT_DECOSPECS")


def decorator_params(flow: type[FlowSpec]) -> list[Param]:
    """The options, which may stand before the command and after it."""
    flag = option(
        "--with",
        help="Put this decorator on every step that does not have it; can be given again.",
        metavar="DECORATOR[:ATTRIBUTE=VALUE,...]",
    )
    params = [Param(_WITH, str, True, False, (), flag)]
    taken = collect(flow)
    for own in options_of(flow):
        if own.name in taken:
            raise FlowError(
                f"parameter '{own.name}' of flow '{flow.__name__}' has the name of an option that "
                "one of its decorators has",
                hint="give the parameter another name",
            )
        kind = bool if own.is_flag else str
        default = False if own.is_flag else None
        flag = option(f"--{own.name}", help=own.help)
        params.append(Param(f"{_PREFIX}{own.name}", kind, False, False, default, flag))
    return params


def typed(
    flow: type[FlowSpec],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    environ: Mapping[str, str],
) -> Typed:
    """What was said before and after the command, and by the environment, in this order of rank:
    after, before, environment.
    """
    specs = [*after.get(_WITH, ()), *before.get(_WITH, ())]
    for variable in _SPECS:
        specs.extend(environ.get(variable, "").split())
    options: dict[str, Any] = {}
    for own in options_of(flow):
        name = f"{_PREFIX}{own.name}"
        value = after.get(name) or before.get(name) or _variable(own.name, environ)
        if value and own.is_flag:
            value = str(value).lower() not in ("0", "false", "no", "off")
        options[own.name] = value
    return Typed(specs, options)


def without_decorators(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the options that are not of decorators."""
    return {name: value for name, value in values.items() if not name.startswith(_PREFIX)}


def _variable(name: str, environ: Mapping[str, str]) -> str | None:
    return environ.get(f"MFV_FLOW_{name.upper()}") or environ.get(f"METAFLOW_FLOW_{name.upper()}")
