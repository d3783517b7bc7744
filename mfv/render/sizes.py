"""`mfv du`: sizes as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mfv.found.sizes import Size
from mfv.render.terminal import Paint
from mfv.render.text import escape, table
from mfv.render.units import size


def sizes_text(
    found: Sequence[Size], more: int, disk: Mapping[str, int], *, width: int, paint: Paint
) -> str:
    """A head, a line each, and the repository as a whole."""
    rows = [("logical", "stored", "unique", "")]
    rows += [(size(one.logical), size(one.stored), size(one.unique), _name(one)) for one in found]
    lines = table(rows, width=width, right=frozenset({0, 1, 2}), shrink=3)
    lines[0] = paint(lines[0], "bold")
    if more:
        lines.append(f"and {more} smaller (`-n 0` lists all)")
    total = ", ".join(f"{name} {size(taken)}" for name, taken in disk.items())
    return "\n".join([*lines, f"on disk: {total}"])


def share_text(one: Size) -> str:
    """One run in a line: what it saved, what that takes, and what others hold as well."""
    shared = one.stored - one.unique
    return (
        f"{escape(one.name)} saved {size(one.logical)}, which take {size(one.stored)} on the disk: "
        f"{size(one.unique)} its own, {size(shared)} shared with other runs"
    )


def sizes_json(found: Sequence[Size], disk: Mapping[str, int]) -> dict[str, Any]:
    """The same for `--json`, in bytes."""
    return {
        "sizes": [
            {
                "name": one.name,
                "logical": one.logical,
                "stored": one.stored,
                "unique": one.unique,
                "count": one.times,
            }
            for one in found
        ],
        "disk": dict(disk),
    }


def _name(one: Size) -> str:
    return escape(one.name) + (f"  ({one.times})" if one.times > 1 else "")
