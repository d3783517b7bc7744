"""`Config`: what a flow reads before its run, for its parameters, its decorators and its steps."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from mfv.errors import FlowError, ParameterError, did_you_mean
from mfv.flow.configvalue import ConfigValue, plain
from mfv.flow.delayed import (
    UNPACKED,
    Delayed,
    config_expr,
    entry,
    is_delayed,
    know,
    known,
    resolve_delayed,
    too_early,
)
from mfv.flow.parameters import RESERVED, Parameter, ParameterContext, check_name, gather
from mfv.flow.parsers import Parser, check_parser, parse_with

# The options of a flow that has configs, and the variables that stand for them; best first.
PATH_OPTION, VALUE_OPTION = "--config", "--config-value"
VARIABLES = (
    ("MFV_FLOW_CONFIG", "MFV_FLOW_CONFIG_VALUE"),
    ("METAFLOW_FLOW_CONFIG", "METAFLOW_FLOW_CONFIG_VALUE"),
)


class ConfigSpec(NamedTuple):
    """What a flow says of one of its configs."""

    name: str
    attribute: str  # the name on the class and on self
    default: Any  # a path, a function that gives one, or None
    default_value: Any  # a text, a mapping, a function that gives one, or None
    help: str | None
    required: bool
    parser: Parser | None
    plain: bool
    where: tuple[str, int]  # file and line


class Config:
    """A config of a flow, written as a class attribute: `config = Config("config", required=True)`.

    `--config NAME PATH` or `--config-value NAME TEXT` give it, else the file `default`, else
    `default_value`. The text is JSON, or whatever `parser` (a function, or the dotted name of one)
    makes a mapping of. Steps see a ConfigValue; with `plain` they see what the parser returned,
    or the text itself. In the class body and its decorators `config.a.b`, `config["a"]` and
    `**config.a` stand for values that are filled in when the run begins. FlowError if the
    declaration makes no sense.
    """

    IS_CONFIG_PARAMETER = True

    _spec: ConfigSpec  # all there is to a Config: any other name is an entry of its value

    def __init__(
        self,
        name: str,
        default: Any = None,
        default_value: Any = None,
        help: str | None = None,
        required: bool | None = None,
        parser: Parser | None = None,
        plain: bool = False,
        **kwargs: Any,
    ) -> None:
        check_name(name, "config", RESERVED)
        subject = f"config '{name}'"
        if default is not None and default_value is not None:
            raise FlowError(
                f"{subject} has both default and default_value",
                hint="default is the path of a file, default_value the value itself: keep one",
            )
        if is_delayed((default, default_value, parser, required)):
            raise FlowError(
                f"{subject} is declared with another config",
                hint="configs are read all at once: give this one a function or a plain value",
            )
        check_parser(parser, subject)
        if isinstance(default, os.PathLike):
            default = os.fspath(default)
        if not (default is None or callable(default) or isinstance(default, str)):
            raise FlowError(
                f"the default of {subject} is of type {type(default).__name__}",
                hint="default is the path of a file; the value itself is default_value",
            )
        frame = sys._getframe(1)
        self.__dict__["_spec"] = ConfigSpec(
            name=name,
            attribute="",
            default=default,
            default_value=default_value,
            help=help,
            required=bool(required) and default is None and default_value is None,
            parser=parser,
            plain=plain,
            where=(frame.f_code.co_filename, frame.f_lineno),
        )

    def __set_name__(self, owner: object, attribute: str) -> None:
        self.__dict__["_spec"] = self._spec._replace(attribute=attribute)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copying and pickling ask; an entry of such a name wants []
            raise AttributeError(name)
        return entry(self._spec.name, name, is_item=False, frame=sys._getframe(1))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and key.startswith(UNPACKED):
            return self
        return entry(self._spec.name, key, is_item=True, frame=sys._getframe(1))

    def keys(self) -> list[str]:
        """For `**config`: one key that stands for all of them."""
        return [f"{UNPACKED}{id(self)}"]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FlowError(f"config '{self._spec.name}' is read-only", hint="change what is read")

    def __repr__(self) -> str:
        return f"Config({self._spec.name!r})"

    def _early(self, *_: object) -> NoReturn:
        raise too_early(self._spec.name)

    __bool__ = __call__ = __iter__ = __len__ = __contains__ = _early


class ConfigOption(NamedTuple):
    """One config as it was given."""

    name: str
    text: str  # the path, or the value itself
    is_path: bool
    origin: str  # the option or the variable


class ReadConfig(NamedTuple):
    """One config of a run."""

    spec: ConfigSpec
    path: str  # of the file as given; empty where there was none
    text: str | None  # before any parser; None where it has no value
    value: object  # what steps see

    @property
    def recorded(self) -> object:
        """What is recorded, and what the client gives: plain dicts instead of a ConfigValue."""
        return plain(self.value) if isinstance(self.value, ConfigValue) else self.value


def collect_configs(flow_class: type) -> dict[str, ConfigSpec]:
    """The configs of a flow by name, inherited ones first, in order of definition; FlowError."""
    declared = gather(flow_class, Config, "config", lambda one: one._spec.name)
    for parameter in gather(flow_class, Parameter, "parameter", lambda one: one.name).values():
        if declared and f"--{parameter.name}" in (PATH_OPTION, VALUE_OPTION):
            raise FlowError(
                f"parameter '{parameter.name}' of flow '{flow_class.__name__}' has the name of "
                "an option that every flow with a Config has",
                hint="name it otherwise; the attribute can stay as it is",
            )
    specs = (config._spec._replace(attribute=name) for name, config in declared.items())
    return {spec.name: spec for spec in specs}


def read_configs(
    specs: Mapping[str, ConfigSpec],
    given: Sequence[ConfigOption],
    environ: Mapping[str, str],
    context: Callable[[str], ParameterContext],
) -> dict[str, ReadConfig]:
    """Reads every config; by name, in the order of `specs`.

    What is `given` wins, then MFV_FLOW_CONFIG and MFV_FLOW_CONFIG_VALUE, Metaflow's variables, the
    default, None. `context` makes what a default that is a function is called with, from the name
    of the config. ParameterError names a config that the flow does not have, one that was given
    twice, all required ones without a value, or the one that cannot be read, with the file, line
    and column.
    """
    chosen = {}
    layers = [given, *(_from_environment(environ, pair) for pair in VARIABLES)] if specs else []
    for layer in reversed(layers):
        chosen.update(_checked(specs, layer))
    missing = [name for name, spec in specs.items() if spec.required and name not in chosen]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        options = " ".join(f"{PATH_OPTION} {name} PATH" for name in missing)
        raise ParameterError(
            f"no value for the required config{'s' * (len(missing) > 1)} {listed}",
            hint=f"add {options} (or {VALUE_OPTION} {missing[0]} JSON)",
        )
    return {name: _read(spec, chosen.get(name), context) for name, spec in specs.items()}


def values_of(configs: Mapping[str, ReadConfig]) -> dict[str, object]:
    """The values of configs by name, for `know`."""
    return {name: config.value for name, config in configs.items()}


def settle(flow: object, expression: str) -> object:
    """What `self.config.key`, a case of a switch, stands for in this run.

    `flow` is the flow or its class. FlowError where the config, or the key in it, is not there.
    """
    kind = flow if isinstance(flow, type) else type(flow)
    configs = {spec.attribute: spec for spec in collect_configs(kind).values()}
    _, attribute, *keys = expression.split(".")
    if attribute not in configs:
        listed = f"its configs are {', '.join(configs)}" if configs else "it has no config"
        raise FlowError(
            f"{expression} is a case of a switch, but {kind.__name__} has no config {attribute!r}",
            hint=did_you_mean(attribute, configs) or listed,
        )
    spec = configs[attribute]
    found: Any = Delayed(spec.name, None, None, (), spec.where)
    for key in keys:
        found = getattr(found, key)
    return resolve_delayed(found)


def restore_config(spec: ConfigSpec, recorded: object) -> object:
    """What steps see of a recorded config."""
    return ConfigValue(recorded) if isinstance(recorded, Mapping) and not spec.plain else recorded


def _from_environment(environ: Mapping[str, str], pair: tuple[str, str]) -> list[ConfigOption]:
    """What a pair of variables gives: each is a JSON object of config to path, or to value."""
    found = []
    for variable in pair:
        if not environ.get(variable):
            continue
        is_path = variable == pair[0]
        try:
            entries = json.loads(environ[variable])
            if not isinstance(entries, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            example = '{"config": "config.json"}' if is_path else '{"config": {"key": 1}}'
            raise ParameterError(
                f"{variable} is not valid JSON: {error}", hint=f"for instance {example}"
            ) from None
        for name, value in entries.items():
            text = value if isinstance(value, str) else json.dumps(value)
            found.append(ConfigOption(name, text, is_path, variable))
    return found


def _checked(
    specs: Mapping[str, ConfigSpec], options: Sequence[ConfigOption]
) -> dict[str, ConfigOption]:
    found: dict[str, ConfigOption] = {}
    for option in options:
        if option.name not in specs:
            raise ParameterError(
                f"the flow has no config '{option.name}' (from {option.origin})",
                hint=did_you_mean(option.name, specs) or f"it has {', '.join(specs)}",
            )
        other = found.get(option.name)
        if other is not None and other.is_path != option.is_path:
            raise ParameterError(
                f"config '{option.name}' is given both as a file and as a value",
                hint=f"keep {other.origin} or {option.origin}",
            )
        found[option.name] = option
    return found


def _read(
    spec: ConfigSpec, option: ConfigOption | None, context: Callable[[str], ParameterContext]
) -> ReadConfig:
    if option is None:
        is_path, origin = spec.default is not None, "the default"
        given = _default(spec, spec.default if is_path else spec.default_value, context)
    else:
        is_path, origin, given = option.is_path, option.origin, option.text
    if given is None:
        return ReadConfig(spec, "", None, None)
    if is_path and not isinstance(given, str):
        raise ParameterError(
            f"the default of config '{spec.name}' is of type {type(given).__name__}, and no path",
            hint="correct it in the flow; the value itself is default_value",
        )
    text = _content(spec, given, origin) if is_path else _as_text(spec, given)
    path = given if is_path else ""
    return ReadConfig(spec, path, text, _parsed(spec, text, path, origin))


def _default(spec: ConfigSpec, default: Any, context: Callable[[str], ParameterContext]) -> Any:
    if not callable(default):
        return default
    try:
        value = default(context(spec.name))
    except Exception as error:
        raise ParameterError(
            f"the default of config '{spec.name}' could not be computed: "
            f"{type(error).__name__}: {error}",
            hint=f"mend the function, or give the config: {PATH_OPTION} {spec.name} PATH",
        ) from error
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _as_text(spec: ConfigSpec, value: object) -> str:
    """A value as text, as the parser is given it."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(
            f"the default of config '{spec.name}' cannot be written as JSON: {error}",
            hint="a default_value is a text, or made of dicts, lists, texts and numbers",
        ) from None


def _content(spec: ConfigSpec, path: str, origin: str) -> str:
    hint = f"give another one: {PATH_OPTION} {spec.name} PATH"
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        why = f"there is no file {path}"
        hint = f"{hint}; it is looked for in {os.getcwd()}"
    except IsADirectoryError:
        why = f"{path} is a folder"
    except UnicodeError as error:
        why = f"{path} is no text in UTF-8: {error}"
    except (OSError, ValueError) as error:
        why = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
    raise ParameterError(f"config '{spec.name}' ({origin}): {why}", hint=hint)


def _parsed(spec: ConfigSpec, text: str, path: str, origin: str) -> object:
    subject = f"config '{spec.name}'"
    place = path or origin
    value: object = text
    if spec.parser is not None:
        value = parse_with(spec.parser, text, f"{subject} ({place})")
    elif not spec.plain:
        value = _from_json(text, subject, place)
    if spec.plain:
        return value
    if not isinstance(value, Mapping):
        source = "its parser" if spec.parser is not None else place
        raise ParameterError(
            f"{subject} is no object with names, but of type {type(value).__name__} "
            f"(from {source})",
            hint='write {"name": value}, or declare the Config with plain=True',
        )
    return ConfigValue(value)


def _from_json(text: str, subject: str, place: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ParameterError(
            f"{subject} is not valid JSON: {error.msg} at line {error.lineno}, "
            f"column {error.colno} of {place}",
            hint="correct it; for another format give the Config a parser",
        ) from None
    except RecursionError:
        raise ParameterError(
            f"{subject} is nested too deeply ({place})", hint="make it flatter"
        ) from None


__all__ = [
    "Config",
    "ConfigOption",
    "ConfigSpec",
    "ConfigValue",
    "ReadConfig",
    "collect_configs",
    "config_expr",
    "is_delayed",
    "know",
    "known",
    "read_configs",
    "resolve_delayed",
    "restore_config",
    "settle",
    "values_of",
]
