"""A flow that is checked and has been given all its inputs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mfv.capture import snapshot
from mfv.capture.secrets import REDACTED, is_secret_name, is_secret_path
from mfv.flow.config import (
    ConfigOption,
    ReadConfig,
    collect_configs,
    know,
    read_configs,
    values_of,
)
from mfv.flow.configvalue import ConfigValue
from mfv.flow.decorators.base import Beginning
from mfv.flow.decorators.force import NOTHING_TYPED, Typed, pre_mutate, put_in_force
from mfv.flow.graph import Graph, read_graph
from mfv.flow.includefile import Included, IncludeFile, include
from mfv.flow.lint import check
from mfv.flow.parameters import Parameter, ParameterContext, collect
from mfv.flow.parametervalues import resolve
from mfv.flow.spec import FlowSpec
from mfv.launch.resumed import Resumed


class Prepared(NamedTuple):
    """A flow that was checked and given its parameters, and has not started."""

    flow: type[FlowSpec]
    graph: Graph
    script: Path
    parameters: dict[str, Parameter]  # by name
    values: dict[str, object]  # by name; of an IncludeFile its path
    included: Mapping[str, Included] = {}  # by name; the files that were given
    configs: Mapping[str, ReadConfig] = {}  # by name
    beginning: Beginning = Beginning()  # what the flow's decorators add
    resumed: Resumed | None = None  # the run that this one goes on from
    flags: tuple[tuple[str, ...], ...] = ()  # the words of each option that is no parameter
    reuse: bool = False  # whether results of any earlier run are taken, if made of the same

    def seen(self) -> dict[str, object]:
        """What steps see of all inputs, by attribute."""
        found = {p.attribute: self.values[name] for name, p in self.parameters.items()}
        for name, file in self.included.items():
            found[self.parameters[name].attribute] = file.value
        return found | {c.spec.attribute: c.value for c in self.configs.values()}

    def recorded(self) -> dict[str, object]:
        """What is recorded of all inputs, by attribute: before any parser, and without a wrap."""
        found = self.seen() | {c.spec.attribute: c.recorded for c in self.configs.values()}
        for name, file in self.included.items():
            found[self.parameters[name].attribute] = file.content
        return found

    def secret(self) -> tuple[str, ...]:
        """The options whose value is kept out of the record; of a config, `config NAME`."""
        found = []
        for name, parameter in self.parameters.items():
            path = self.included[name].path if name in self.included else ""
            if is_secret(name, parameter.attribute, path):
                found.append(name)
        for name, config in self.configs.items():
            kept = config.recorded
            if is_secret(name, config.spec.attribute, config.path) or open_part(kept) != kept:
                found.append(f"config {name}")
        return tuple(found)


def read_flow_configs(
    flow: type[FlowSpec], given: Sequence[ConfigOption], environ: Mapping[str, str], user: str
) -> dict[str, ReadConfig]:
    """Reads the configs of a flow, by name; from then on `resolve_delayed` knows them.

    Raises FlowError, ParameterError.
    """

    def context(name: str) -> ParameterContext:
        return ParameterContext(flow.__name__, user, name, print, "local")

    configs = read_configs(collect_configs(flow), given, environ, context)
    know(values_of(configs))
    return configs


def prepare(
    flow: type[FlowSpec],
    given: Mapping[str, str],
    environ: Mapping[str, str],
    user: str,
    typed: Typed = NOTHING_TYPED,
    configs: Mapping[str, ReadConfig] | None = None,
    resumed: Resumed | None = None,
) -> Prepared:
    """Checks the flow and finds a value for each input; raises FlowError, ParameterError.

    `typed`: what the command line says of decorators, which are in force from here on. `configs`:
    as `read_flow_configs` gave them; read here if they were not. Of a run that is resumed each
    input is what it was there, if it was recorded.
    """
    if configs is None:
        configs = read_flow_configs(flow, (), environ, user)
    graph = read_graph(flow)
    check(graph)
    pre_mutate(flow)
    beginning = put_in_force(flow, graph, user, typed)
    parameters = collect(flow)
    known = ConfigValue(values_of(configs))

    def context(parameter: Parameter) -> ParameterContext:
        return ParameterContext(flow.__name__, user, parameter.name, print, "local", known)

    old = {} if resumed is None else {n: p for n, p in parameters.items() if resumed.has(p)}
    new = {name: one for name, one in parameters.items() if name not in old}
    found = resolve(new, given, environ, context)
    included = {
        name: include(parameter, path)
        for name, parameter in new.items()
        if isinstance(parameter, IncludeFile) and isinstance(path := found[name], str)
    }
    if resumed is not None:
        found |= {name: resumed.value(parameter) for name, parameter in old.items()}
        files = {n: resumed.included(p) for n, p in old.items() if isinstance(p, IncludeFile)}
        included |= {name: file for name, file in files.items() if file is not None}
    values = {name: found[name] for name in parameters}
    script = Path(inspect.getfile(flow)).absolute()
    return Prepared(flow, graph, script, parameters, values, included, configs, beginning, resumed)


def default_folder(script: Path) -> Path:
    """Where the repository of a script's runs is made: beside its git root, else in the cwd."""
    root = snapshot.find_root(script)
    place = root if (root / ".git").exists() else Path(os.getcwd())
    return place / ".mfv"


def is_secret(name: str, attribute: str, path: str) -> bool:
    """Whether an input is likely to be one, by its names or that of the file it is read from."""
    return is_secret_name(name) or is_secret_name(attribute) or is_secret_path(path)


def open_part(value: object) -> object:
    """A config without what stands in it under a name that says that it is a secret."""
    if type(value) is list:
        return [open_part(one) for one in value]
    if type(value) is not dict:
        return value
    return {
        key: REDACTED if isinstance(key, str) and is_secret_name(key) else open_part(inner)
        for key, inner in value.items()
    }
