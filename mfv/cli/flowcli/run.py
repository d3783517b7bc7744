"""`python flow.py run`"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from mfv import launch
from mfv.capture.user import user_name
from mfv.cli.command import option
from mfv.cli.flowcli.call import Call
from mfv.cli.place import chosen_folder, display
from mfv.cli.progress import Progress
from mfv.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, UsageError
from mfv.repo.tags import check_tag


def command(
    call: Call,
    parameters: Mapping[str, str],
    tag: Annotated[
        list[str], option("--tag", help="Put this tag on the run; can be given again.")
    ] = (),  # type: ignore[assignment]
    max_workers: Annotated[int, option("--max-workers", help="Tasks at a time.")] = 16,
    run_id_file: Annotated[
        str | None, option("--run-id-file", help="Write the run's number to this file.")
    ] = None,
) -> int:
    """Run the flow and record the run."""
    begun = time.monotonic()
    if max_workers < 1:
        raise UsageError("--max-workers must be 1 or more")
    for one in tag:
        check_tag(one)
    number_file = _checked_file(run_id_file)
    prepared = launch.prepare(call.flow, parameters, os.environ, user_name())
    chosen = chosen_folder()
    folder = Path(chosen) if chosen else launch.default_folder(prepared.script)
    progress = Progress()

    def opened(name: str) -> None:
        if new:
            progress.note(f"made a repository in {display(folder)}")
        progress.note(f"run {name} started")
        if number_file is not None:
            number_file.write_text(f"{name.rpartition('/')[2]}\n")

    new = not (folder / "format").exists()
    result = launch.run(
        prepared, folder, progress, opened=opened, tags=tag, max_workers=max_workers
    )
    progress.close(result, time.monotonic() - begun)
    if result.outcome.status == "ok":
        return EXIT_OK
    return EXIT_INTERRUPTED if result.outcome.status == "interrupted" else EXIT_FAILED


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
