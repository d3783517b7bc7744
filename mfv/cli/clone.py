"""`mfv clone`"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mfv.checkout import DATA, ENVIRONMENT, LOCK, Clone, clone
from mfv.cli.command import argument, option
from mfv.cli.place import display, repository
from mfv.errors import EXIT_FAILED, EXIT_OK
from mfv.history.find import find_run
from mfv.render.text import escape
from mfv.render.units import count, size
from mfv.repo.view import RunView

if TYPE_CHECKING:
    from mfv.checkout.data import Written
    from mfv.checkout.venv import Made
    from mfv.diff.rerun import Verdict

_LISTED = 8


def command(
    run: Annotated[str, argument("The run.", "RUN")],
    folder: Annotated[str | None, argument("Where; FLOW-NUMBER by default.", "DIR")] = None,
    env: Annotated[
        bool, option("--env", help="Make a virtual environment with the packages that it had.")
    ] = False,
    data: Annotated[
        bool, option("--data", help="Write its artifacts out, each in the format of its type.")
    ] = False,
    again: Annotated[
        bool, option("--run", help="Run it again there, and compare what comes of it.")
    ] = False,
    trust: Annotated[
        bool, option("--trust", help="Run code of a run that is of another repository, too.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Bring back the code and inputs of a run, in a new folder.

    The folder holds the code as it ran; `.mfv-clone/` in it holds the parameters, INFO, the
    environment as lock files, and REPRODUCE.md. What is printed says how to run it again.

    With --env `.venv/` holds its packages, by uv where that is installed, else by pip; what could
    not be had is said, and the status is 1.

    With --data `.mfv-clone/data/STEP/TASK/` holds its artifacts: tables as Parquet or CSV, arrays
    as NPY, pictures, JSON, text, else pickles; only tables are unpickled for that.

    With --run the new run is recorded as any other, and the status is 1 if it gives anything else.

    Examples: mfv clone 42 · mfv clone prod out --env · mfv clone 42 out --env --run
    """
    view = find_run(repository(), run)
    environ: Mapping[str, str] = os.environ
    target = Path(folder or f"{view.flow}-{view.number}")
    if again:
        from mfv.cli.reproducing import wish_of, with_secrets
        from mfv.verify.verifying import check

        environ = with_secrets(view)
        check(view, wish_of(env, 0.0, 0.0, False, trust), environ)
    written: list[Written] = []

    def write(place: Path) -> None:
        from mfv.checkout.data import write_data
        from mfv.repo.trust import is_trusted

        written.append(write_data(view, place, trusted=trust or is_trusted(view)))

    made = clone(view, target, write if data else None)
    if not json:
        _print_clone(view.name, made, env=env)
    done = _Done(view, made, trust=trust, json=json)
    done.data = written[0] if written else None
    if env:
        done.make_environment()
    if again:
        done.run(environ)
    if json:
        from mfv.render.json import document

        print(document(done.facts()))
    elif not again:
        done.print_how_to_run()
    return done.status


class _Done:
    """What was done for a clone, in its order; each part is told as soon as it is there."""

    def __init__(self, view: RunView, clone: Clone, *, trust: bool, json: bool) -> None:
        self._view, self._clone, self._trust, self._json = view, clone, trust, json
        self.data: Written | None = None
        self._made: Made | None = None
        self._verdict: Verdict | None = None

    @property
    def status(self) -> int:
        complete = self._made is None or not self._made.missing
        alike = self._verdict is None or self._verdict.rerun.is_alike
        return EXIT_OK if complete and alike else EXIT_FAILED

    def make_environment(self) -> None:
        from mfv.checkout.venv import make_environment
        from mfv.cli.reproducing import stopped_by_signals
        from mfv.repo.trust import is_trusted
        from mfv.verify.verifying import environment_folder

        place = environment_folder(self._clone)
        with stopped_by_signals(), tempfile.TemporaryDirectory(prefix="mfv-clone-") as work:
            self._made = make_environment(
                place,
                self._view.environment,
                os.environ,
                Path(work),
                builds=self._trust or is_trusted(self._view),
            )
        made = self._made
        if self._json:
            return
        packages = count(made.installed, "package")
        print(f"made {display(made.folder)} by {made.tool}: {packages}")
        missing = tuple(f"{package}: {why}" for package, why in made.missing)
        _list("packages that could not be had:", missing)
        _list("the environment is not the run's:", made.notes)

    def run(self, environ: Mapping[str, str]) -> None:
        from mfv.cli.reproducing import print_verdict, stopped_by_signals, wish_of
        from mfv.verify.verifying import run_clone

        wish = wish_of(self._made is not None, 0.0, 0.0, False, True)
        output = None if self._json else sys.stdout.fileno()
        sys.stdout.flush()
        with stopped_by_signals():
            self._verdict = run_clone(
                self._view, self._clone, self._made, wish, environ, output=output
            )
        if not self._json:
            print_verdict(self._verdict, json=False)

    def print_how_to_run(self) -> None:
        clone, data = self._clone, self.data
        if data is not None:
            files = count(data.files, "artifact")
            print(f"wrote {files} to {escape(_data_folder(clone))}, {size(data.size)}")
            _list("unpickled for that, which runs code that they name:", data.loaded)
            _list("artifacts that could not be written:", data.failed)
        if clone.secrets:
            print(f"give the secret parameters anew: {escape(', '.join(clone.secrets))}")
        if not clone.has_script:
            script = escape(self._view.opening.script)
            print(f"the flow's file {script} is not in the snapshot: put it in place by hand")
        print("to run it again:")
        lines = clone.commands
        if self._made is not None:
            lines = clone.command.lines(clone.folder, environment=ENVIRONMENT)
        for line in lines:
            print(f"  {escape(line)}")

    def facts(self) -> dict[str, object]:
        clone, made, data = self._clone, self._made, self.data
        found: dict[str, object] = {
            "folder": str(clone.folder),
            "files": clone.files,
            "commands": list(clone.commands),
            "missing": list(clone.missing),
            "renamed": list(clone.renamed),
            "links_left_out": list(clone.links_left_out),
            "secrets": list(clone.secrets),
            "environment": list(clone.environment),
            "made": None,
            "data": None,
            "verified": None,
        }
        if made is not None:
            found["made"] = {
                "folder": str(made.folder),
                "tool": made.tool,
                "installed": made.installed,
                "missing": [{"package": package, "why": why} for package, why in made.missing],
                "notes": list(made.notes),
            }
        if data is not None:
            found["data"] = {
                "folder": _data_folder(clone),
                "files": data.files,
                "bytes": data.size,
                "unpickled": list(data.loaded),
                "failed": list(data.failed),
            }
        if self._verdict is not None:
            from mfv.render.verdict import verdict_json

            found["verified"] = verdict_json(self._verdict)
        return found


def _data_folder(made: Clone) -> str:
    from mfv.capture.root import CLONE_FOLDER

    return os.path.join(made.folder, CLONE_FOLDER, DATA)


def _print_clone(name: str, made: Clone, *, env: bool) -> None:
    print(f"cloned {escape(name)} into {escape(display(made.folder))}: {count(made.files, 'file')}")
    _list("not in the snapshot, put it in place by hand:", made.missing)
    _list("written under another name, which other systems take too:", made.renamed)
    _list("links that lead out of the folder, left out:", made.links_left_out)
    if made.environment and not env:
        _list("this environment is not the run's:", made.environment)
        print(f"  `mfv clone --env` brings it back, and `pip install -r .mfv-clone/{LOCK}`")
    elif not env:
        print("this environment is the run's: the same Python and packages")


def _list(title: str, things: tuple[str, ...]) -> None:
    if not things:
        return
    print(title)
    for thing in things[:_LISTED]:
        print(f"  {escape(thing)}")
    if len(things) > _LISTED:
        print(f"  and {len(things) - _LISTED} more (--json lists all)")
