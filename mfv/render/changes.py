"""`mfv blame` and `mfv bisect`: since when, and which run it was."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mfv.found.changes import Culprit, Since
from mfv.render.terminal import Paint
from mfv.render.text import columns, cut, escape, pad, table
from mfv.render.units import age


def values_text(found: Sequence[Since], *, width: int, paint: Paint) -> str:
    """A line each: the name, what it is, since which run, and what it was."""
    if not found:
        return "no parameters"
    rows = []
    for one in found:
        was = "new then" if one.before is None else f"was {escape(one.before)}"
        when = age(time.time() - one.started / 1e6)
        rows.append((escape(one.name), cut(escape(one.value), 40), escape(one.run), when, was))
    return "\n".join(table(rows, width=width, shrink=4))


def lines_text(found: Sequence[Since], *, width: int, paint: Paint) -> str:
    """The file, with the run of each line in front."""
    runs = [escape(one.run) for one in found]
    wide = max(map(columns, runs), default=0)
    digits = len(str(len(found)))
    lines = []
    for one, run in zip(found, runs, strict=True):
        text = cut(escape(one.value, keep="\t"), max(20, width - wide - digits - 3))
        lines.append(f"{paint(pad(run, wide), 'cyan')} {one.name:>{digits}}  {text}")
    return "\n".join(lines)


def since_json(one: Since) -> dict[str, Any]:
    """One of them for `--json`."""
    return {
        "name": one.name,
        "run": one.run,
        "started": one.started,
        "value": one.value,
        "before": one.before,
    }


def culprit_json(found: Culprit) -> dict[str, Any]:
    """The end of a bisection for `--json`."""
    return {
        "bad": found.bad,
        "good": found.good,
        "among": list(found.among),
        "tested": [{"run": one.run, "is": one.verdict} for one in found.tested],
    }
