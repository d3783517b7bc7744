"""`mfv whence`: where bytes are, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mfv.found.places import Place, Traced
from mfv.render.terminal import Paint
from mfv.render.text import cut, escape
from mfv.render.units import size

_OTHERS = 20  # that are named; of more the number is told


def places_text(traced: Traced, run: Sequence[str], *, width: int, paint: Paint) -> list[str]:
    """The place where the bytes came first, `run` in lines, and the others."""
    first, *others = traced.places
    lines = [f"{paint(escape(traced.asked), 'bold')}", f"made by  {_place(first)}", *run]
    if others:
        lines += ["", paint("also in", "bold")]
        lines += [f"  {_place(one)}" for one in others[:_OTHERS]]
        if len(others) > _OTHERS:
            lines.append(f"  and {len(others) - _OTHERS} more (--json has all)")
    return [cut(line, width) if "\x1b" not in line else line for line in lines]


def traced_json(traced: Traced) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "asked": traced.asked.encode("utf-8", "backslashreplace").decode(),
        "looked_for": list(traced.looked_for),
        "places": [
            {
                "run": one.run,
                "step": one.step or None,
                "task": one.task if one.step else None,
                "name": one.name.encode("utf-8", "backslashreplace").decode(),
                "kind": "artifact" if one.step else "code",
                "part": one.part or None,
                "id": one.artifact or None,
                "size": one.size,
            }
            for one in traced.places
        ],
    }


def _place(one: Place) -> str:
    what = f"  ({escape(one.part)})" if one.part else ""
    return f"{escape(one.pathspec)}  {size(one.size)}{what}"
