"""Metaflow's own tutorials, as they lie in its package."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

NAMES = ("00-helloworld", "01-playlist", "02-statistics", "03-playlist-redux", "04-playlist-plus")


def copy_to(folder: Path, python: str) -> None:
    """Copies the tutorials out of the package of that Python's Metaflow, nothing changed."""
    asked = [python, "-c", "import metaflow; print(metaflow.__path__[0])"]
    place = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    for name in NAMES:
        shutil.copytree(Path(place, "tutorials", name), folder / name)


def cells(notebook: Path) -> str:
    """The code of a notebook as one script; plots go nowhere."""
    found = json.loads(notebook.read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    return "\n\n".join(["import os", "os.environ['MPLBACKEND'] = 'Agg'", *code])
