"""The options `--config` and `--config-value` of flows that have configs."""

from collections.abc import Mapping
from typing import Any

from mfv.cli.command import Param, option
from mfv.errors import ParameterError, UsageError
from mfv.flow.config import (
    PATH_OPTION,
    VALUE_OPTION,
    ConfigOption,
    ConfigSpec,
    ReadConfig,
    collect_configs,
)
from mfv.flow.spec import FlowSpec

_NEEDING = frozenset({"run", "resume", "check"})
_NAMES = ("the configs", "the values of configs")  # no option of a command has a space in its name
_FLAGS = {PATH_OPTION: "PATH", VALUE_OPTION: "JSON"}


def take_configs(words: list[str]) -> tuple[list[ConfigOption], list[str]]:
    """The configs that a command line gives, wherever they stand in it, and the other words.

    No other option can have one of these words as its value: `--note=--config` is one word.
    """
    found: list[ConfigOption] = []
    rest: list[str] = []
    todo = list(reversed(words))
    while todo:
        word = todo.pop()
        flag, equals, name = word.partition("=")
        if word == "--" or flag not in _FLAGS:
            rest.append(word)
            if word == "--":
                break
            continue
        if not equals:
            name = todo.pop() if todo else ""
        if not todo or not name or name.startswith("-"):
            raise UsageError(
                f"{flag} takes two words: the name of a config, and its {_FLAGS[flag]}",
                hint=f"for instance {flag} {_example(flag)}",
            )
        found.append(ConfigOption(name, todo.pop(), flag == PATH_OPTION, flag))
    return found, [*rest, *reversed(todo)]


def read_words(
    flow: type[FlowSpec], words: list[str], environ: Mapping[str, str], user: str
) -> tuple[dict[str, ReadConfig], list[str]]:
    """Reads the flow's configs; by name, with the words that are left of the command line.

    Only a command that needs them refuses what cannot be read: a help page, or a look at older
    runs, goes without. Raises FlowError, ParameterError.
    """
    if not collect_configs(flow):
        return {}, words
    from mfv import launch

    given, rest = take_configs(words)
    helping = {"--help", "-h"}.intersection(rest)
    if "resume" in rest and not helping:
        from mfv.cli.flowcli.resuming import configs_of

        if given:
            raise UsageError(
                f"{given[0].origin} cannot be given: a resumed run has the configs of the run "
                "that it goes on from",
                hint="leave it out, or start a new run",
            )
        given = configs_of(flow, rest)
    try:
        return launch.read_flow_configs(flow, given, environ, user), rest
    except ParameterError:
        if _NEEDING.intersection(rest) and not helping:
            raise
        return {}, rest


def config_params(flow: type[FlowSpec]) -> list[Param]:
    """The options as a help page shows them; `read_words` takes what was given of them."""
    specs = collect_configs(flow).values()
    if not specs:
        return []
    listed = "; ".join(map(_told, specs))
    return [
        Param(
            _NAMES[0],
            str,
            True,
            False,
            (),
            option(
                PATH_OPTION,
                help=f"Read a config from a file. The flow has {listed}.",
                metavar="NAME PATH",
            ),
        ),
        Param(
            _NAMES[1],
            str,
            True,
            False,
            (),
            option(VALUE_OPTION, help="Give a config itself.", metavar="NAME JSON"),
        ),
    ]


def without_configs(values: Mapping[str, Any]) -> dict[str, Any]:
    """A command's own values, without what stands for the options of configs."""
    return {name: value for name, value in values.items() if name not in _NAMES}


def _told(spec: ConfigSpec) -> str:
    text = spec.name
    if spec.help:
        text += f": {spec.help}"
    if spec.required:
        text += " [required]"
    elif isinstance(spec.default, str):
        text += f" [default: {spec.default}]"
    return text


def _example(flag: str) -> str:
    return "model model.json" if flag == PATH_OPTION else """model '{"depth": 3}'"""
