"""Every flow of the table, run by mfv, beside what Metaflow made of it.

What Metaflow does is recorded in expected/ (record.py), and found again where it is installed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from differences import differing
from drive import HERE, Player, play
from scenarios import TABLE, Scenario

import mfv
from mfv.cli.flow import COMMANDS
from mfv.compat import PATH

SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(mfv.__file__)))


def lacking(scenario: Scenario) -> list[str]:
    """What the scenario needs and this mfv does not have."""
    text = "".join(
        (HERE / "flows" / f"{name}.py").read_text("utf-8")
        for name in (scenario.flow, *scenario.more)
    )
    imports = re.findall(r"^from metaflow import (?:\(([^)]*)\)|(.*))$", text, re.MULTILINE)
    names = {name for pair in imports for name in re.findall(r"\w+", "".join(pair))}
    words = {word for line in scenario.lines for word in line.split()}
    names |= {"retry"} & {word.partition(":")[0] for word in words}  # --with retry:times=1
    return sorted((names - {*mfv.__all__}) | ({"resume"} & words - {*COMMANDS}))


def expected(name: str) -> object:
    return json.loads((HERE / "expected" / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", TABLE)
def test_mfv_does_as_metaflow_does(name: str, tmp_path: Path) -> None:
    if lacking(TABLE[name]):
        pytest.skip(f"mfv has no {', '.join(lacking(TABLE[name]))}")
    ours = Player(sys.executable, tmp_path / "place", f"{PATH}{os.pathsep}{SOURCES}")
    found = differing(name, expected(name), play(TABLE[name], ours))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", TABLE)
def test_metaflow_does_as_was_recorded(name: str, tmp_path: Path, metaflow_python: str) -> None:
    theirs = Player(metaflow_python, tmp_path / "place")
    seen = json.loads(json.dumps(play(TABLE[name], theirs)))
    assert seen == expected(name)
