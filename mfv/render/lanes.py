"""`mfv log --graph`: runs, newest first, with lines from each to those that it builds on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Drawn(NamedTuple):
    """What stands before a run's line, before what follows it, and lines up to the next run."""

    before: str
    below: str
    after: tuple[str, ...] = ()


def lanes(
    order: Sequence[str], parents: Mapping[str, Sequence[str]], node: str = "*"
) -> list[Drawn]:
    """The lines that connect `order`, each name before its parents; others are left out.

    One lane for each run that is still to come, two columns wide.
    """
    listed = set(order)
    open_lanes: list[str] = []  # the run at which each lane ends
    drawn = []
    for name in order:
        mine = open_lanes.index(name) if name in open_lanes else None
        if mine is None:
            mine = len(open_lanes)
            open_lanes.append(name)
        row = ["|"] * len(open_lanes)
        row[mine] = node
        before = " ".join(row)
        wanted = [one for one in dict.fromkeys(parents.get(name, ())) if one in listed]
        listed.discard(name)
        wanted = [one for one in wanted if one in listed]
        row[mine] = "|" if wanted else " "
        after = _replace(open_lanes, mine, wanted)
        drawn.append(Drawn(before, " ".join(row), tuple(after)))
    return drawn


def _replace(open_lanes: list[str], mine: int, wanted: Sequence[str]) -> list[str]:
    """Lets the lane of a run go on to its parents; the lines that show how."""
    lines: list[str] = []
    new = [one for one in wanted if one not in open_lanes]
    joined = [one for one in wanted if one in open_lanes]
    for one in joined:
        lines.append(_bridge(len(open_lanes), mine, open_lanes.index(one)))
    if not new:
        beyond = len(open_lanes) - mine - 1
        if beyond:  # these move over
            lines.append("| " * mine + " /" * beyond)
        del open_lanes[mine]
        return lines
    open_lanes[mine] = new[0]
    for one in new[1:]:
        open_lanes.append(one)
        lines.append(_bridge(len(open_lanes), mine, len(open_lanes) - 1))
    return lines


def _bridge(count: int, here: int, there: int) -> str:
    """A line from one lane to another, across those between."""
    row = list(" ".join(["|"] * count))
    low, high = sorted((here, there))
    for place in range(2 * low + 1, 2 * high):
        row[place] = "-"
    row[2 * there] = "+"
    row[2 * here] = "+"
    return "".join(row).rstrip()


def beside(drawn: Sequence[Drawn], blocks: Sequence[Sequence[str]]) -> list[list[str]]:
    """Blocks of lines, each with its run's lanes in front."""
    wide = max((len(one.before) for one in drawn), default=0)
    found = []
    for one, block in zip(drawn, blocks, strict=True):
        lines = [f"{one.before:{wide}} {block[0]}"]
        lines += [f"{one.below:{wide}} {line}" for line in block[1:]]
        found.append([*lines, *one.after])
    return found
