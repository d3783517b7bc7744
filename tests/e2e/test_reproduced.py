"""The examples, brought back and proved."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from processes import Place
from screens import Screen

EXAMPLES = Path(__file__).parents[2] / "examples"
SEEDED = "random_state=seed)"


@pytest.fixture
def digits(place: Place) -> Place:
    shutil.copy(EXAMPLES / "digits" / "flow.py", place.folder)
    return place


def test_the_digits_are_reproduced_to_the_byte(digits: Place) -> None:
    digits.run()
    found = json.loads(digits.mfv("verify", "1", "--json").out)
    assert found["verdict"] == "same"
    assert sum(step["same"] for step in found["steps"]) > 50


def test_an_unseeded_model_is_named_by_its_step(digits: Place) -> None:
    script = digits.folder / "flow.py"
    text = script.read_text()
    assert text.count(SEEDED) == 1
    script.write_text(text.replace(SEEDED, "random_state=None)"))
    digits.run()
    done = digits.mfv("verify", "1", code=1)
    assert done.out.startswith("DigitsFlow/1 is not reproduced: step train is not deterministic")
    found = json.loads(digits.mfv("verify", "1", "--json", code=1).out)
    told = {
        task["task"]: {one["name"] for one in task["artifacts"]}
        for step in found["steps"]
        for task in step["tasks"]
        if task["verdict"] == "different"
    }
    assert told["train[2]"] >= {"model"}
    assert not {"start", "train[0]", "train[1]"} & told.keys()


def test_the_digits_in_an_environment_made_anew(digits: Place, long: bool) -> None:
    """With the very packages of this environment, which an index has to have."""
    if not long:
        pytest.skip("takes two minutes, and an index of packages")
    digits.run()
    process = digits.start("-m", "mfv", "clone", "1", "out", "--env", "--run", "--json")
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    assert json.loads(out)["verified"]["verdict"] == "same"
    cloned = digits.folder / "out"
    assert (cloned / ".venv" / "bin" / "python").exists()
    found = json.loads(digits.mfv("diff", "1", "2", "--json").out)
    # mfv itself may be installed from its source here; nothing else may differ.
    assert {one["name"] for one in found["sources"]} <= {"mfv-store"}
    made = ("parameters", "constants", "artifacts", "metrics", "code", "environment", "packages")
    assert not any(found[section] for section in made)


SECRET = """
api_token = Parameter("api-token", required=True)

@step
def start(self):
    self.length = len(self.api_token)
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_secret_is_asked_for_on_a_terminal_and_never_shown(place: Place) -> None:
    place.write(SECRET)
    place.run("--api-token", "hunter2")
    screen = Screen(place, "-m", "mfv", "verify", "1")
    screen.until(lambda lines: any(line.startswith("api-token:") for line in lines))
    screen.type(b"another\n")
    assert screen.finish() == 0
    assert any("F/1 is reproduced" in line for line in screen.everything)
    assert b"another" not in screen.written
    left = [name for name in os.listdir(place.store / "tmp") if name.startswith("verify-")]
    assert left == []
