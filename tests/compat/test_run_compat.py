"""`mfv run --compat`: flows that say `from metaflow import …`, untouched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import mfv_command, python
from drive import HERE

FLOW = """
import subprocess
import sys

from metaflow import FlowSpec, Parameter, step
from metaflow.exception import MetaflowException


class Theirs(FlowSpec):
    alpha = Parameter("alpha", default=1)

    @step
    def start(self):
        child = "from metaflow import Run; print(Run('Theirs/1').pathspec)"
        done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
        self.child = done.stdout + done.stderr
        self.error = MetaflowException("kept")
        self.next(self.end)

    @step
    def end(self):
        print("child:", self.child, "error:", self.error.message)


if __name__ == "__main__":
    Theirs()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "theirs.py").write_text(FLOW)
    return tmp_path


def test_a_flow_of_metaflows_runs_untouched_and_so_does_what_it_starts(project: Path) -> None:
    ended = mfv_command(project, "run", "--compat", "theirs.py", "--alpha", "2", "--tag", "trial")
    assert ended.status == 0, ended
    assert "child: Theirs/1" in ended.out + ended.err
    assert "error: kept" in ended.out + ended.err
    shown = mfv_command(project, "show", "Theirs/1", "--json").json
    assert shown["parameters"] == {"alpha": 2}
    assert shown["tags"] == ["trial"]


def test_a_flow_with_the_import_in_its_first_line_runs_as_a_script(project: Path) -> None:
    text = "import mfv.compat.metaflow\n" + FLOW
    (project / "theirs.py").write_text(text)
    ended = python(project, "theirs.py", "run")
    assert ended.status == 0, ended
    assert "child: Theirs/1" in ended.out + ended.err


def test_without_the_option_the_error_says_of_it(project: Path) -> None:
    ended = mfv_command(project, "run", "theirs.py")
    assert ended.status == 1
    assert "theirs.py:5: this flow imports metaflow, which is not installed here" in ended.err
    assert "hint: `mfv run --compat theirs.py`" in ended.err


def test_a_wrong_import_names_the_line(project: Path) -> None:
    (project / "theirs.py").write_text("from metaflow import FlowSpec, Steps\n")
    ended = mfv_command(project, "run", "--compat", "theirs.py")
    assert ended.status == 1
    assert "theirs.py:1: metaflow.Steps is nothing that mfv offers" in ended.err
    assert "hint: did you mean 'Step'" in ended.err


def test_what_the_flow_takes_may_look_like_the_option(project: Path) -> None:
    ended = mfv_command(project, "run", "--compat", "theirs.py", "--compat")
    assert ended.status == 2
    assert "--compat" in ended.err


def test_a_mistake_in_the_options_is_told_as_of_any_flow(tmp_path: Path) -> None:
    shutil.copy(HERE / "flows" / "linear.py", tmp_path / "flow.py")
    ended = mfv_command(tmp_path, "run", "--compat", "flow.py", "--count", "many")
    assert ended.status == 2
    assert "count" in ended.err
