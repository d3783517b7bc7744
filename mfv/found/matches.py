"""Lines in which a pattern was found."""

from __future__ import annotations

from typing import NamedTuple


class Match(NamedTuple):
    """One line that matches."""

    line: int  # from 1
    text: str


class Matched(NamedTuple):
    """One thing with lines that match: a file, a parameter, a log, an artifact."""

    section: str  # code, params, logs, artifacts
    run: str  # the newest run that has it
    place: str  # a path; a parameter's name; `train/3/stdout`; `train/3/note`
    runs: int  # how many of the runs that were looked at have the same
    matches: tuple[Match, ...]
