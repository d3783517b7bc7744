from __future__ import annotations

from pathlib import Path

import pytest
from processes import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder of its own for flows and their repository."""
    return Place(tmp_path / "project")
