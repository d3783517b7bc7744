"""`mfv resume`"""

from pathlib import Path
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.cli.run import become
from mfv.errors import NotFoundError


def command(
    run: Annotated[str, argument("The run to go on from.", "RUN")] = "@",
    start: Annotated[
        str | None, option("--from", help="Run this step, and all after it, anew.", metavar="STEP")
    ] = None,
    change: Annotated[
        list[str],
        option("--set", help="Give a parameter another value; can be given again.", metavar="N=V"),
    ] = (),  # type: ignore[assignment]
    trust_code: Annotated[
        bool,
        option("--trust-code", help="Take over all that succeeded, whatever changed since."),
    ] = False,
    tag: Annotated[
        list[str], option("--tag", help="Put this tag on the run; can be given again.")
    ] = (),  # type: ignore[assignment]
    max_workers: Annotated[int | None, option("--max-workers", help="Tasks at a time.")] = None,
    compat: Annotated[
        bool, option("--compat", help="Put mfv in Metaflow's place: `import metaflow` gives mfv.")
    ] = False,
) -> int:
    """Go on where a run ended, with the code that is here now.

    The same as `python FLOW.py resume`, whose help has the other options: a new run that takes
    over the tasks of RUN (without it the newest) for which nothing changed. The flow is the script
    of RUN, as it is in the folder here.

    Examples: mfv resume · mfv resume TrainFlow/42 --from train · mfv resume --set alpha=0.5
    """
    from mfv.capture.root import find_root
    from mfv.history.find import find_run

    view = find_run(repository(), run)
    script = find_root(Path.cwd() / "flow.py") / view.opening.script
    for place in (script, Path(view.opening.script), Path(Path(view.opening.script).name)):
        if place.is_file():
            script = place
            break
    else:
        raise NotFoundError(
            f"the script of {view.name}, {view.opening.script}, is not here: {script}",
            hint=f"go to its folder (`mfv -C DIR resume`), or `mfv clone {view.name}`",
        )
    words = ["resume", "--origin-run-id", str(view.number)]
    words += [word for one in change for word in ("--set", one)]
    words += [word for one in tag for word in ("--tag", one)]
    words += ["--trust-code"] if trust_code else []
    words += [] if max_workers is None else ["--max-workers", str(max_workers)]
    words += [] if start is None else [start]
    if compat:
        import mfv.compat.metaflow  # noqa: F401  (its import is what does it)
    become(script, words)
