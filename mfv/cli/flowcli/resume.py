"""`python flow.py resume`"""

import os
from collections.abc import Mapping
from typing import Annotated

from mfv import launch
from mfv.capture.user import user_name
from mfv.cli.command import argument, option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.resuming import find
from mfv.cli.flowcli.starting import (
    MaxLogSize,
    MaxNumSplits,
    MaxWorkers,
    Namespace,
    ProcessWay,
    RunIdFile,
    RunnerFile,
    Tags,
    read_options,
    start,
)
from mfv.errors import UsageError
from mfv.flow.seams import MAX_SPLITS


def command(
    call: Call,
    parameters: Mapping[str, str],
    step: Annotated[
        str | None, argument("Run this step, and all after it, anew.", "[STEP]")
    ] = None,
    origin_run_id: Annotated[
        str | None, option("--origin-run-id", help="The run to go on from; else the newest.")
    ] = None,
    tag: Tags = (),  # type: ignore[assignment]
    max_workers: MaxWorkers = 16,
    max_num_splits: MaxNumSplits = MAX_SPLITS,
    max_log_size: MaxLogSize = None,
    run_id_file: RunIdFile = None,
    runner_attribute_file: RunnerFile = None,
    namespace: Namespace = None,
    process: ProcessWay = None,
) -> int:
    """Go on where a run ended: a new run that takes over what that one has finished.

    Parameters, configs and included files are those of the run that is resumed; only what it kept
    secret is to be given again. Tasks that succeeded are taken over, those that failed or never
    ran are run, and so is everything after them.

    Examples: python flow.py resume · python flow.py resume train --origin-run-id 42
    """
    options = read_options(
        tag,
        max_workers,
        max_num_splits,
        max_log_size,
        run_id_file,
        runner_attribute_file,
        namespace,
        process,
    )

    def prepare() -> launch.Prepared:
        view = find(call.flow, origin_run_id)
        for name in parameters:
            if name not in view.opening.secret:
                raise UsageError(
                    f"--{name} cannot be changed: a resumed run has the parameters of {view.name}",
                    hint="leave it out, or start a new run",
                )
        resumed = launch.resume(view, call.flow, step)
        return launch.prepare(
            call.flow, parameters, os.environ, user_name(), call.typed, call.configs, resumed
        )

    return start(call, options, prepare)
