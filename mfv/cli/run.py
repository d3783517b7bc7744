"""`mfv run`"""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from mfv.cli.command import argument
from mfv.errors import FlowError, NotFoundError


def command(
    script: Annotated[str, argument("The file with the flow.", "FLOW.py")],
    words: Annotated[
        list[str], argument("What `python FLOW.py run` takes.", "[FLOW OPTIONS]...", rest=True)
    ] = (),  # type: ignore[assignment]
) -> int:
    """Run a flow: the same as `python FLOW.py run`.

    The options are the flow's own parameters and those of `python FLOW.py run --help`.

    Examples: mfv run train.py · mfv run train.py --alpha 0.5 --tag trial
    """
    path = Path(script)
    if not path.is_file():
        raise NotFoundError(f"there is no file {script}", hint="give the path of a flow's script")
    _become(path, ["run", *words])


def _become(script: Path, words: list[str]) -> NoReturn:
    """Runs `script` as `python SCRIPT run …` does, in this process."""
    import runpy

    name = os.fspath(script)
    sys.argv = [name, *words]
    sys.path[0:0] = [os.fspath(script.absolute().parent)]
    runpy.run_path(name, run_name="__main__")
    raise FlowError(
        f"{name} ended without running a flow",
        hint="its last lines should be: if __name__ == '__main__': MyFlow()",
    )
