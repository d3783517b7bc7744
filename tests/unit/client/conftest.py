"""One project whose flows ran, shared by all tests that only look; `own` is a copy to change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flowruns import Project

from mfv.client import default_metadata, default_namespace


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """DemoFlow 1: ok · 2: failed in a foreach · 3: failed at its end, ben's · 4: ok, of one item.

    PlainFlow 1: ok, ben's, and the last to be run.
    """
    made = Project(tmp_path_factory.mktemp("client") / "project")
    made.run("demo.py", "--tag", "baseline", "--tag", "team:prod")
    made.run("demo.py", "--fail_at", "work", code=1)
    made.run("demo.py", "--fail_at", "end", "--tag", "baseline", user="ben", code=1)
    made.run("demo.py", "--count", "1")
    made.run("plain.py", user="ben")
    return made


@pytest.fixture(autouse=True)
def at_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins as ana, in the shared project, with nothing chosen."""
    monkeypatch.setenv("MFV_DIR", str(project.repository))
    monkeypatch.setenv("MFV_USER", "ana")
    default_metadata()
    default_namespace()
    yield
    monkeypatch.setenv("MFV_DIR", str(project.repository))
    default_metadata()


@pytest.fixture
def own(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's repository, which the client then reads."""
    folder = tmp_path / "own.mfv"
    shutil.copytree(project.repository, folder)
    monkeypatch.setenv("MFV_DIR", str(folder))
    return folder
