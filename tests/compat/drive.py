"""Plays a scenario under one Python, and gives all that was seen as one value."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenarios import Scenario

HERE = Path(__file__).parent
_DROPPED = ("MFV_", "METAFLOW_", "GIT_", "PYTHON")


class Player:
    """A Python that has a metaflow: the real one, or mfv in its place."""

    def __init__(self, python: str, folder: Path, path: str = "") -> None:
        self.python, self.folder, self.path = python, folder, path
        (folder / "home").mkdir(parents=True)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
        own = {"HOME": str(self.folder / "home"), "METAFLOW_USER": "ana", "MFV_USER": "ana"}
        path = {"PYTHONPATH": self.path} if self.path else {}
        # Metaflow starts the further tasks of a num_parallel as `python`.
        own["PATH"] = os.pathsep.join([os.path.dirname(self.python), kept["PATH"]])
        return {**kept, "PYTHONUTF8": "1", **own, **path, **more}

    def call(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """`python WORDS` in the folder."""
        return subprocess.run(
            [self.python, *words],
            cwd=self.folder,
            env=self.environment(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


def flow_name(source: str) -> str:
    """The class that a flow's last line runs."""
    return source.rstrip().rpartition("\n")[2].strip().removesuffix("()")


def play(scenario: Scenario, player: Player) -> dict[str, Any]:
    """Runs every line, then the observer. What differs by nature from run to run is left out."""
    folder = player.folder
    shutil.copy(HERE / "flows" / f"{scenario.flow}.py", folder / "flow.py")
    for other in scenario.more:
        shutil.copy(HERE / "flows" / f"{other}.py", folder / f"{other}.py")
    for name, text in scenario.files.items():
        encoding = "latin-1" if name.startswith("latin") else "utf-8"
        (folder / name).write_text(text, encoding)
    runs: list[str] = []
    commands = []
    for line in scenario.lines:
        told, numbers = _command(line, player, runs)
        runs += numbers
        commands.append(told)
    dumps = ["dump.pkl"] if (folder / "dump.pkl").exists() else []
    name = flow_name((folder / "flow.py").read_text("utf-8"))
    shown = player.call(str(HERE / "observe.py"), name, *runs, *dumps)
    assert shown.returncode == 0, f"{commands}\n{shown.stderr}"
    return {"commands": commands, **json.loads(shown.stdout)}


def _command(line: str, player: Player, runs: list[str]) -> tuple[dict[str, Any], list[str]]:
    known = {"run": runs[-1], "run0": runs[0]} if runs else {}
    filled = line
    for key, value in known.items():
        filled = filled.replace(f"{{{key}}}", value)
    words = shlex.split(filled) if '"' not in filled else filled.split()
    variables = {}
    while "=" in words[0] and not words[0].startswith("-"):
        key, _, variables[key] = words.pop(0).partition("=")
    starts = bool({"run", "resume"} & set(words[:4]))
    number = player.folder / "number-of-run"
    number.unlink(missing_ok=True)
    options = ["--run-id-file", number.name] if starts else []
    done = player.call("flow.py", *words, *options, **variables)
    told: dict[str, Any] = {"line": line, "exit": done.returncode}
    if done.returncode == 0 and words[0] == "logs":
        told["out"] = sorted(done.stdout.splitlines())
    elif done.returncode == 0 and words[:2] == ["tag", "list"]:
        told["out"] = sorted(_tags(done.stdout + done.stderr))  # Metaflow says it on stderr
    assert "Internal error" not in done.stderr, done.stderr
    # Of a resume that it refuses Metaflow leaves a run without a step.
    refused = words[0] == "resume" and done.returncode
    started = starts and not refused and number.exists() and number.read_text().strip()
    return told, [str(started)] if started else []


def _tags(text: str) -> list[str]:
    """The tags in what `tag list` printed, those of the machine aside."""
    words = [line.strip() for line in text.splitlines()]
    own = ("python_version:", "metaflow_version:", "mfv_version:", "date:")
    return [word for word in words if word and " " not in word and not word.startswith(own)]
