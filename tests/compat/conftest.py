from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The flows and the observer are run by processes of their own: none of them is a test.
collect_ignore = ["flows", "observe.py", "record.py"]
sys.path.append(str(Path(__file__).parent))

METAFLOW = "2.19.39"  # the version that `expected` was recorded with


@pytest.fixture(scope="session")
def metaflow_python() -> str:
    """A Python that has the real Metaflow; MFV_METAFLOW_PYTHON names it."""
    python = os.environ.get("MFV_METAFLOW_PYTHON")
    if not python:
        pytest.skip("MFV_METAFLOW_PYTHON does not name a Python that has Metaflow")
    asked = [python, "-c", "import importlib.metadata as m; print(m.version('metaflow'))"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if found != METAFLOW:
        pytest.skip(f"{python} has Metaflow {found}, and this was recorded with {METAFLOW}")
    return python
