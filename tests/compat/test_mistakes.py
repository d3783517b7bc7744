"""What Metaflow refuses before anything runs mfv refuses too, and says where."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from drive import Player
from mistakes import MISTAKES

import mfv
from mfv.compat import PATH

SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(mfv.__file__)))


@pytest.mark.parametrize("name", MISTAKES)
def test_mfv_refuses_with_one_error_that_names_the_step(name: str, tmp_path: Path) -> None:
    player = Player(sys.executable, tmp_path / "place", f"{PATH}{os.pathsep}{SOURCES}")
    (player.folder / "flow.py").write_text(MISTAKES[name].source)
    for command in MISTAKES[name].commands:
        done = player.call("flow.py", command)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\nhint: ") == 1
        assert all(re.search(rf"\b{step}\b", done.stderr) for step in MISTAKES[name].names), (
            done.stderr
        )
    assert not (player.folder / ".mfv").exists()


@pytest.mark.parametrize("name", MISTAKES)
def test_metaflow_refuses_it_as_well(name: str, tmp_path: Path, metaflow_python: str) -> None:
    player = Player(metaflow_python, tmp_path / "place")
    (player.folder / "flow.py").write_text(MISTAKES[name].source)
    done = player.call("flow.py", "run")
    assert done.returncode != 0
    assert "Workflow starting" not in done.stdout + done.stderr
    assert all(step in done.stdout + done.stderr for step in MISTAKES[name].names), done.stderr
