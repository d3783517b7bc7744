"""Where bytes are."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """An artifact, or a file of code, that holds the bytes."""

    run: str
    step: str = ""  # empty: a file of the code
    task: int = 0
    name: str = ""  # of the artifact, or the path of the file
    part: str = ""  # which bytes of it: empty for all, else `array`, `frame 2`
    artifact: str = ""  # its id in hex
    size: int = 0  # bytes

    @property
    def pathspec(self) -> str:
        if not self.step:
            return f"{self.run}:{self.name}"
        return f"{self.run}/{self.step}/{self.task}/{self.name}"


class Traced(NamedTuple):
    """What was asked about, and where its bytes are: the first that was made comes first."""

    asked: str
    looked_for: tuple[str, ...]  # what was looked for, in words
    places: tuple[Place, ...]
