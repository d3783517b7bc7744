"""The command line that runs a clone again with what its run was given."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mfv.capture.root import CLONE_FOLDER
from mfv.checkout.names import INPUTS
from mfv.manifest.records import GivenFile, Opening
from mfv.repo.paths import python_path

PLACEHOLDER = "..."  # for a value that was kept out of the record
_COMPAT = ("--compat",)


class Command(NamedTuple):
    """What to run, and where."""

    folder: str  # below the root of the clone; empty: at it
    script: str  # as seen from there
    words: tuple[str, ...]  # behind `run`
    secret: tuple[tuple[str, ...], ...]  # more words, with a placeholder for each secret value
    compat: bool = False  # mfv stands in Metaflow's place
    python_path: str = ""  # what PYTHONPATH must say, as seen from the folder

    def lines(
        self, root: str | os.PathLike[str], environment: str | None = None
    ) -> tuple[str, ...]:
        """What a person types from where `root` was named; secrets are to be filled in.

        `environment`: below the root, the one whose programs are to be used.
        """
        place = os.path.join(root, self.folder) if self.folder else os.fspath(root)
        more = [word for words in self.secret for word in words]
        how = ["mfv", "run", *_COMPAT] if self.compat else ["python"]
        if environment is not None:
            programs = os.path.join(environment, "bin")
            how[0] = os.path.join(os.path.relpath(programs, self.folder or "."), how[0])
        run = [] if self.compat else ["run"]
        typed = shlex.join([*how, self.script, *run, *self.words, *more])
        if self.python_path:
            typed = f"PYTHONPATH={shlex.quote(self.python_path)} {typed}"
        return f"cd {shlex.quote(place)}", typed

    def argv(self, python: str, *more: str) -> list[str]:
        """What to execute, with `more` words; secrets left out, for all see a command line."""
        if self.compat:
            return [python, "-m", "mfv", "run", *_COMPAT, self.script, *self.words, *more]
        return [python, self.script, "run", *self.words, *more]


def command_of(opening: Opening, inputs: Sequence[str]) -> Command:
    """The command of a run whose inputs lie in the clone under the names `inputs`.

    A run that went on from another is run as a whole: it has all inputs of the first.
    """
    folder = opening.folder or "."
    words: list[str] = []
    for flag in opening.flags:
        if flag != _COMPAT:
            words += _spelt(flag)
    for name, text in opening.options:
        words += _spelt((f"--{name}", text))
    for file, name in zip(opening.given, inputs, strict=True):
        path = os.path.relpath(os.path.join(CLONE_FOLDER, INPUTS, name), folder)
        flag_name, *more = file.option or ("",)
        words += [f"--{flag_name}", *more, path]
    secret = []
    for name in opening.secret:
        kind, space, config = name.partition(" ")
        secret.append((f"--{kind}", config, PLACEHOLDER) if space else (f"--{name}={PLACEHOLDER}",))
    script = os.path.relpath(opening.script, folder)
    script = f"./{script}" if script.startswith("-") else script  # no option of Python's
    compat = _COMPAT in opening.flags
    return Command(
        opening.folder, script, tuple(words), tuple(secret), compat, python_path(opening)
    )


def input_names(files: Sequence[GivenFile]) -> list[str]:
    """A file name for each file that the run was given: told apart, and safe on any system."""
    names: list[str] = []
    for file in files:
        stem = re.sub(r"[^\w-]", "_", "-".join(file.option), flags=re.ASCII)[:60] or "input"
        ending = os.path.splitext(file.path)[1]
        name = stem + (ending if re.fullmatch(r"\.\w{1,8}", ending, re.ASCII) else "")
        taken = name.lower() in (other.lower() for other in names)
        names.append(f"{len(names)}-{name}" if taken else name)
    return names


def _spelt(flag: Sequence[str]) -> list[str]:
    """An option and its value, joined where the value would be read as an option."""
    name, *values = flag
    if len(values) == 1 and (values[0].startswith("-") or not values[0]):
        return [f"{name}={values[0]}"]
    return [name, *values]
