"""`python flow.py dump`"""

import sys
from typing import Annotated, Any

from mfv.cli.command import argument, option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.target import find_tasks
from mfv.client import DataArtifact
from mfv.errors import EXIT_OK, CorruptError, MfvError, UsageError
from mfv.render.text import escape

_TOO_LARGE = "< artifact too large >"


def command(
    call: Call,
    target: Annotated[str, argument("A step of a run, or one task of it.", "RUN/STEP[/TASK]")],
    private: Annotated[
        bool, option("--private", help="Also names with a leading underscore.")
    ] = False,
    no_private: Annotated[bool, option("--no-private", help="The default.", hidden=True)] = False,
    max_value_size: Annotated[
        int, option("--max-value-size", help="Bytes of the largest value shown; 0 for names only.")
    ] = 1000,
    include: Annotated[
        str, option("--include", help="Only these names, with commas between them.")
    ] = "",
    exclude: Annotated[
        str, option("--exclude", help="Not these names, with commas between them.")
    ] = "",
    file: Annotated[
        str | None, option("--file", help="Write all values to this file, as a pickle.")
    ] = None,
) -> int:
    """Print the artifacts of a task, or of all tasks of a step.

    Values are unpickled, which runs the code that they name. With --file the values of any size
    go to a pickle of {"run/step/task": {name: value}}, which can be read without mfv.

    Examples: python flow.py dump 42/train · python flow.py dump 42/train/3 --include model
    """
    if max_value_size < 0:
        raise UsageError("--max-value-size must be 0 or more")
    only, without = _names(include), _names(exclude)
    output: dict[str, dict[str, Any]] = {}
    for task in find_tasks(call, target):
        _, run, step, id = task.path_components
        if not call.quiet:
            print(f"Dumping output of run_id={run} step={step} task_id={id}", file=sys.stderr)
        chosen = [
            artifact
            for artifact in task.all_artifacts()
            if (private or not artifact.id.startswith("_"))
            and (not only or artifact.id in only)
            and artifact.id not in without
        ]
        if file is None:
            _print(chosen, max_value_size)
        else:
            output[f"{run}/{step}/{id}"] = {artifact.id: artifact.data for artifact in chosen}
    if file is not None:
        _write(file, output, call)
    return EXIT_OK


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


def _print(artifacts: list[DataArtifact], largest: int) -> None:
    for artifact in sorted(artifacts, key=lambda artifact: artifact.id):
        facts = f"[size: {artifact.size} type: <class '{artifact.type}'>]"
        line = f"{artifact.id} {facts} = {_value(artifact, largest)}"
        print(escape(line, keep="\n\t") if sys.stdout.isatty() else line)


def _value(artifact: DataArtifact, largest: int) -> str:
    if largest == 0 or artifact.size > largest:
        return _TOO_LARGE
    try:
        return str(artifact.data)
    except CorruptError:
        raise
    except MfvError as error:  # of a class that is not installed here
        return f"< {error.message} >"


def _write(file: str, output: dict[str, dict[str, Any]], call: Call) -> None:
    from mfv.serde.plain import write_pickle

    write_pickle(file, output)
    if not call.quiet:
        print(f"Artifacts written to {file}", file=sys.stderr)
