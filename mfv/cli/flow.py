"""The command line of a flow: `python flow.py run --alpha 0.5`."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

from mfv.capture.user import user_name
from mfv.cli.command import Option, Param, option, params_of, parse
from mfv.cli.main import guarded
from mfv.cli.place import chosen_folder, display
from mfv.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, UsageError, did_you_mean
from mfv.flow.parameters import Parameter, collect
from mfv.flow.spawning import assignment, is_task
from mfv.flow.spec import FlowSpec

if TYPE_CHECKING:
    from mfv.repo.config import Process

_COMMANDS = ("run", "check", "show")


def main(flow: type[FlowSpec], words: Sequence[str] | None = None) -> NoReturn:
    """Runs the flow's command line with `words` (else the script's arguments), then exits."""
    if is_task(os.environ):
        sys.exit(guarded(lambda: _perform(flow)))
    chosen = list(sys.argv[1:] if words is None else words)
    sys.exit(guarded(lambda: _dispatch(flow, chosen)))


def _perform(flow: type[FlowSpec]) -> NoReturn:
    """This is no command line but a task's own interpreter, which has come to its flow."""
    from mfv import launch

    launch.perform_spawned(flow, assignment(os.environ))


def _dispatch(flow: type[FlowSpec], words: list[str]) -> int:
    parameters = collect(flow)
    own = [one for one in params_of(run_options) if not _is_taken(one, parameters)]
    params = [*own, *(_param(parameter) for parameter in parameters.values())]
    if words[:1] == ["run"]:
        values = parse(params, words[1:])
        if values is not None:
            return _start(flow, parameters, values)
    elif words == ["check"]:
        return _check(flow)
    elif words == ["show"]:
        return _show(flow)
    elif words and not words[0].startswith("-") and words[0] not in _COMMANDS:
        hint = did_you_mean(words[0], _COMMANDS) or f"it has {', '.join(_COMMANDS)}"
        raise UsageError(f"a flow has no command {words[0]!r}", hint=hint)
    return _by_typer(flow, parameters, params, words)


def _by_typer(
    flow: type[FlowSpec], parameters: dict[str, Parameter], params: list[Param], words: list[str]
) -> int:
    from mfv.cli.typed import Declared, application, finish

    def run(**values: Any) -> int:
        return _start(flow, parameters, values)

    commands = [
        Declared("run", params, run, "Run the flow and record the run."),
        Declared("check", [], lambda: _check(flow), "Check the graph."),
        Declared("show", [], lambda: _show(flow), "Show the steps."),
    ]
    script = Path(sys.argv[0]).name
    app = application(script, flow.__doc__ or f"The flow {flow.__name__}.", commands, root=False)
    return finish(app, words, f"python {script}")


def run_options(
    tag: Annotated[
        list[str], option("--tag", help="Put this tag on the run; can be given again.")
    ] = (),  # type: ignore[assignment]
    max_workers: Annotated[int, option("--max-workers", help="Tasks at a time.")] = 16,
    run_id_file: Annotated[
        str | None, option("--run-id-file", help="Write the run's number to this file.")
    ] = None,
    max_log_size: Annotated[
        int | None,
        option("--max-log-size", help="Of each task's stdout and stderr keep this.", metavar="MB"),
    ] = None,
    quiet: Annotated[
        bool, option("--quiet", help="Show failures and how the run ends, nothing else.")
    ] = False,
    process: Annotated[
        str | None,
        option("--process", help="How tasks get their processes: fork or spawn.", metavar="WAY"),
    ] = None,
) -> None:
    """Declares the options that every flow's `run` has."""


def _param(parameter: Parameter) -> Param:
    """A flow's parameter as an option. Its text is converted with the flow's own rules."""
    text = parameter.help or ""
    default = parameter.default
    if parameter.required:
        text = f"{text} [required]".strip()
    elif default is not None and not callable(default) and parameter.show_default:
        text = f"{text} [default: {default}]".strip()
    flag = option(f"--{parameter.name}", help=text)
    return Param(f"parameter {parameter.name}", str, False, False, None, flag)


def _is_taken(param: Param, parameters: dict[str, Parameter]) -> bool:
    """Whether the flow uses the name of an option of ours that Metaflow's flows may use."""
    taken = {f"--{name}".lower().replace("_", "-") for name in parameters}
    return isinstance(param.marker, Option) and not taken.isdisjoint(param.marker.flags)


def _start(flow: type[FlowSpec], parameters: dict[str, Parameter], values: dict[str, Any]) -> int:
    from mfv import launch
    from mfv.cli.progress import Progress
    from mfv.repo.tags import check_tag

    begun = time.monotonic()
    given = {
        name: values[f"parameter {name}"]
        for name in parameters
        if values[f"parameter {name}"] is not None
    }
    if values["max_workers"] < 1:
        raise UsageError("--max-workers must be 1 or more")
    if values["max_log_size"] is not None and values["max_log_size"] < 1:
        raise UsageError("--max-log-size must be 1 or more megabytes")
    for tag in values["tag"]:
        check_tag(tag)
    process = _process(values.get("process"))
    number_file = _checked_file(values["run_id_file"])
    prepared = launch.prepare(flow, given, os.environ, user_name())
    chosen = chosen_folder()
    folder = Path(chosen) if chosen else launch.default_folder(prepared.script)
    progress = Progress(quiet=values.get("quiet", False))

    def opened(name: str) -> None:
        if new:
            progress.note(f"made a repository in {display(folder)}")
        progress.note(f"run {name} started")
        if number_file is not None:
            number_file.write_text(f"{name.rpartition('/')[2]}\n")

    new = not (folder / "format").exists()
    try:
        result = launch.run(
            prepared,
            folder,
            progress,
            opened=opened,
            tags=values["tag"],
            max_workers=values["max_workers"],
            process=process,
            max_log_size=values["max_log_size"] and values["max_log_size"] << 20,
        )
    finally:
        progress.stop()
    progress.close(result, time.monotonic() - begun)
    if result.outcome.status == "ok":
        return EXIT_OK
    return EXIT_INTERRUPTED if result.outcome.status == "interrupted" else EXIT_FAILED


def _process(given: str | None) -> "Process | None":
    """What the option or the environment says; None where neither does."""
    from typing import get_args

    from mfv.repo.config import Process

    for word, origin in ((given, "--process"), (os.environ.get("MFV_PROCESS"), "MFV_PROCESS")):
        if not word:
            continue
        if word in get_args(Process):
            return cast("Process", word)
        raise UsageError(f"{origin} cannot be {word!r}", hint="say fork or spawn")
    return None


def _checked_file(name: str | None) -> Path | None:
    """The file for the run's number, tried before the run begins."""
    if name is None:
        return None
    try:
        Path(name).write_text("")
    except OSError as error:
        raise UsageError(
            f"cannot write {name}: {error.strerror}", hint="give --run-id-file a file in a folder"
        ) from None
    return Path(name)


def _check(flow: type[FlowSpec]) -> int:
    from mfv.flow.graph import read_graph
    from mfv.flow.lint import check

    graph = read_graph(flow)
    check(graph)
    collect(flow)
    print(f"{graph.flow} is a valid flow of {len(graph)} steps")
    return EXIT_OK


def _show(flow: type[FlowSpec]) -> int:
    from mfv.flow.graph import read_graph

    graph = read_graph(flow)
    if graph.doc:
        print(f"{graph.doc.strip()}\n")
    for node in graph:
        arrow = f" -> {', '.join(node.next)}" if node.next else ""
        over = f" (foreach {node.foreach})" if node.foreach else ""
        print(f"{'join ' if node.is_join else ''}{node.name}{arrow}{over}")
        if node.doc:
            print(f"    {node.doc.strip().splitlines()[0]}")
    return EXIT_OK
