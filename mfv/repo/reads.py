"""What a task reads of other runs, noted while it does and taken for its record.

Whoever runs a task begins a notebook; the client notes in it. Processes that the task starts have
no way back to its memory, so they note in a file, which exists only once there is such a note.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

import msgspec

from mfv.manifest.records import Origin, Read, RunName, Task

# Has the path of the file in processes that a task starts.
VARIABLE = "MFV_READS"
ROOM = 1000  # reads of one task that its record has room for

_Key = tuple[Origin, str, int, str, int, str, bytes]


class Notebook:
    """The reads of one task, each artifact once, in the order in which they were first read."""

    def __init__(self, path: str | None, *, owner: int) -> None:
        """`path`: the file for every process but `owner`; None: theirs are not noted."""
        self._path, self._owner = path, owner
        self._reads: dict[_Key, Read] = {}
        self._beyond: set[int] = set()  # hashes: of these only the number is told

    def note(self, read: Read) -> None:
        """Notes a read, in whichever process; never an error, for the value has been had."""
        if not self._add(read) or os.getpid() == self._owner or self._path is None:
            return
        line = msgspec.json.encode(read) + b"\n"
        with contextlib.suppress(OSError):  # the run is over, and its folder gone
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line)  # in one piece, so that processes do not mix
            finally:
                os.close(descriptor)

    def take(self, own: RunName) -> tuple[tuple[Read, ...], int]:
        """All reads but those of the run `own`, and how many there was no room for."""
        for read in self._noted_by_others():
            self._add(read)
        reads = [read for read in self._reads.values() if run_of(read) != own]
        return tuple(reads), len(self._beyond)

    def _add(self, read: Read) -> bool:
        """Whether it is new."""
        key = (*msgspec.structs.astuple(read),)
        if key in self._reads or hash(key) in self._beyond:
            return False
        if len(self._reads) < ROOM:
            self._reads[key] = read
        else:
            self._beyond.add(hash(key))
        return True

    def _noted_by_others(self) -> Iterable[Read]:
        if self._path is None:
            return
        with contextlib.suppress(OSError), open(self._path, "rb") as lines:
            for line in lines:
                with contextlib.suppress(msgspec.MsgspecError):  # its writer died over it
                    yield msgspec.json.decode(line, type=Read)


_notebook: Notebook | None = None


def begin(path: str | None) -> Notebook:
    """Opens the notebook of the task that this process runs from now on."""
    global _notebook
    _notebook = Notebook(path, owner=os.getpid())
    return _notebook


def join(path: str) -> Notebook:
    """The notebook of the task whose process started this one, unless one is open already."""
    global _notebook
    if _notebook is None:
        _notebook = Notebook(path, owner=0)
    return _notebook


def notebook() -> Notebook | None:
    """The notebook of the task that runs here, or that this process was forked from."""
    return _notebook


def run_of(read: Read) -> RunName:
    """The run that the artifact is of."""
    return RunName(read.origin, read.flow, read.run)


def sources_of(tasks: Iterable[Task], origin: Origin) -> set[RunName]:
    """The runs that `tasks` read from, or are clones of.

    `origin`: the repository of the tasks, and so of what they are clones of.
    """
    found = set()
    for task in tasks:
        found |= {run_of(read) for read in task.reads}
        if task.origin is not None:
            found.add(RunName(origin, task.flow, task.origin[0]))
    return found
