"""`python flow.py run`"""

import os
from collections.abc import Mapping
from typing import Annotated

from mfv import launch
from mfv.capture.user import user_name
from mfv.cli.command import option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.starting import Options, start


def command(
    call: Call,
    parameters: Mapping[str, str],
    options: Options,
    reuse: Annotated[
        bool, option("--reuse", help="Take over what an earlier run made of the same.")
    ] = False,
) -> int:
    """Run the flow and record the run.

    With --reuse a task is taken over from the newest earlier run of the flow that made it of the
    same code, parameters and inputs.

    Examples: python flow.py run · python flow.py run --tag trial --max-workers 4
    """

    def prepare() -> launch.Prepared:
        prepared = launch.prepare(
            call.flow, parameters, os.environ, user_name(), call.typed, call.configs
        )
        return prepared._replace(reuse=reuse)

    return start(call, options, prepare)
