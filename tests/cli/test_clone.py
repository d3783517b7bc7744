"""A clone really runs again: the commands that it prints give the same artifacts."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, environment, mfv_command, python, start

SLOW = """import time

from mfv import FlowSpec, step


class SlowFlow(FlowSpec):
    @step
    def start(self):
        self.kept = 1
        self.next(self.wait)

    @step
    def wait(self):
        print("waiting", flush=True)
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SlowFlow()
"""

SECRET = """from mfv import FlowSpec, Parameter, step


class SecretFlow(FlowSpec):
    api_token = Parameter("api_token", required=True)
    lr = Parameter("lr", default=0.5)

    @step
    def start(self):
        self.length = len(self.api_token)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SecretFlow()
"""


def run_again(folder: Path, commands: list[str], **more: str) -> Ended:
    """The lines that `mfv clone` printed, typed into a shell with this Python as `python`."""
    lines = [line.replace("python ", f"{shlex.quote(sys.executable)} ", 1) for line in commands]
    done = subprocess.run(
        ["sh", "-ec", "\n".join(lines)],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def artifact_ids(folder: Path, run: str) -> dict[str, str]:
    """Every artifact of a run by step, task and name."""
    steps: Any = mfv_command(folder, "show", run, "--json").json["steps"]
    found = {}
    for step in steps:
        for task in mfv_command(folder, "show", f"{run}/{step}", "--json").json:
            place = task["task"].split("/", 2)[2]
            found |= {f"{place}/{one['name']}": one["id"] for one in task["artifacts"]}
    return found


@pytest.mark.parametrize("run", ["TrainFlow/1", "TrainFlow/2"])
def test_the_printed_commands_make_the_same_artifacts(copy: Path, run: str) -> None:
    facts = mfv_command(copy, "clone", run, "out", "--json").json
    again = run_again(copy, facts["commands"])
    assert again.status == 0, again
    ids = artifact_ids(copy, run)
    assert len(ids) > 8
    assert artifact_ids(copy, "TrainFlow/3") == ids


def test_what_runs_in_a_clone_is_recorded_beside_the_run_it_came_from(copy: Path) -> None:
    facts = mfv_command(copy, "clone", "TrainFlow/1", "out", "--json").json
    assert run_again(copy, facts["commands"]).status == 0
    assert not (copy / "out" / ".mfv").exists()
    made = mfv_command(copy, "show", "@", "--json").json
    assert (made["run"], made["cloned_from"]) == ("TrainFlow/3", "TrainFlow/1")
    assert made["code"] == mfv_command(copy, "show", "TrainFlow/1", "--json").json["code"]
    diff = mfv_command(copy, "diff", "TrainFlow/1", "TrainFlow/3", "--json").json
    assert diff["same"] is True
    assert "cloned from   TrainFlow/1" in mfv_command(copy, "show", "@").out


def test_a_clone_far_from_the_repository_makes_one_of_its_own(copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "far" / "away"
    facts = mfv_command(copy, "clone", "TrainFlow/1", os.fspath(target), "--json").json
    assert run_again(copy, facts["commands"]).status == 0
    assert mfv_command(target, "log", "--json").json["run"] == "TrainFlow/1"
    assert artifact_ids(target, "TrainFlow/1") == artifact_ids(copy, "TrainFlow/1")


def test_a_failed_run_comes_back_and_fails_again(copy: Path) -> None:
    facts = mfv_command(copy, "clone", "BreakFlow/1", "out", "--json").json
    again = run_again(copy, facts["commands"])
    assert again.status == 1
    made = mfv_command(copy, "show", "BreakFlow/2", "--json").json
    assert made["failure"]["message"] == "there is no data"


def test_a_crashed_run_comes_back(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    process = start(tmp_path, "slow.py", "run", start_new_session=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.rstrip().endswith(b"waiting"):
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    listed = mfv_command(tmp_path, "log", "--json").json
    assert (listed["status"], listed["id"]) == ("crashed", None)
    done = mfv_command(tmp_path, "clone", "SlowFlow/1", "out")
    assert done.status == 0
    assert (tmp_path / "out" / "slow.py").read_text() == SLOW
    assert "python slow.py run" in done.out


def test_secret_parameters_are_named_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text(SECRET)
    assert python(tmp_path, "secret.py", "run", "--api_token", "hunter2hunter2").status == 0
    done = mfv_command(tmp_path, "clone", "1", "out")
    assert "give the secret parameters anew: api_token" in done.out
    assert "python secret.py run --lr 0.5 --api_token=..." in done.out
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written
    assert all(b"hunter2" not in path.read_bytes() for path in written)
    for words in (["log"], ["show"], ["show", "--json"], ["show", "@/start/1"], ["log", "--json"]):
        assert "hunter2" not in mfv_command(tmp_path, *words).out


def test_files_left_out_of_the_snapshot_are_said(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW.replace("time.sleep(600)", "pass"))
    (tmp_path / ".env").write_text("PASSWORD=hunter2\n")
    assert python(tmp_path, "slow.py", "run").status == 0
    done = mfv_command(tmp_path, "clone", "1", "out")
    assert "not in the snapshot, put it in place by hand:\n  .env (" in done.out
    assert not (tmp_path / "out" / ".env").exists()


MODULES = """from mfv import FlowSpec, step

import tools


class ModulesFlow(FlowSpec):
    @step
    def start(self):
        import inner
        import single

        self.sum = tools.number() + inner.NUMBER + single.NUMBER
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ModulesFlow()
"""


def test_modules_from_outside_the_folder_and_from_within_are_found_again(tmp_path: Path) -> None:
    project, lib = tmp_path / "project", tmp_path / "lib"
    for path, text in (
        (project / "flows" / "flow.py", MODULES),
        (project / "src" / "inner.py", "NUMBER = 20\n"),
        (lib / "tools" / "__init__.py", "from tools.deep.code import number\n"),
        (lib / "tools" / "deep" / "code.py", "def number():\n    return 300\n"),
        (lib / "single.py", "NUMBER = 1\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", os.fspath(project)], check=True)
    places = os.pathsep.join(map(os.fspath, (project / "src", lib)))
    done = python(project, "flows/flow.py", "run", env={"PYTHONPATH": places})
    assert done.status == 0, done
    facts = mfv_command(project, "clone", "ModulesFlow/1", "out", "--json").json
    assert facts["commands"][1].startswith("PYTHONPATH=src:.mfv-modules python ")
    assert mfv_command(project, "verify", "ModulesFlow/1").status == 0
    # What is edited afterwards, or gone, is of no account to the clone.
    (project / "src" / "inner.py").write_text("NUMBER = 'changed'\n")
    (lib / "single.py").unlink()
    again = run_again(project, facts["commands"])
    assert again.status == 0, again
    ids = artifact_ids(project, "ModulesFlow/1")
    assert artifact_ids(project, "ModulesFlow/2") == ids
    assert mfv_command(project, "cat", "ModulesFlow/2/start/sum").out == "321\n"
    first, second = (
        mfv_command(project, "show", f"ModulesFlow/{n}", "--json").json for n in (1, 2)
    )
    assert first["code"] == second["code"]


def test_a_clone_with_run_reproduces_and_reports(copy: Path) -> None:
    done = mfv_command(copy, "clone", "TrainFlow/1", "out", "--run")
    assert done.status == 0, done
    assert "run TrainFlow/3 started" in done.out
    assert "TrainFlow/1 is reproduced: " in done.out
    assert mfv_command(copy, "show", "@", "--json").json["cloned_from"] == "TrainFlow/1"
    facts = mfv_command(copy, "clone", "BreakFlow/1", "broken", "--run", "--json")
    assert facts.status == 0, facts
    found = facts.json["verified"]
    assert (found["verdict"], found["again"]) == ("same", "BreakFlow/2")


def test_a_clone_that_gives_something_else_says_so(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(SLOW.replace("time.sleep(600)", "self.kept = time.time()"))
    assert python(tmp_path, "flow.py", "run").status == 0
    done = mfv_command(tmp_path, "clone", "1", "out", "--run")
    assert done.status == 1
    assert "SlowFlow/1 is not reproduced: step wait is not deterministic" in done.out


def test_a_clone_with_data_has_the_artifacts_as_files(copy: Path) -> None:
    done = mfv_command(copy, "clone", "TrainFlow/1", "out", "--data")
    assert done.status == 0
    place = copy / "out" / ".mfv-clone" / "data"
    assert f"artifacts to {place.relative_to(copy)}" in done.out
    written = {os.fspath(path.relative_to(place)) for path in place.rglob("*.*")}
    assert {
        *("artifacts.json", "start/1/candidates.json", "train/2/score.json"),
        *("pick/5/model.json", "end/6/picture.png", "end/6/label.json"),
    } <= written
    facts = mfv_command(copy, "clone", "TrainFlow/1", "other", "--data", "--json").json
    assert facts["data"]["files"] == len(written) - 1
    assert (facts["data"]["unpickled"], facts["data"]["failed"]) == ([], [])


def test_data_and_environment_of_a_clone_are_no_part_of_its_snapshot(copy: Path) -> None:
    facts = mfv_command(copy, "clone", "TrainFlow/1", "out", "--data", "--json").json
    venv = copy / "out" / ".venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").touch()
    assert run_again(copy, facts["commands"]).status == 0
    code = mfv_command(copy, "show", "TrainFlow/1", "--json").json["code"]
    assert mfv_command(copy, "show", "TrainFlow/3", "--json").json["code"] == code


def test_a_flow_written_for_metaflow_is_run_again_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(SECRET.replace("from mfv", "from metaflow"))
    words = ["-m", "mfv", "run", "--compat", "theirs.py", "--lr", "0.1"]
    done = python(tmp_path, *words, env={"MFV_RUN_API_TOKEN": "x"})
    assert done.status == 0, done
    facts = mfv_command(tmp_path, "clone", "1", "out", "--json").json
    assert facts["commands"][1] == "mfv run --compat theirs.py --lr 0.1 --api_token=..."
    assert mfv_command(tmp_path, "verify", "1", env={"MFV_RUN_API_TOKEN": "x"}).status == 0


FAKE_UV = """#!/bin/sh
test "$1" = venv || { echo "error: the index is down" >&2; exit 1; }
for folder; do :; done
exec PYTHON -m venv --without-pip "$folder"
"""


def test_a_clone_is_made_though_its_environment_cannot_be(copy: Path, tmp_path: Path) -> None:
    uv = tmp_path / "programs" / "uv"
    uv.parent.mkdir()
    uv.write_text(FAKE_UV.replace("PYTHON", shlex.quote(sys.executable)))
    uv.chmod(0o755)
    path = {"PATH": f"{uv.parent}:{os.environ['PATH']}"}
    done = mfv_command(copy, "clone", "TrainFlow/1", "out", "--env", env=path)
    assert done.status == 1
    assert "made out/.venv by uv: 0 packages" in done.out
    assert "packages that could not be had:" in done.out
    assert "not tried, after 16 failures: error: the index is down" in done.out
    assert (copy / "out" / "train.py").exists()
    assert "  .venv/bin/python train.py run" in done.out
    refused = mfv_command(copy, "verify", "TrainFlow/1", "--env", env=path)
    assert refused.status == 1
    assert "of the packages of TrainFlow/1 cannot be had:" in refused.err
    assert "hint: without --env it runs with the packages that are here" in refused.err
    assert not [name for name in os.listdir(copy / ".mfv" / "tmp") if name.startswith("verify")]
