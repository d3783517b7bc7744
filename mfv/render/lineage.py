"""`mfv log --lineage`: the runs behind a run, and those that came of it, as a tree and as JSON."""

from __future__ import annotations

import time
from typing import Any

from mfv.lineage.runs import UNKNOWN, Known, Lineage, Link, Named
from mfv.render.runs import status_text
from mfv.render.terminal import Paint
from mfv.render.text import columns, cut, escape
from mfv.render.units import age, count


def lineage_text(lineage: Lineage, *, width: int, paint: Paint) -> str:
    """A tree: under each run what it took from others, or who took from it; each run once."""
    known = {one.run: one for one in lineage.runs}
    told: set[Named] = set()
    lines: list[str] = []
    first = lineage.runs[0]
    # What stands before a line, before what hangs below it, the relation, the run.
    stack: list[tuple[str, str, Link | None, Known]] = [("", "", None, first)]
    while stack:
        before, below, link, run = stack.pop()
        is_again = run.run in told
        told.add(run.run)
        before = before[-(width // 2) :]  # a long way down
        relation = "" if link is None else f"{lineage.words(link)} "
        text = cut(f"{relation}{_name(run)}", width - len(before))
        room = width - len(before) - columns(text)
        line = f"{paint(before, 'dim')}{text}"
        if run.status is not None and room > 30:
            when = age(time.time() - run.started / 1e6)
            line += f"  {status_text(run.status, paint)} {when}"
            room -= len(run.status) + len(when) + 3
        more = _taken(link) + ("  (see above)" if is_again and run.links else "")
        lines.append(line + (cut(more, room) if room > 4 else ""))
        if not is_again:
            last = len(run.links) - 1
            stack += [
                (
                    below + ("`- " if place == last else "|- "),
                    below + ("   " if place == last else "|  "),
                    one,
                    known[one.run],
                )
                for place, one in reversed(list(enumerate(run.links)))
            ]
    if not first.links:
        what = "It took nothing from another run." if lineage.back else "No run took from it."
        lines.append(paint(f"   {what}", "dim"))
    return "\n".join(lines)


def known_json(lineage: Lineage, run: Known) -> dict[str, Any]:
    """One run of a lineage for `--json`."""
    return {
        "run": run.run.name,
        "repository": run.run.repository or None,
        "status": run.status,
        "started": run.started or None,
        "links": [
            {
                "relation": lineage.words(link),
                "run": link.run.name,
                "repository": link.run.repository or None,
                "tasks": link.tasks,
                "artifacts": list(link.artifacts),
            }
            for link in run.links
        ],
    }


def _name(run: Known) -> str:
    text, where = escape(run.run.name), run.run.repository
    if run.status is not None:
        return text
    if where in ("", UNKNOWN):
        return f"{text}, which is not in this repository"
    return f"{text} of repository {where[:8]}"


def _taken(link: Link | None) -> str:
    """What was taken, as it stands behind the run."""
    if link is None:
        return ""
    parts = []
    if link.tasks:
        parts.append(f"{count(link.tasks, 'task')} reused")
    if link.artifacts:
        parts.append(escape(", ".join(link.artifacts)))
    return f"  {'  '.join(parts)}" if parts else ""
