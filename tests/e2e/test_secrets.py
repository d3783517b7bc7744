"""A parameter whose name says that it is a secret works in the run and is nowhere in its record."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Place

SECRET = "hunter2-and-more"
BODY = """
pw = Parameter("password")
api_token = Parameter("t")
lr = Parameter("lr", default=0.1)

@step
def start(self):
    print("lengths", len(self.pw), len(self.api_token))
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize(
    "words",
    [["--password", SECRET, "--t", SECRET], [f"--password={SECRET}", f"--t={SECRET}"]],
)
def test_a_secret_is_usable_and_never_recorded(tmp_path: Path, words: list[str]) -> None:
    place = Place(tmp_path / "project", BODY)
    done = place.run(*words)
    assert f"lengths {len(SECRET)} {len(SECRET)}" in done.out
    told = "".join(
        place.mfv(*command).text
        for command in (
            ["log", "--json"],
            ["show", "--json"],
            ["show"],
            ["log"],
            ["clone", "1", str(tmp_path / "again")],
        )
    )
    written = "".join(
        path.read_text(errors="replace")
        for path in (tmp_path / "again").rglob("*")
        if path.is_file() and path.suffix != ".py"
    )
    assert SECRET not in told + written
    assert "--password=..." in told
    assert "--t=..." in told
    assert "--lr 0.1" in told


def test_a_wrong_declaration_is_one_error_with_its_line(tmp_path: Path) -> None:
    place = Place(tmp_path / "project", BODY.replace('"lr"', '"max-workers"'))
    done = place.python("flow.py", "run", "--password", "x", "--t", "y")
    assert done.code == 1
    assert "Traceback" not in done.text
    assert "flow.py:" in done.text
    assert "max-workers" in done.text
