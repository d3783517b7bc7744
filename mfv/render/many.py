"""Many runs beside each other, as a table of only what differs."""

from __future__ import annotations

from typing import Any

from mfv.diff.many import ManyDiff
from mfv.render.terminal import Paint
from mfv.render.text import columns, cut, escape, pad
from mfv.render.units import count

_WIDEST = 24  # columns of one value


def many_text(diff: ManyDiff, *, width: int, paint: Paint) -> str:
    """A line a fact and a column a run; as many blocks of columns as the width asks for."""
    if not diff:
        return f"{count(len(diff.runs), 'run')}, and nothing differs"
    names = [cut(escape(_name(row.section, row.name)), 32) for row in diff.rows]
    first = max(map(columns, names))
    heads = [escape(run) for run in diff.runs]
    cells = [[_cell(value) for value in row.values] for row in diff.rows]
    widths = [
        max(columns(head), *(columns(row[place]) for row in cells))
        for place, head in enumerate(heads)
    ]
    blocks = []
    start = 0
    while start < len(heads):
        end, room = start, width - first
        while end < len(heads) and (end == start or room >= widths[end] + 2):
            room -= widths[end] + 2
            end += 1
        some = range(start, end)
        head = pad("", first) + "".join(f"  {pad(heads[place], widths[place])}" for place in some)
        lines = [paint(cut(head.rstrip(), max(width, 40)), "bold")]
        for name, row in zip(names, cells, strict=True):
            values = "".join(f"  {pad(row[place], widths[place])}" for place in some)
            lines.append(cut((pad(name, first) + values).rstrip(), max(width, 40)))
        blocks.append("\n".join(lines))
        start = end
    return "\n\n".join([*blocks, f"the same in all: {diff.same}"])


def many_json(diff: ManyDiff) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "runs": list(diff.runs),
        "same": diff.same,
        "different": [
            {"section": row.section, "name": row.name, "values": list(row.values)}
            for row in diff.rows
        ],
    }


def _name(section: str, name: str) -> str:
    return name if section == name else f"{section}.{name}"


def _cell(value: str | None) -> str:
    return "-" if value is None else cut(escape(value), _WIDEST)
