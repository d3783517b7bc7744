from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confined import Confined
from sites import Site


@pytest.fixture(scope="session")
def confined() -> Iterator[Confined]:
    """Runs command lines within limits."""
    started = Confined()
    yield started
    started.close()


@pytest.fixture
def site(tmp_path: Path, confined: Confined) -> Site:
    """A place with a project and a canary or two."""
    return Site(tmp_path, confined)
