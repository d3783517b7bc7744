"""Commands whose n-th system call fails, is cut short, or is the last: with a preloaded shim.

`faults/shim.c` counts the file calls of all processes of a command below one folder. A Fault says
what happens at which of them.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import pytest
from processes import Done, Place, kill_session

_SOURCE = Path(__file__).parent / "faults" / "shim.c"
_HEAD = struct.Struct("<9Q64s4160s")  # struct state of the shim
_ROOM = 1 << 23  # bytes of a trace
_PATIENCE = 120.0  # seconds; only a test that fails waits so long

Act = Literal["count", "before", "after", "error", "short"]
Calls = Literal["writes", "opens", "reads", "data"]


class Fault(NamedTuple):
    """What happens at which call."""

    act: Act = "count"
    at: int = -1  # from 0 on
    errno: int = 0
    for_good: bool = False  # every later call fails as well
    calls: Calls = "writes"  # that count

    def __str__(self) -> str:
        how = os.strerror(self.errno) if self.act == "error" else self.act
        return f"{how}{' for good' * self.for_good} at {self.calls} {self.at}"


UNDISTURBED = Fault()


class Call(NamedTuple):
    """A line of a trace. Moments are those of one clock for all processes."""

    begun: int
    ended: int
    process: int
    name: str
    result: int
    file: str  # device and inode, or those of the folder
    path: str
    second: str  # the new name of a link or rename

    @property
    def worked(self) -> bool:
        return self.result >= 0


class Hit(NamedTuple):
    """A command that is over, and what befell it."""

    done: Done
    calls: dict[str, int]  # by their kind
    fired: int  # how often the fault came
    call: str  # where it came first
    path: str
    trace: list[Call]


class Shim:
    """The built library, and the files that it shares with a command."""

    def __init__(self, folder: Path) -> None:
        """Builds it in `folder`; skips the test where there is no compiler, or no preloading."""
        self.folder = folder
        self._library = folder / "shim.so"
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            pytest.skip("there is no C compiler to build the shim with")
        if os.uname().sysname != "Linux":
            pytest.skip("the shim knows the calls of Linux")
        words = [compiler, "-std=gnu11", "-O1", "-shared", "-fPIC", "-o", str(self._library)]
        built = subprocess.run([*words, str(_SOURCE), "-ldl"], capture_output=True, text=True)
        if built.returncode:
            pytest.skip(f"the shim cannot be built here: {built.stderr[-300:]}")

    def run(
        self,
        place: Place,
        words: tuple[str, ...],
        fault: Fault = UNDISTURBED,
        *,
        below: Path | None = None,
        but: Path | None = None,
        trace: bool = False,
    ) -> Hit:
        """Runs `python WORDS` in `place` under `fault`, which counts calls on files `below`.

        Without `below` that is the repository. Calls below `but` do not count.
        """
        state = self.folder / "state"
        room = _ROOM if trace else 0
        with state.open("wb") as file:
            file.truncate(_HEAD.size + room)
        output = self.folder / "output"
        variables = {
            "LD_PRELOAD": str(self._library),
            "FAULT_STATE": str(state),
            "FAULT_BYTES": str(_HEAD.size + room),
            "FAULT_FOLDER": os.path.realpath(below or place.store),
            "FAULT_EXCEPT": "" if but is None else os.path.realpath(but),
            "FAULT_OUTPUT": os.path.realpath(output),
            "FAULT_ACT": fault.act,
            "FAULT_AT": str(fault.at),
            "FAULT_ERRNO": str(fault.errno),
            "FAULT_CALLS": fault.calls,
            **({"FAULT_GOOD": "1"} if fault.for_good else {}),
            **({"FAULT_TRACE": "1"} if trace else {}),
        }
        before = place.variables
        place.variables = {**before, **variables}
        try:
            done = self._finish(place, words, output)
        finally:
            place.variables = before
        data = state.read_bytes()
        *counts, fired, _, _, traced, _, call, path = _HEAD.unpack_from(data)
        assert traced <= room or not trace, "the trace is too long for its file"
        lines = data[_HEAD.size : _HEAD.size + (traced if trace else 0)].decode().splitlines()
        return Hit(
            done,
            dict(zip(get_args(Calls), counts, strict=True)),
            fired,
            _text(call),
            _text(path),
            sorted(_call(line) for line in lines if "\0" not in line),
        )

    @staticmethod
    def _finish(place: Place, words: tuple[str, ...], output: Path) -> Done:
        with output.open("wb") as file:
            process = place.start(*words, stdout=file, stderr=subprocess.PIPE)
            try:
                _, err = process.communicate(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                kill_session(process)
                raise
        kill_session(process)
        return Done(process.returncode, output.read_text(errors="replace"), err)


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="replace")


def _call(line: str) -> Call:
    begun, ended, process, name, result, file, path, second = line.split("\t")
    return Call(int(begun), int(ended), int(process), name, int(result), file, path, second)
