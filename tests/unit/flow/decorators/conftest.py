from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from attempting import nothing_left_in


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    with nothing_left_in(os.environ):
        yield
