"""The command line of a flow: `python flow.py run --alpha 0.5`.

The table below says what there is; a command's module is imported when the command is asked for.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from mfv.capture.user import user_name
from mfv.cli.command import Param, params_of, parse, parse_before, respell
from mfv.cli.configs import config_params, read_words, without_configs
from mfv.cli.flowcli import before
from mfv.cli.flowcli.call import Call, is_taken, parameter_options, split_values
from mfv.cli.flowcli.decorating import decorator_params, typed, without_decorators
from mfv.cli.main import guarded, page_of
from mfv.errors import UsageError, did_you_mean
from mfv.flow.config import ReadConfig
from mfv.flow.decorators.force import pre_mutate
from mfv.flow.spawning import assignment, is_task
from mfv.flow.spec import FlowSpec


class Entry(NamedTuple):
    """A command of every flow."""

    module: str  # in mfv.cli.flowcli
    help: str
    starts: bool = False  # whether it starts a run, and takes the flow's parameters


COMMANDS = {
    "run": Entry("run", "Run the flow and record the run.", starts=True),
    "resume": Entry("resume", "Go on where a run ended.", starts=True),
    "check": Entry("check", "Check the graph."),
    "show": Entry("show", "Show the steps."),
    "dump": Entry("dump", "Print the artifacts of a task or a step."),
    "logs": Entry("logs", "Print what a task or a step printed."),
    "tag add": Entry("tag_add", "Put tags on a run."),
    "tag remove": Entry("tag_remove", "Take tags off a run."),
    "tag replace": Entry("tag_replace", "Take tags off a run and put others on."),
    "tag list": Entry("tag_list", "List the tags of a run, or of all."),
    "version": Entry("version", "Print the versions of mfv and of the flow."),
    "output-raw": Entry("output_raw", "Print the graph as mfv sees it."),
    "output-dot": Entry("output_dot", "Print the graph for Graphviz."),
}
GROUPS = {"tag": "List, add and remove tags."}


def main(flow: type[FlowSpec], words: Sequence[str] | None = None) -> NoReturn:
    """Runs the flow's command line with `words` (else the script's arguments), then exits."""
    chosen = list(sys.argv[1:] if words is None else words)
    sys.exit(guarded(lambda: _dispatch(flow, chosen)))


def load(name: str) -> Callable[..., int]:
    """The function of a command; imports its module."""
    from importlib import import_module

    module = import_module(f"mfv.cli.flowcli.{COMMANDS[name].module}")
    function: Callable[..., int] = module.command
    return function


def own_params(name: str) -> list[Param]:
    """The options and arguments of a command, without the flow's parameters."""
    if not COMMANDS[name].starts:
        return params_of(load(name), skip=1)
    from mfv.cli.flowcli.starting import read_options

    return [*params_of(load(name), skip=3), *params_of(read_options)]


def _dispatch(flow: type[FlowSpec], words: list[str]) -> int:
    configs, words = read_words(flow, words, os.environ, user_name())
    pre_mutate(flow)  # before anybody asks for its parameters, and once its configs are known
    read = parse_before(_before(flow), words)
    if read is not None:
        options, rest = read
        name, rest = _name_of(rest)
        if name in COMMANDS:
            params = _params(flow, name)
            rest = respell(params, rest)
            words = [*words[: len(words) - len(rest)], *rest]
            values = parse(params, rest)
            if values is not None:
                return _call(flow, configs, options, name, **values)
        elif name and not name.startswith("-"):
            raise _unknown(name)
    return _by_typer(flow, configs, words)


def _name_of(words: list[str]) -> tuple[str, list[str]]:
    """The command that `words` begin with, be it of two words, and what follows it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in COMMANDS:
            return name, words[length:]
    name = words[0] if words else ""
    return (name if _under(name) == [] else ""), words[1:]


def _under(group: str) -> list[str]:
    """The commands of two words of which `group` is the first."""
    return [name for name in COMMANDS if name.startswith(f"{group} ")]


def _params(flow: type[FlowSpec], name: str) -> list[Param]:
    own = own_params(name)
    if not COMMANDS[name].starts:
        return own
    own = [param for param in own if not is_taken(param, flow)]
    more = [*decorator_params(flow), *config_params(flow)]
    return [*own, *more, *parameter_options(flow)]


def _before(flow: type[FlowSpec]) -> list[Param]:
    return [*params_of(before.options), *decorator_params(flow)]


def _call(
    flow: type[FlowSpec],
    configs: dict[str, ReadConfig],
    options: dict[str, Any],
    name: str,
    **values: Any,
) -> int:
    before.say_ignored(options)
    given, own = split_values(values)
    call = Call(flow, options, typed(flow, options, own, os.environ), configs)
    own = without_configs(without_decorators(own))
    if is_task(os.environ):
        _perform(call, own.get("namespace"))
    if COMMANDS[name].starts:
        from mfv.cli.flowcli.starting import read_options

        shared = {p.name: own.pop(p.name) for p in params_of(read_options) if p.name in own}
        return load(name)(call, given, read_options(**shared), **own)
    return load(name)(call, **own)


def _perform(call: Call, namespace: str | None) -> NoReturn:
    """This is no command line but a task's own interpreter, which has come to its flow."""
    from mfv import launch

    if namespace is not None:
        from mfv.client import namespace as choose

        choose(namespace or None)
    launch.perform_spawned(call.flow, assignment(os.environ), call.typed)


def _by_typer(flow: type[FlowSpec], configs: dict[str, ReadConfig], words: list[str]) -> int:
    """Help, and everything that is not plainly right."""
    from mfv.cli.typed import Declared, application, finish

    options: dict[str, Any] = {}
    commands = []
    for name, entry in COMMANDS.items():
        run, page = partial(_call, flow, configs, options, name), page_of(load(name))
        group = GROUPS.get(name.partition(" ")[0])
        commands.append(Declared(name, _params(flow, name), run, page, entry.help, group))
    script = Path(sys.argv[0]).name
    about = flow.__doc__ or f"The flow {flow.__name__}."
    first = Declared("", _before(flow), options.update, about)
    app = application(script, about, commands, before=first)
    return finish(app, words, f"python {script}")


def _unknown(word: str) -> UsageError:
    known = list(dict.fromkeys(name.split()[0] for name in COMMANDS))
    hint = did_you_mean(word, known) or f"it has {', '.join(known)}"
    return UsageError(f"a flow has no command {word!r}", hint=hint)
