"""REPRODUCE.md: how to run a clone again, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfv.capture.root import CLONE_FOLDER
from mfv.checkout.names import ENVIRONMENT, LOCK, PYLOCK

if TYPE_CHECKING:
    from mfv.checkout.writing import Clone


def guide(name: str, run_id: str | None, clone: Clone) -> str:
    """The text, which is Markdown."""
    place = ENVIRONMENT
    lines = [
        f"# Reproduce {name}",
        "",
        f"Code, parameters and environment of run {name} ({run_id or 'not sealed'}).",
        "",
        f"1. Python {clone.python} on {clone.system}.",
        f"2. `python -m venv {place} && {place}/bin/pip install -r {CLONE_FOLDER}/{LOCK}`",
        f"   (`mfv clone --env` does that; `{CLONE_FOLDER}/{PYLOCK}` is the same for `uv`).",
        "3. Run it, with the Python of that environment:",
        "",
        *(f"       {line}" for line in clone.commands[1:]),
        "",
        f"4. Compare: `mfv diff {name} @`. Or all at once: `mfv verify --env {name}`.",
    ]
    if clone.secrets:
        lines += ["", "Kept out of the record, and to be given anew:", ""]
        lines += [f"- {secret}" for secret in clone.secrets]
    if clone.renamed:
        lines += ["", "Written under another name:", ""]
        lines += [f"- {renamed}" for renamed in clone.renamed]
    if clone.missing or clone.links_left_out:
        lines += ["", "Not part of the snapshot; put it in place by hand:", ""]
        lines += [f"- {name}" for name in (*clone.missing, *clone.links_left_out)]
    if not clone.has_script:
        lines += ["", "The flow's own file is not part of the snapshot: put it in place first."]
    return "\n".join(map(_plain, lines)) + "\n"


def _plain(line: str) -> str:
    """What was one line stays one, and says nothing to a terminal."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in line)
