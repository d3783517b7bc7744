"""Runs a clone again as its run was started: the same words, user and variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from mfv.checkout import Clone
from mfv.checkout.child import run_child
from mfv.errors import MfvError, StorageError
from mfv.manifest.records import Opening
from mfv.repo.paths import python_path
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

# What a result may depend on. All else of the recorded variables tells where it was, not how.
_RESTORED = (
    *("BLIS_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG", "JAX_ENABLE_X64", "LANG", "LC_ALL"),
    *("MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("PYTHONHASHSEED", "TF_DETERMINISTIC_OPS", "TZ", "VECLIB_MAXIMUM_THREADS", "XLA_FLAGS"),
)
_OURS = ("MFV_", "METAFLOW_")
_SHOWN = 12  # lines of output in an error
_CONFIGS = ("FLOW_CONFIG", "FLOW_CONFIG_VALUE")


class CannotRunError(MfvError):
    """The code of a run did not come so far as to begin a run."""

    code = "cannot-run"


class Place(NamedTuple):
    """Where a clone is run again, and with what."""

    python: Path  # the interpreter
    folder: Path  # for what is needed meanwhile
    repository: Path | None = None  # where the run is recorded; None: as for any other run there
    held: tuple[int, ...] = ()  # fds to be kept open
    isolated: bool = False  # whether the Python is that of an environment of its own


def secrets_missing(opening: Opening, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secret inputs for which no variable of the environment has a value."""
    return tuple(
        name for name in opening.secret if not any(map(environ.get, variables_of(name, environ)))
    )


def variables_of(secret: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that may give a secret input, the first one first; see `Opening.secret`."""
    kind, space, config = secret.partition(" ")
    if not space:
        suffix = kind.replace("-", "_").upper()
        return tuple(f"{prefix}RUN_{suffix}" for prefix in _OURS)
    names = [f"{prefix}{word}" for prefix in _OURS for word in _CONFIGS]
    return tuple(name for name in names if config in _keys(environ.get(name, "")))


def give_secret(secret: str, text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with a value for a secret input; of a config, the path of its file."""
    _, space, config = secret.partition(" ")
    if not space:
        return {**environ, variables_of(secret, environ)[0]: text}
    name = f"{_OURS[0]}{_CONFIGS[0]}"
    given = {one: _config(environ.get(name, ""), one) for one in _keys(environ.get(name, ""))}
    paths = {**given, config: os.path.abspath(text)}
    return {**environ, name: msgspec.json.encode(paths).decode()}


def run_again(
    view: RunView, clone: Clone, place: Place, environ: Mapping[str, str], output: IO[bytes] | int
) -> RunView:
    """Runs the clone of `view` to its end and gives the run that came of it, however it ended.

    What it prints goes to `output`: a file, from which an error quotes it, or an fd. Raises
    CannotRunError where no run began.
    """
    told = place.folder / "begun.json"
    words = clone.command.argv(os.fspath(place.python), "--runner-attribute-file", os.fspath(told))
    folder = clone.folder.absolute() / clone.command.folder
    try:
        variables = _variables(view, place, environ)
        status = run_child(words, folder, variables, output, place.held)
    except OSError as error:
        raise StorageError(f"cannot start {place.python}: {error.strerror or error}") from error
    begun = _read(told)
    if begun is None:
        said = b"  it is shown above"
        if not isinstance(output, int):
            output.seek(0)
            said = output.read()
        raise _not_begun(view, status, said.decode("utf-8", "replace"))
    repository = Repository.open(str(begun["metadata"]).removeprefix("local@"))
    state = repository.state.find(str(begun["flow_name"]), int(str(begun["run_id"])))
    assert state is not None
    return RunView(repository, state)


def _variables(view: RunView, place: Place, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment to run in."""
    opening = view.opening
    given = {name for secret in opening.secret for name in variables_of(secret, environ)}
    found = {
        name: value
        for name, value in environ.items()
        if name in given or not name.startswith(_OURS)
    }
    recorded = dict(opening.variables)
    seed = opening.hash_seed or recorded.get("PYTHONHASHSEED", "")
    if seed:
        recorded["PYTHONHASHSEED"] = seed
    for name in _RESTORED:
        found.pop(name, None)
        if name in recorded:
            found[name] = recorded[name]
    found["MFV_USER"] = opening.user
    if "MFV_TRUST" in environ:  # of whoever runs it, for what its steps load of other runs
        found["MFV_TRUST"] = environ["MFV_TRUST"]
    if place.repository is not None:
        found["MFV_DIR"] = os.fspath(place.repository)
        if view.repository.folder is not None:
            found["MFV_READ_DIR"] = os.path.abspath(view.repository.folder)
    elif "MFV_DIR" in environ:
        found["MFV_DIR"] = environ["MFV_DIR"]
    if place.isolated:
        for name in ("PYTHONPATH", "PYTHONHOME"):
            found.pop(name, None)
        programs = os.fspath(place.python.parent)
        found["VIRTUAL_ENV"] = os.path.dirname(programs)
        found["PATH"] = os.pathsep.join([programs, found.get("PATH", os.defpath)])
    own = python_path(opening)
    if own:  # the modules of the snapshot, before those that lie about here
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [own, found.get("PYTHONPATH")]))
    return found


def _keys(text: str) -> Sequence[str]:
    """The names that a variable with configs gives."""
    try:
        found: Any = msgspec.json.decode(text) if text else {}
    except msgspec.DecodeError:
        return ()
    return list(found) if isinstance(found, dict) else ()


def _config(text: str, name: str) -> Any:
    return msgspec.json.decode(text)[name]


def _read(path: Path) -> dict[str, object] | None:
    """What the run said of itself as soon as it had a number; None if it never had one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.DecodeError):
        return None


def _not_begun(view: RunView, status: int, output: str) -> CannotRunError:
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    how = f"signal {-status}" if status < 0 else f"exit code {status}"
    shown = "\n".join(f"  {line[:300]}" for line in _essence(lines)) or "  it said nothing"
    missing = any(line.startswith(("ModuleNotFoundError", "ImportError")) for line in lines[-3:])
    return CannotRunError(
        f"the code of {view.name} does not start here ({how}):\n{shown}",
        hint="--env runs it with the packages that it had"
        if missing
        else "`mfv clone` brings the code back to look at",
    )


def _essence(lines: Sequence[str]) -> list[str]:
    """What an exception says and where it was raised; else the last lines."""
    if not any(line.startswith("Traceback ") for line in lines):
        return list(lines[-_SHOWN:])
    places = [re.match(r'  File "(?:.*/clone/)?(.+)", line (\d+)', line) for line in lines]
    found = [place for place in places if place is not None]
    where = f"{found[-1][1]}:{found[-1][2]}: " if found else ""
    return [f"{where}{lines[-1]}"]
