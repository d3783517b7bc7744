"""`mfv grep`: lines that match, as git prints them, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mfv.found.matches import Matched
from mfv.render.terminal import Paint
from mfv.render.text import cut, escape

_LONGEST = 1000  # characters of one line


def matches_text(found: Iterable[Matched], paint: Paint) -> list[str]:
    """`RUN:place:line: text`, and `(+N runs)` behind what others have as well."""
    lines = []
    for one in found:
        where = f"{paint(escape(one.run), 'cyan')}:{escape(_place(one))}"
        more = paint(f"  (+{one.runs - 1} runs)", "dim") if one.runs > 1 else ""
        for match in one.matches:
            text = cut(escape(match.text, keep="\t"), _LONGEST)
            lines.append(f"{where}:{match.line}: {text}{more}")
    return lines


def counts_text(found: Iterable[Matched]) -> list[str]:
    """`RUN:place:count`."""
    return [f"{escape(one.run)}:{escape(_place(one))}:{len(one.matches)}" for one in found]


def match_json(one: Matched) -> dict[str, Any]:
    """One thing that matches for `--json`."""
    return {
        "run": one.run,
        "section": one.section,
        "place": one.place.encode("utf-8", "backslashreplace").decode(),
        "runs": one.runs,
        "lines": [
            {"line": match.line, "text": match.text.encode("utf-8", "backslashreplace").decode()}
            for match in one.matches
        ],
    }


def runs_of(found: Sequence[Matched]) -> list[str]:
    """The runs with a match, each once."""
    return list(dict.fromkeys(one.run for one in found))


def _place(one: Matched) -> str:
    return f"params.{one.place}" if one.section == "params" else one.place
