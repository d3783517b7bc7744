"""`mfv run`"""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from mfv.cli.command import argument, option
from mfv.cli.main import line_outside
from mfv.errors import EXIT_FAILED, FlowError, MfvError, NotFoundError


def command(
    script: Annotated[str, argument("The file with the flow.", "FLOW.py")],
    words: Annotated[
        list[str], argument("What `python FLOW.py run` takes.", "[FLOW OPTIONS]...", rest=True)
    ] = (),  # type: ignore[assignment]
    compat: Annotated[
        bool, option("--compat", help="Put mfv in Metaflow's place: `import metaflow` gives mfv.")
    ] = False,
) -> int:
    """Run a flow: the same as `python FLOW.py run`.

    The options are the flow's own parameters and those of `python FLOW.py run --help`. A flow
    that says `from metaflow import …` runs as it is with --compat, which stands before its name.

    Examples: mfv run train.py · mfv run train.py --alpha 0.5 --tag trial · \
    mfv run --compat theirs.py
    """
    path = Path(script)
    if not path.is_file():
        raise NotFoundError(f"there is no file {script}", hint="give the path of a flow's script")
    if compat:
        import mfv.compat.metaflow  # noqa: F401  (its import is what does it)
    become(path, ["run", *words])


def become(script: Path, words: list[str]) -> NoReturn:
    """Runs `script` as `python SCRIPT WORDS` does, in this process."""
    import runpy

    sys.argv = [os.fspath(script), *words]
    name = os.fspath(script.absolute())  # as Python has it in __file__
    sys.path[0:0] = [os.path.dirname(name)]
    try:
        runpy.run_path(name, run_name="__main__")
    except SyntaxError as error:
        raise FlowError(
            f"{error.msg}",
            file=error.filename or name,
            line=error.lineno,
            hint="it is no valid Python; nothing was run",
        ) from None
    except Exception as error:
        if isinstance(error, FlowError) and not error.file:
            place = line_outside(error.__traceback__)
            error.message = f"{place}: {error.message}" if place else error.message
        if isinstance(error, MfvError):
            raise
        if isinstance(error, ModuleNotFoundError) and error.name == "metaflow":
            place = line_outside(error.__traceback__)
            raise FlowError(
                f"{place}: this flow imports metaflow, which is not installed here",
                hint=f"`mfv run --compat {script}` runs it with mfv in Metaflow's place",
            ) from None
        _print_traceback(error, name)
        sys.exit(EXIT_FAILED)
    raise FlowError(
        f"{name} ended without running a flow",
        hint="its last lines should be: if __name__ == '__main__': MyFlow()",
    )


def _print_traceback(error: Exception, script: str) -> None:
    """The traceback as `python SCRIPT` prints it: from the script on, without our own frames."""
    import traceback

    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != script:
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames or error.__traceback__)
