"""`mfv.get_version()`: the version of the project whose script runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mfv

ROOT = Path(mfv.__file__).parents[1]
ASK = "import mfv; print(mfv.get_version(), mfv.get_version(public=True))\n"
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
}


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **GIT, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository at tag v2.3, with a script that tells its version."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "ask.py").write_text(ASK)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v2.3"]):
        subprocess.run(["git", "-C", folder, *words], check=True, env=environment())
    return folder


def asked(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_it_is_that_of_the_script_s_folder_wherever_it_is_started(
    project: Path, tmp_path: Path
) -> None:
    assert asked(project, "src/ask.py") == "v2.3 2.3\n"
    assert asked(tmp_path, "project/src/ask.py") == "v2.3 2.3\n"
    (tmp_path / "link.py").symlink_to(project / "src" / "ask.py")
    assert asked(tmp_path, "link.py") == "v2.3 2.3\n"
    with open(project / "src" / "ask.py", "a") as file:
        file.write("# changed\n")
    assert asked(project, "src/ask.py") == "v2.3-dirty 2.3\n"


def test_without_a_script_it_is_that_of_the_working_folder(project: Path, tmp_path: Path) -> None:
    assert asked(project, "-c", ASK) == "v2.3 2.3\n"
    assert asked(tmp_path, "-c", ASK) == "None None\n"


def test_a_tool_that_runs_it_is_not_the_project(project: Path) -> None:
    """As under `python -m pytest`, whose own files stand where packages are installed."""
    tool = project.parent / "site-packages" / "tool"
    tool.mkdir(parents=True)
    (tool / "__main__.py").write_text(ASK)
    assert asked(project, str(tool / "__main__.py")) == "v2.3 2.3\n"


def test_asking_loads_nothing_of_runs(project: Path) -> None:
    code = f"{ASK}import sys; print(sorted(m for m in sys.modules if m.startswith('mfv.')))"
    loaded = asked(project, "-c", code).splitlines()[1]
    assert not any(room in loaded for room in ("mfv.repo", "mfv.flow", "mfv.odb", "mfv.client"))
