"""How much room things take."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """The bytes behind one name: a flow, a run, an artifact."""

    name: str
    logical: int  # bytes as they were saved, each time anew
    stored: int  # bytes on disk of all that it leads to, shared or not
    unique: int  # of these, what no other name leads to: would be freed with it
    times: int = 1  # runs, or versions of an artifact
