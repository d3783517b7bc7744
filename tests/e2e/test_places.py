"""Where a run is recorded, and how it is started: it is the same run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from processes import Place

BODY = """
size = Parameter("size", default=1)

@step
def start(self):
    self.where = os.getcwd()
    self.next(self.end)

@step
def end(self):
    self.twice = self.size * 2
"""


@pytest.fixture
def flow(place: Place) -> Place:
    place.write(BODY)
    return place


def git(folder: Path, *words: str) -> str:
    settings = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    command = ["git", *settings, "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_first_run_makes_a_repository_in_the_current_folder_and_says_so(flow: Place) -> None:
    assert "made a repository in .mfv" in flow.run().out
    assert "made a repository" not in flow.run().out
    assert flow.statuses() == {"F/1": "ok", "F/2": "ok"}


def test_mfv_dir_says_where(flow: Place, tmp_path: Path) -> None:
    flow.store = tmp_path / "elsewhere" / "deep" / "store"
    flow.variables["MFV_DIR"] = str(flow.store)
    flow.run()
    assert flow.statuses() == {"F/1": "ok"}
    assert not (flow.folder / ".mfv").exists()


def test_a_relative_mfv_dir_holds_though_a_step_changes_its_folder(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            os.mkdir("inside")
            os.chdir("inside")
            self.large = b"x" * 1_000_000
            self.next(self.end)

        @step
        def end(self):
            self.size = len(self.large)
        """
    )
    place.store = place.folder / "store"
    place.variables["MFV_DIR"] = "store"
    place.run()
    assert place.values("end")["size"] == 1_000_000
    assert list((place.folder / "inside").iterdir()) == []


def test_a_repository_further_up_is_found(flow: Place) -> None:
    flow.run()
    below = flow.folder / "a" / "b"
    below.mkdir(parents=True)
    done = flow.python("../../flow.py", "run", cwd=below)
    assert done.code == 0, done.text
    assert flow.statuses() == {"F/1": "ok", "F/2": "ok"}
    assert flow.values("start", run=2)["where"] == str(below)


def test_a_run_from_another_folder_is_recorded_there_with_the_script_it_ran(
    flow: Place, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    done = flow.python(str(flow.folder / "flow.py"), "run", cwd=other)
    assert done.code == 0, done.text
    flow.store = other / ".mfv"
    view = flow.view()
    assert view.status == "ok"
    assert view.opening.script == "flow.py"
    assert [file.path for file in view.tree.files] == [b"flow.py"]


def test_mfv_run_and_python_give_the_same_run(flow: Place) -> None:
    flow.run("--size", "3", "--tag", "one")
    flow.mfv("run", "flow.py", "--size", "3", "--tag", "two")
    first, second = flow.view(1), flow.view(2)
    assert (first.tags, second.tags) == (("one",), ("two",))
    assert first.opening.tree == second.opening.tree
    assert first.opening.script == second.opening.script
    assert first.opening.parameters == second.opening.parameters
    assert first.opening.graph == second.opening.graph
    for step in ("start", "end"):
        mine, theirs = flow.task(step), flow.task(step, run=2)
        assert mine.artifacts == theirs.artifacts
    assert flow.values("end", run=2)["twice"] == 6


def test_mfv_run_passes_the_exit_code_of_a_failed_flow_on(place: Place) -> None:
    place.write(BODY.replace("self.twice = self.size * 2", "raise SystemExit(0)"))
    place.mfv("run", "flow.py", code=1)
    assert place.statuses() == {"F/1": "failed"}
    place.mfv("run", "missing.py", code=3)


def test_a_flow_inside_a_git_repository_is_recorded_at_its_root_with_its_state(
    tmp_path: Path,
) -> None:
    root = tmp_path / "project"
    place = Place(root / "flows", BODY)
    place.store = root / ".mfv"
    (root / "helper.py").write_text("VALUE = 1\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "helper.py", "flows/flow.py")
    git(root, "commit", "-q", "-m", "first")
    commit = git(root, "rev-parse", "HEAD")

    place.run()
    assert not (place.folder / ".mfv").exists()
    state = place.view().opening.git
    assert state is not None
    assert (state.commit, state.branch, state.dirty) == (commit, "main", False)
    assert {file.path for file in place.view().tree.files} == {b"helper.py", b"flows/flow.py"}
    assert place.view().opening.script == "flows/flow.py"

    # The repository of the first run does not make the tree dirty; an edit does.
    (root / "helper.py").write_text("VALUE = 2\n")
    place.run()
    state = place.view(2).opening.git
    assert state is not None
    assert (state.commit, state.dirty) == (commit, True)
    assert any("helper.py" in changed for changed in state.changed)
    assert place.view(1).opening.tree != place.view(2).opening.tree


def test_a_step_reads_other_runs_from_the_repository_that_records_it(tmp_path: Path) -> None:
    root = tmp_path / "project"
    place = Place(
        root / "flows",
        """
        @step
        def start(self):
            from mfv import Flow, namespace

            namespace(None)
            self.seen = [run.id for run in Flow("F")]
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    )
    git(tmp_path, "init", "-q", str(root))
    place.store = root / ".mfv"
    for _ in range(2):
        place.python(str(place.folder / "flow.py"), "run", cwd=tmp_path)
    assert place.statuses() == {"F/1": "ok", "F/2": "ok"}
    assert place.values("start", run=2)["seen"] == ["2", "1"]
