"""`mfv logs`"""

import sys
from collections.abc import Iterable
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK
from mfv.history.find import Found, find_object
from mfv.manifest.records import Task
from mfv.render.text import escape
from mfv.repo.gone import told_if_gone
from mfv.repo.logs import Line, read_lines


def command(
    target: Annotated[str, argument("A run, RUN/step or RUN/step/task.", "RUN[/…]")] = "@",
    stdout: Annotated[bool, option("--stdout", help="Only what went to stdout.")] = False,
    stderr: Annotated[bool, option("--stderr", help="Only what went to stderr.")] = False,
    timestamps: Annotated[
        bool, option("-t", "--timestamps", help="The time and task before each line.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Print what tasks printed.

    Both streams in the order of time, task after task; stderr lines go to stderr. Without RUN the
    newest.

    Examples: mfv logs · mfv logs 42/train · mfv logs 42/train/3 --stderr
    """
    repo = repository()
    both = stdout == stderr
    found = find_object(repo, target)
    for task in _tasks(found):
        lines: list[tuple[Line, str]] = []
        with told_if_gone(found.run.state):
            if stdout or both:
                lines += [(line, "stdout") for line in read_lines(repo.database, task.stdout)]
            if stderr or both:
                lines += [(line, "stderr") for line in read_lines(repo.database, task.stderr)]
        lines.sort(key=lambda pair: pair[0].time)
        _print(task, lines, timestamps, json)
    return EXIT_OK


def _tasks(found: Found) -> Iterable[Task]:
    if found.task is not None:
        yield found.task
        return
    for step in [found.step] if found.step else found.run.steps():
        yield from found.run.tasks(step)


def _print(task: Task, lines: Iterable[tuple[Line, str]], timestamps: bool, json: bool) -> None:
    from mfv.render.units import date

    for line, stream in lines:
        text = line.text.decode("utf-8", "backslashreplace")
        if json:
            from mfv.render.json import line as json_line

            fact = {"task": task.pathspec, "stream": stream, "time": line.time, "text": text}
            print(json_line(fact))
            continue
        if timestamps:
            text = f"{date(line.time)} [{task.step}/{task.id}] {text}"
        output = sys.stderr if stream == "stderr" else sys.stdout
        print(escape(text, keep="\t") if output.isatty() else text, file=output)
