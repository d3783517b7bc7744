"""Bringing a run back: its code and inputs in a folder, and how to run it again."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from mfv.capture.environment import Environment as Found
from mfv.capture.environment import Package, lock_text, read_environment
from mfv.capture.root import CLONE_FOLDER, CLONE_MARKER
from mfv.errors import ConflictError, StorageError
from mfv.ids import BlobId
from mfv.manifest.records import Environment, GivenFile, Tree
from mfv.repo.info import info_of
from mfv.repo.paths import check_tree, python_path
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

_LINK = 0o120000
PARAMETERS, INFO, LOCK, GUIDE = "parameters.json", "INFO.json", "requirements.txt", "REPRODUCE.md"
INPUTS = "inputs"


class Clone(NamedTuple):
    """What was written, and what it takes to run it again."""

    folder: Path
    files: int
    renamed: tuple[str, ...]  # `name -> new name`, where a name means something to other systems
    links_left_out: tuple[str, ...]  # symbolic links that point out of the folder
    commands: tuple[str, ...]  # to be typed from where `folder` was named
    missing: tuple[str, ...]  # what the snapshot never held, with the reason
    secrets: tuple[str, ...]  # parameters that must be given anew
    environment: tuple[str, ...]  # how this machine differs from the run's


def clone(run: RunView, folder: Path) -> Clone:
    """Writes the code of `run` to `folder`, and beside it what it was given.

    The folder appears whole or not at all. Raises ConflictError if it is there and not empty,
    CorruptError if the snapshot is damaged or holds a path that leads out.
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
        inputs = _input_names(run.opening.given)
        result = Clone(
            folder=folder,
            files=len(paths) - len(left_out),
            renamed=_renamed(run.tree, paths),
            links_left_out=left_out,
            commands=_commands(run, folder, inputs),
            missing=tuple(f"{one.path} ({one.reason})" for one in run.opening.left_out),
            secrets=run.opening.secret,
            environment=_differences(run.environment, read_environment()),
        )
        _write_inputs(run, result, inputs, staging / CLONE_FOLDER)
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
    for file, path in zip(tree.files, paths, strict=True):
        data = repository.database.read_blob(BlobId(file.blob))
        if file.mode == _LINK:
            links.append((path, bytes(data)))
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            fd = os.open(target, flags, 0o777 if file.mode & 0o100 else 0o666)
        except FileExistsError:
            raise ConflictError(
                f"{path} and another file of the snapshot have one name on this file system",
                hint="clone to a file system that tells upper and lower case apart",
            ) from None
        with open(fd, "wb") as out:
            out.write(data)
    for path, points_to in links:
        if _escapes(path, points_to):
            left_out.append(path)
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(points_to, os.fsencode(target))
    return tuple(left_out)


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


def _input_names(files: Sequence[GivenFile]) -> list[str]:
    """A file name for each file that the run was given: told apart, and safe on any system."""
    names: list[str] = []
    for file in files:
        stem = re.sub(r"[^\w-]", "_", "-".join(file.option), flags=re.ASCII)[:60] or "input"
        ending = os.path.splitext(file.path)[1]
        name = stem + (ending if re.fullmatch(r"\.\w{1,8}", ending, re.ASCII) else "")
        taken = name.lower() in (other.lower() for other in names)
        names.append(f"{len(names)}-{name}" if taken else name)
    return names


def _commands(run: RunView, folder: Path, inputs: Sequence[str]) -> tuple[str, ...]:
    opening = run.opening
    place = os.path.join(folder, opening.folder) if opening.folder else os.fspath(folder)
    script = os.path.relpath(opening.script, opening.folder or ".")
    words = ["python", script, "run"]
    for name, text in opening.options:
        words += [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
    for file, name in zip(opening.given, inputs, strict=True):
        path = os.path.relpath(os.path.join(CLONE_FOLDER, INPUTS, name), opening.folder or ".")
        flag, *more = file.option or ("",)
        words += [f"--{flag}", *more, path]
    for name in opening.secret:
        kind, space, config = name.partition(" ")
        words += [f"--{kind}", config, "..."] if space else [f"--{name}=..."]
    command = shlex.join(words)
    if path := python_path(opening):
        command = f"PYTHONPATH={shlex.quote(path)} {command}"
    return f"cd {shlex.quote(place)}", command


def _write_inputs(run: RunView, result: Clone, inputs: Sequence[str], folder: Path) -> None:
    """What the run was given, beside its code and out of every snapshot's way."""
    folder.mkdir()
    if inputs:
        (folder / INPUTS).mkdir()
    for file, name in zip(run.opening.given, inputs, strict=True):
        data = run.repository.database.read_blob(BlobId(file.blob))
        with open(folder / INPUTS / name, "xb") as out:
            out.write(data)
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
    (folder / LOCK).write_text(lock_text(_as_found(run.environment)))
    (folder / GUIDE).write_text(_guide(run, result))


def _guide(run: RunView, result: Clone) -> str:
    environment = run.environment
    lines = [
        f"# Reproduce {run.name}",
        "",
        f"Code, parameters and environment of run {run.name} ({run.run_id or 'not sealed'}).",
        "",
        f"1. Python {environment.python} on {environment.system} {environment.machine}.",
        f"2. `python -m venv .venv && .venv/bin/pip install -r {CLONE_FOLDER}/{LOCK}`",
        "3. Run it, with the Python of that environment:",
        "",
        *(f"       {line}" for line in result.commands[1:]),
        "",
        f"4. Compare: `mfv diff {run.name} @`",
    ]
    if result.renamed:
        lines += ["", "Written under another name:", "", *(f"- {name}" for name in result.renamed)]
    if result.missing or result.links_left_out:
        lines += ["", "Not part of the snapshot; put it in place by hand:", ""]
        lines += [f"- {name}" for name in (*result.missing, *result.links_left_out)]
    return "\n".join(lines) + "\n"


def _as_found(environment: Environment) -> Found:
    """The record in capture's own words, which write the lock."""
    facts = msgspec.structs.asdict(environment)
    packages = tuple(Package(package.name, package.version) for package in environment.packages)
    return Found(**{**facts, "packages": packages})


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
