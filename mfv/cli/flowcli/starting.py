"""What `run` and `resume` have in common: their options, and a run from its start to its end."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, cast, get_args

from mfv import launch
from mfv.cli.command import option
from mfv.cli.flowcli.call import Call
from mfv.cli.place import chosen_folder, display
from mfv.cli.progress import Progress
from mfv.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, UsageError
from mfv.flow.seams import MAX_SPLITS, Limits
from mfv.repo.config import Process
from mfv.repo.repository import is_made
from mfv.repo.tags import check_tag


class Options(NamedTuple):
    """How a run is to go, checked before anything of it begins."""

    tags: Sequence[str]
    limits: Limits
    number_file: Path | None
    runner_file: Path | None
    facts: dict[str, object]
    process: Process | None

    def flags(self) -> Iterator[tuple[str, ...]]:
        """The words of those that a run needs again to do the same."""
        if self.limits.max_num_splits not in (None, MAX_SPLITS):
            yield "--max-num-splits", str(self.limits.max_num_splits)
        if "namespace" in self.facts:
            yield "--namespace", str(self.facts["namespace"] or "")


def read_options(
    tag: Annotated[
        list[str], option("--tag", help="Put this tag on the run; can be given again.")
    ] = (),  # type: ignore[assignment]
    max_workers: Annotated[int, option("--max-workers", help="Tasks at a time.")] = 16,
    max_num_splits: Annotated[
        int, option("--max-num-splits", help="Tasks that one foreach may have.")
    ] = MAX_SPLITS,
    max_log_size: Annotated[
        int | None,
        option("--max-log-size", help="Megabytes of each task's output that are kept; else all."),
    ] = None,
    run_id_file: Annotated[
        str | None, option("--run-id-file", help="Write the run's number to this file.")
    ] = None,
    runner_attribute_file: Annotated[
        str | None,
        option("--runner-attribute-file", help="Write the run's name as JSON.", hidden=True),
    ] = None,
    namespace: Annotated[
        str | None,
        option("--namespace", help="What the client shows in tasks; empty for everybody's runs."),
    ] = None,
    process: Annotated[
        str | None,
        option("--process", help="How tasks get their processes: fork or spawn.", metavar="WAY"),
    ] = None,
) -> Options:
    """The options that every command has that starts a run, as typed.

    UsageError for a value that makes no sense.
    """
    for name, value in (("max-workers", max_workers), ("max-num-splits", max_num_splits)):
        if value < 1:
            raise UsageError(f"--{name} must be 1 or more")
    if max_log_size is not None and max_log_size < 0:
        raise UsageError("--max-log-size must be 0 or more")
    for one in tag:
        check_tag(one)
    return Options(
        tag,
        Limits(max_workers, max_num_splits, _bytes(max_log_size)),
        _checked_file(run_id_file, "--run-id-file"),
        _checked_file(runner_attribute_file, "--runner-attribute-file"),
        {} if namespace is None else {"namespace": _choose(namespace)},
        _way(process),
    )


def folder_of(script: Path) -> Path:
    """The repository in which a run of this script is recorded."""
    chosen = chosen_folder()
    return Path(chosen) if chosen else launch.default_folder(script)


def start(call: Call, options: Options, prepare: Callable[[], launch.Prepared]) -> int:
    """Runs what `prepare` gives, from the first line to the last; returns the exit status."""
    begun = time.monotonic()
    flags = [*call.typed.words(), *options.flags()]
    if "mfv.compat.metaflow" in sys.modules:
        flags.append(("--compat",))
    prepared = prepare()._replace(flags=tuple(flags))
    folder = folder_of(prepared.script)
    progress = Progress(quiet=call.quiet)

    def opened(name: str) -> None:
        if new:
            progress.note(f"made a repository in {display(folder)}")
        if prepared.resumed is None:
            progress.note(f"run {name} started")
        else:
            origin = f"{prepared.flow.__name__}/{prepared.resumed.number}"
            progress.note(f"run {name} started, going on from {origin}")
        if options.number_file is not None:
            options.number_file.write_text(name.rpartition("/")[2])
        if options.runner_file is not None:
            options.runner_file.write_text(_attributes(name, folder))

    new = not is_made(folder)
    try:
        result = launch.run(
            prepared,
            folder,
            progress,
            opened=opened,
            tags=options.tags,
            limits=options.limits,
            facts=options.facts,
            process=options.process,
        )
    finally:
        progress.stop()
    progress.close(result, time.monotonic() - begun)
    if result.outcome.status == "ok":
        return EXIT_OK
    return EXIT_INTERRUPTED if result.outcome.status == "interrupted" else EXIT_FAILED


def _way(given: str | None) -> Process | None:
    """What the option or the environment says of processes; None where neither does."""
    for word, origin in ((given, "--process"), (os.environ.get("MFV_PROCESS"), "MFV_PROCESS")):
        if not word:
            continue
        if word in get_args(Process):
            return cast(Process, word)
        raise UsageError(f"{origin} cannot be {word!r}", hint="say fork or spawn")
    return None


def _choose(text: str) -> str | None:
    """Chooses a namespace for all tasks, which are forked from this process."""
    from mfv.client import namespace

    return namespace(text or None)


def _attributes(name: str, folder: Path) -> str:
    """What whoever started the run by a program wants to know of it."""
    import json

    flow, _, number = name.rpartition("/")
    where = f"local@{folder.absolute()}"
    return json.dumps({"flow_name": flow, "run_id": number, "metadata": where}) + "\n"


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes << 20


def _checked_file(name: str | None, flag: str) -> Path | None:
    """A file for what is known when the run has begun, tried before it begins."""
    if name is None:
        return None
    try:
        with open(name, "a"):  # it may be a pipe that somebody reads
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write {name}: {error.strerror}", hint=f"give {flag} a file in a folder"
        ) from None
    return Path(name)
