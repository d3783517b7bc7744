"""What a store is to a benchmark: it keeps versions, and gives them back."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from engines.equal import same_files
from harness import BenchmarkError, Sample, measure
from mfv_command import mfv_environment

PROGRAMS = Path(__file__).parent


class Engine(Protocol):
    """One contender. Every method may raise BenchmarkError, which says why it cannot go on.

    `place` is a folder of the engine's own, the same for all versions; `source` is the version as
    a file or folder.
    """

    name: str

    def version(self) -> str:
        """Makes the engine ready, installing it if need be; returns its version."""

    def begin(self, place: Path) -> None:
        """Makes an empty store in `place`; not timed."""

    def store(self, place: Path, source: Path, number: int) -> Sample:
        """Keeps version `number`; returns wall, CPU and peak memory."""

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        """Gives version `number` back, checks that it is `source`; the check is not counted."""

    def kept(self, place: Path) -> Path:
        """The folder of what is stored, without caches."""


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> Sample:
    """Runs `command` in `folder` and says what it and all its processes cost."""
    environment = {**mfv_environment(), **(variables or {})}
    return measure(command, folder=folder, environment=environment, timeout=1800)._asdict()


class Inside:
    """An engine that is a library: each action in a process of its own, timed in there.

    The process has read the object beforehand, as a step of a flow has made it; that is not
    counted. Its programs are those beside this file.
    """

    def __init__(self, name: str, program: str, words: Sequence[str] = ()) -> None:
        self.name = name
        self._program, self._words = PROGRAMS / program, tuple(words)

    def python(self) -> Path:
        """The Python that has the library."""
        return Path(sys.executable)

    def variables(self, place: Path) -> Mapping[str, str]:
        """What the programs need in the environment."""
        return {}

    def version(self) -> str:
        raise NotImplementedError

    def begin(self, place: Path) -> None:
        (place / "store").mkdir(parents=True)

    def store(self, place: Path, source: Path, number: int) -> Sample:
        return self._act("store", place, source, number)

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        return self._act("restore", place, source, number)

    def kept(self, place: Path) -> Path:
        return place / "store"

    def _act(self, action: str, place: Path, source: Path, number: int) -> Sample:
        with tempfile.TemporaryDirectory(prefix="bench-job-") as scratch:
            report = Path(scratch, "report")
            job = [action, str(place), str(source), str(number), str(report), *self._words]
            run([str(self.python()), str(self._program), *job], place, self.variables(place))
            found: Sample = json.loads(report.read_text("ascii"))
            return found


def fresh(folder: Path) -> Path:
    """`folder`, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def check_files(restored: Path, source: Path) -> None:
    """BenchmarkError unless both hold the same."""
    if not same_files(restored, source):
        raise BenchmarkError(f"what came back of {source.name} is not what was stored")


def size_of(folder: Path) -> Sample:
    """What lies below `folder`: bytes as lengths, bytes as blocks of the disk, files."""
    stored, disk, files = 0, 0, 0
    for where, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(where, name))
            stored, disk, files = stored + status.st_size, disk + status.st_blocks * 512, files + 1
    return {"stored": stored, "disk": disk, "files": files}
