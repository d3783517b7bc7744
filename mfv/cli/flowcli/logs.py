"""`python flow.py logs`"""

import sys
from datetime import UTC
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.target import find_tasks
from mfv.client import Task
from mfv.errors import EXIT_OK
from mfv.render.text import escape


def command(
    call: Call,
    target: Annotated[str, argument("A step of a run, or one task of it.", "RUN/STEP[/TASK]")],
    stdout: Annotated[bool, option("--stdout", help="Only what went to stdout.")] = False,
    stderr: Annotated[bool, option("--stderr", help="Only what went to stderr.")] = False,
    both: Annotated[bool, option("--both", help="Both, which is the default.")] = False,
    timestamps: Annotated[
        bool, option("--timestamps", help="The local time before each line.")
    ] = False,
    attempt: Annotated[
        int | None, option("--attempt", help="Of this attempt, from 0; else of the newest.")
    ] = None,
) -> int:
    """Print what the tasks of a step printed, stdout before stderr.

    Everything goes to stdout; `mfv logs` shows both streams in the order of time.

    Examples: python flow.py logs 42/train · python flow.py logs 42/train/3 --stderr
    """
    streams = [name for name, wanted in (("stdout", stdout), ("stderr", stderr)) if wanted]
    for task in find_tasks(call, target):
        _, run, step, id = task.path_components
        if not call.quiet:
            print(f"Dumping logs of run_id={run} step={step} task_id={id}", file=sys.stderr)
        asked = task if attempt is None else Task(task.pathspec, attempt=attempt)
        for stream in ["stdout", "stderr"] if both or not streams else streams:
            if not call.quiet:
                print(stream, file=sys.stderr, flush=True)
            _print(asked, stream, timestamps)
    return EXIT_OK


def _print(task: Task, stream: str, timestamps: bool) -> None:
    for time, line in task.loglines(stream):
        text = escape(line, keep="\t") if sys.stdout.isatty() else line
        if timestamps:
            local = time.replace(tzinfo=UTC).astimezone()
            text = f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {text}"
        print(text)
    sys.stdout.flush()
