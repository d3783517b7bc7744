"""One project of real runs for all tests that only look, and a copy for each that writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import make_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `commands.make_project`; not to be written to."""
    return make_project(tmp_path_factory.mktemp("shared") / "project")


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The project, to do with as one likes."""
    return Path(shutil.copytree(project, tmp_path / "project", symlinks=True))
