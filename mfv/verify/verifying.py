"""A verification from its clone to its verdict.

It records in a repository of its own, which is gone with the rest: a proof is no experiment, and
must neither clutter the log nor use up a number. It costs the space of the run meanwhile.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from mfv.checkout import ENVIRONMENT, Clone, clone
from mfv.checkout.venv import Made, make_environment
from mfv.diff.rerun import Verdict
from mfv.errors import ConflictError, MfvError, NotFoundError, UntrustedError, UsageError
from mfv.repo.names import OPEN
from mfv.repo.trust import refusal_of
from mfv.repo.view import RunView
from mfv.verify.again import Place, run_again, secrets_missing, variables_of
from mfv.verify.comparing import compare_runs
from mfv.verify.likeness import EXACT, Tolerance
from mfv.verify.workplace import make_repository, workplace


class Wish(NamedTuple):
    """How a verification is to go."""

    environment: bool = False  # whether in an environment like the recorded one
    tolerance: Tolerance = EXACT
    load: bool = False  # whether values may be loaded
    trust: bool = False  # whether the run may be of another repository


class IncompleteError(MfvError):
    """An environment like the recorded one cannot be had."""

    code = "incomplete"


def verify(
    view: RunView,
    wish: Wish,
    environ: Mapping[str, str],
    *,
    note: Callable[[str], None] = lambda text: None,
    output: int | None = None,
) -> Verdict:
    """Runs `view` again out of its record alone and compares; leaves nothing behind.

    `environ`: the variables of this process. `note` is told what happens; `output` is an fd for
    what the flow prints. Raises ConflictError for a run that is still open, NotFoundError where
    its code is not there, UsageError where a secret is not, UntrustedError for a run of another
    repository, IncompleteError, CannotRunError.
    """
    check(view, wish, environ)
    with workplace(view.repository) as work:
        note(f"cloning {view.name}")
        made = clone(view, work.folder / "clone")
        python, environment, described = Path(sys.executable), made.environment, ""
        if wish.environment:
            note(f"making its environment of {len(view.environment.packages)} packages")
            (work.folder / "installing").mkdir()
            new = make_environment(
                work.folder / "venv",
                view.environment,
                environ,
                work.folder / "installing",
                builds=True,
            )
            refuse_missing(view, new)
            python, environment, described = new.python, new.notes, told(new)
        make_repository(work.folder / ".mfv", view)
        place = Place(
            python, work.folder, work.folder / ".mfv", (work.held,), isolated=wish.environment
        )
        return _finish(view, made, place, wish, environ, environment, described, note, output)


def run_clone(
    view: RunView,
    clone: Clone,
    made: Made | None,
    wish: Wish,
    environ: Mapping[str, str],
    *,
    output: int | None = None,
) -> Verdict:
    """Runs a clone that stays, as any other run in its folder, and compares it with its run.

    `made`: the environment to run it in; None for this one. Raises as `verify` does.
    """
    check(view, wish, environ)
    with tempfile.TemporaryDirectory(prefix="mfv-clone-") as work:
        python, environment, described = Path(sys.executable), clone.environment, ""
        if made is not None:
            refuse_missing(view, made)
            python, environment, described = made.python, made.notes, told(made)
        place = Place(python, Path(work), isolated=made is not None)
        return _finish(
            view, clone, place, wish, environ, environment, described, lambda text: None, output
        )


def _finish(
    view: RunView,
    made: Clone,
    place: Place,
    wish: Wish,
    environ: Mapping[str, str],
    environment: tuple[str, ...],
    described: str,
    note: Callable[[str], None],
    output: int | None,
) -> Verdict:
    """Runs a clone and compares what comes of it with its run."""
    note(f"running {view.name} again")
    begun = time.monotonic()
    with tempfile.TemporaryFile(dir=place.folder) as own:
        again = run_again(view, made, place, environ, own if output is None else output)
    seconds = time.monotonic() - begun
    note("comparing")
    rerun = compare_runs(view, again, wish.tolerance, load=wish.load)
    name = again.name if place.repository is None else None
    return Verdict(view.name, name, rerun, view.seconds, seconds, environment, described)


def check(view: RunView, wish: Wish, environ: Mapping[str, str]) -> None:
    """Refuses what cannot be run again."""
    if view.status == OPEN:
        raise ConflictError(
            f"{view.name} is still running", hint="wait for its end; there is nothing to compare"
        )
    refused = None if wish.trust else refusal_of(view)
    if refused is not None:
        raise UntrustedError(
            f"the code of {view.name} is a program, and {refused.reason}",
            hint=f"look at it first (`mfv clone {view.name}`), then say --trust, or {refused.hint}",
        )
    paths = {file.path.decode("utf-8", "surrogateescape") for file in view.tree.files}
    if view.opening.script not in paths:
        raise NotFoundError(
            f"the flow's file {view.opening.script!r} is not in the snapshot of {view.name}",
            hint=f"`mfv show {view.name} --code` lists what is there and what was left out",
        )
    missing = secrets_missing(view.opening, environ)
    if missing:
        names = [_variable(name, environ) for name in missing]
        raise UsageError(
            f"{view.name} was given secrets, which are not recorded: {', '.join(missing)}",
            hint=f"give them anew in the environment: {', '.join(names)}",
        )


def refuse_missing(view: RunView, made: Made) -> None:
    """IncompleteError where a package of the run could not be had."""
    if made.missing:
        listed = [f"  {package}: {why}" for package, why in made.missing[:12]]
        more = [f"  and {len(made.missing) - 12} more"] if len(made.missing) > 12 else []
        count = len(made.missing)
        raise IncompleteError(
            f"{count} of the packages of {view.name} cannot be had:\n"
            + "\n".join([*listed, *more]),
            hint="without --env it runs with the packages that are here",
        )


def told(made: Made) -> str:
    """An environment that was made, in words."""
    return f"{made.installed} packages, by {made.tool}"


def _variable(name: str, environ: Mapping[str, str]) -> str:
    """What to set for a secret."""
    found = variables_of(name, environ)
    if found:
        return found[0]
    return f'MFV_FLOW_CONFIG=\'{{"{name.partition(" ")[2]}": "PATH"}}\''


def environment_folder(made: Clone) -> Path:
    """Where the environment of a clone that stays is made: where editors look for it."""
    place = made.folder.absolute() / ENVIRONMENT
    if os.path.lexists(place):
        raise ConflictError(f"{place} is there already", hint="it came with the code; clone anew")
    return place
