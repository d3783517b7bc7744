"""Every flow of the table, run by mfv, beside what Metaflow made of it.

What Metaflow does is recorded in expected/ (record.py), and found again where it is installed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from differences import differing
from drive import HERE, Player, play
from scenarios import TABLE

import mfv
from mfv.compat import PATH

SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(mfv.__file__)))


def expected(name: str) -> object:
    return json.loads((HERE / "expected" / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", TABLE)
def test_mfv_does_as_metaflow_does(name: str, tmp_path: Path) -> None:
    ours = Player(sys.executable, tmp_path / "place", f"{PATH}{os.pathsep}{SOURCES}")
    found = differing(name, expected(name), play(TABLE[name], ours))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", TABLE)
def test_metaflow_does_as_was_recorded(name: str, tmp_path: Path, metaflow_python: str) -> None:
    # On a busy machine Metaflow sometimes loses the end of what a task printed: then once more.
    for attempt in range(3):
        theirs = Player(metaflow_python, tmp_path / f"place{attempt}")
        seen = json.loads(json.dumps(play(TABLE[name], theirs)))
        if seen == expected(name):
            return
    assert seen == expected(name)
