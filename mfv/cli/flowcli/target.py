"""Which run, step or task of the flow a command means."""

import inspect
from pathlib import Path

from mfv.cli.flowcli.call import Call
from mfv.cli.place import chosen_folder, repository, told
from mfv.client import Run, Step, Task, metadata, namespace
from mfv.errors import NotFoundError, UsageError
from mfv.history.history import History
from mfv.repo.repository import Repository, is_made
from mfv.repo.revision import resolve


def choose_repository(call: Call) -> Repository:
    """Has the client read where the flow's runs are recorded, whoever started them."""
    namespace(None)
    if chosen_folder() is None:
        from mfv.launch import default_folder

        folder = default_folder(Path(inspect.getfile(call.flow)).absolute())
        if not is_made(folder):
            raise NotFoundError(
                f"{call.flow.__name__} has no run yet",
                hint="run it, or go to where it was run, or set MFV_DIR",
            )
        metadata(folder)
        return told(Repository.open(folder))
    return repository()


def find_run(call: Call, text: str) -> Run:
    """The run of this flow that `text` means: a number, or any other way to name a run."""
    flow = call.flow.__name__
    named = f"{flow}/{text}" if text.isdecimal() else text
    found = resolve(History(choose_repository(call)).names, named)
    if found.flow != flow:
        raise NotFoundError(f"{text} is {found.name}, no run of {flow}")
    return Run(found.name)


def find_tasks(call: Call, text: str) -> list[Task]:
    """The tasks that RUN/STEP or RUN/STEP/TASK means, oldest first."""
    parts = text.removeprefix(f"{call.flow.__name__}/").split("/")
    if len(parts) not in (2, 3) or "" in parts:
        raise UsageError(
            f"{text!r} is neither RUN/STEP nor RUN/STEP/TASK", hint="say 42/train or 42/train/3"
        )
    step: Step = find_run(call, parts[0])[parts[1]]
    if len(parts) == 3:
        return [step[parts[2]]]
    return list(step)[::-1]
