"""Writes a clone: the code of a run, what it was given, and its papers. Whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mfv.capture.environment import Environment as Found
from mfv.capture.environment import read_environment
from mfv.capture.root import CLONE_FOLDER, CLONE_MARKER
from mfv.checkout.command import Command, command_of, input_names
from mfv.checkout.guide import guide
from mfv.checkout.names import DATA, GUIDE, INFO, INPUTS, LOCK, PARAMETERS, PYLOCK
from mfv.errors import ConflictError, StorageError
from mfv.ids import BlobId, Buffer
from mfv.manifest.records import Environment, GivenFile, Tree, TreeFile
from mfv.odb.database import Database
from mfv.repo.info import info_of
from mfv.repo.lock import pylock, requirements
from mfv.repo.paths import check_path, check_tree
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

_LINK = 0o120000
_AT_ONCE = 4 << 20  # bytes of a file that is read as a whole
_LONGEST_TARGET = 4096  # bytes of what a link points to


class Clone(NamedTuple):
    """What was written, and what it takes to run it again."""

    folder: Path
    files: int
    renamed: tuple[str, ...]  # `name -> new name`, where a name means something to other systems
    links_left_out: tuple[str, ...]  # symbolic links that point out of the folder
    command: Command
    missing: tuple[str, ...]  # what the snapshot never held, with the reason
    secrets: tuple[str, ...]  # parameters that must be given anew
    environment: tuple[str, ...]  # how this machine differs from the run's
    python: str  # the version that it ran with
    system: str  # where it ran: system and machine
    has_script: bool  # whether the flow's own file is among the code

    @property
    def commands(self) -> tuple[str, ...]:
        """To be typed from where `folder` was named."""
        return self.command.lines(self.folder)


def clone(run: RunView, folder: Path, data: Callable[[Path], None] | None = None) -> Clone:
    """Writes the code of `run` to `folder`, and beside it what it was given.

    `data` writes more into a folder that it is given. The folder appears whole or not at all.
    Raises ConflictError if it is there and not empty, CorruptError if the snapshot is damaged or
    holds a path that leads out.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(
            f"{folder} exists and is not empty", hint="name a folder that does not exist yet"
        )
    paths = check_tree(run.tree)
    staging = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}")
    try:
        staging.mkdir(parents=True)
        left_out = _write_files(run.repository, run.tree, paths, staging)
        if run.opening.folder:  # nothing of it may be in the snapshot
            _make_folder(staging, check_path(os.fsencode(run.opening.folder)))
        inputs = input_names(run.opening.given)
        result = Clone(
            folder=folder,
            files=len(paths) - len(left_out),
            renamed=_renamed(run.tree, paths),
            links_left_out=left_out,
            command=command_of(run.opening, inputs),
            missing=tuple(f"{one.path} ({one.reason})" for one in run.opening.left_out),
            secrets=run.opening.secret,
            environment=_differences(run.environment, read_environment()),
            python=run.environment.python,
            system=f"{run.environment.system} {run.environment.machine}",
            has_script=run.opening.script in paths,
        )
        _write_inputs(run, result, inputs, staging / CLONE_FOLDER)
        if data is not None:
            data(staging / CLONE_FOLDER / DATA)
        os.rename(staging, folder)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return result


def _write_files(
    repository: Repository, tree: Tree, paths: list[str], folder: Path
) -> tuple[str, ...]:
    """Writes regular files first and links last, so that nothing is written through a link."""
    left_out = []
    links = []
    database = repository.database
    for file, path in zip(tree.files, paths, strict=True):
        if file.mode == _LINK:
            target = database.read_blob(BlobId(file.blob), largest=_LONGEST_TARGET)
            links.append((path, bytes(target)))
            continue
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            fd = os.open(place, flags, 0o777 if file.mode & 0o100 else 0o666)
        except FileExistsError:
            raise ConflictError(
                f"{path} and another file of the snapshot have one name on this file system",
                hint="clone to a file system that tells upper and lower case apart",
            ) from None
        with open(fd, "wb") as out:
            out.writelines(_pieces(database, file))
    for path, points_to in links:
        if _escapes(path, points_to):
            left_out.append(path)
            continue
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(points_to, os.fsencode(place))
    return tuple(left_out)


def _pieces(database: Database, file: TreeFile | GivenFile) -> Iterable[Buffer]:
    """The bytes of a file, in bounded memory; CorruptError where they are more than it says."""
    blob = BlobId(file.blob)
    if file.size <= _AT_ONCE:
        return [database.read_blob(blob, largest=file.size)]
    return database.stream_blob(blob, largest=file.size)


def _make_folder(root: Path, path: str) -> None:
    """The folder `path`; left alone where the snapshot has something else in its way."""
    place = root
    for part in path.split("/"):
        place /= part
        if place.is_symlink():
            return
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            place.mkdir()


def _escapes(path: str, points_to: bytes) -> bool:
    """Whether a link at `path` leads out of the folder, by way of other links too."""
    parts = [part for part in os.fsdecode(points_to).split("/") if part != "."]
    climbs = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    # `..` behind a name is refused: the name may be a link itself, and lead one up already.
    nowhere = not points_to or b"\0" in points_to
    return (
        nowhere or points_to.startswith(b"/") or climbs > path.count("/") or ".." in parts[climbs:]
    )


def _renamed(tree: Tree, paths: list[str]) -> tuple[str, ...]:
    names = (file.path.decode("utf-8", "backslashreplace") for file in tree.files)
    pairs = zip(names, paths, tree.files, strict=True)
    return tuple(
        f"{name} -> {path}" for name, path, file in pairs if os.fsencode(path) != file.path
    )


def _write_inputs(run: RunView, result: Clone, inputs: Sequence[str], folder: Path) -> None:
    """What the run was given, beside its code and out of every snapshot's way."""
    folder.mkdir()
    if inputs:
        (folder / INPUTS).mkdir()
    for file, name in zip(run.opening.given, inputs, strict=True):
        with open(folder / INPUTS / name, "xb") as out:
            out.writelines(_pieces(run.repository.database, file))
    origin = run.repository.format.repository.hex()
    marker = {"run": run.name, "id": run.run_id, "origin": origin, "script": run.opening.script}
    parameters = dict(run.opening.options)
    for file, name in zip(run.opening.given, inputs, strict=True):
        parameters[" ".join(file.option)] = f"{CLONE_FOLDER}/{INPUTS}/{name}"
    for name, value in (
        (os.path.basename(CLONE_MARKER), marker),
        (PARAMETERS, parameters),
        (INFO, info_of(run)),
    ):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")
    (folder / LOCK).write_text(requirements(run.environment))
    (folder / PYLOCK).write_text(pylock(run.environment))
    (folder / GUIDE).write_text(guide(run.name, run.run_id, result))


def _differences(then: Environment, now: Found) -> tuple[str, ...]:
    """What of the environment is not as it was, in words."""
    found = []
    if then.python != now.python:
        found.append(f"Python {then.python}, here {now.python}")
    here = {package.name: package.version for package in now.packages}
    for package in then.packages:
        version = here.get(package.name)
        if version != package.version:
            found.append(f"{package.name} {package.version}, here {version or 'not installed'}")
    return tuple(found)
