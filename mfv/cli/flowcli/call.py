"""What every command of a flow is told, and the flow's parameters as options."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mfv.cli.command import Option, Param, option
from mfv.flow.config import ReadConfig
from mfv.flow.decorators.force import NOTHING_TYPED, Typed
from mfv.flow.includefile import IncludeFile
from mfv.flow.parameters import Parameter, collect
from mfv.flow.spec import FlowSpec


class Call(NamedTuple):
    """One command line: whose it is, and what stood before the command."""

    flow: type[FlowSpec]
    before: Mapping[str, Any]  # by the names in `mfv.cli.flowcli.before.options`
    typed: Typed = NOTHING_TYPED  # of decorators, before the command or after it
    configs: Mapping[str, ReadConfig] | None = None  # by name

    @property
    def quiet(self) -> bool:
        """Whether only what was asked for is to be printed."""
        return bool(self.before["quiet"])


_PREFIX = "parameter "  # no option of a command has a space in its name


def parameter_options(flow: type[FlowSpec]) -> list[Param]:
    """The flow's parameters as options. Their text is converted with the flow's own rules."""
    return [_param(parameter) for parameter in collect(flow).values()]


def is_taken(param: Param, flow: type[FlowSpec]) -> bool:
    """Whether the flow has a parameter of that name; Metaflow knows fewer options than we."""
    taken = {f"--{name}".lower().replace("_", "-") for name in collect(flow)}
    return isinstance(param.marker, Option) and not taken.isdisjoint(param.marker.flags)


def split_values(values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """What was read: the texts of the parameters that were given, and the command's own."""
    given, own = {}, {}
    for name, value in values.items():
        if not name.startswith(_PREFIX):
            own[name] = value
        elif value is not None:
            given[name.removeprefix(_PREFIX)] = value
    return given, own


def _param(parameter: Parameter) -> Param:
    text = parameter.help or ""
    default = parameter.default
    if parameter.required:
        text = f"{text} [required]".strip()
    elif default is not None and parameter.show_default:
        shown = "computed when the run starts" if callable(default) else default
        text = f"{text} [default: {shown}]".strip()
    metavar = "FILE" if isinstance(parameter, IncludeFile) else None
    flag = option(f"--{parameter.name}", help=text, metavar=metavar)
    return Param(f"{_PREFIX}{parameter.name}", str, False, False, None, flag)
