"""The script that writes the reference of the command line, as a module."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

PLACE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "generate.py"


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_generator", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documented(command: str) -> list[set[str]]:
    """The keys of a command's JSON as the reference has them, one set for each kind of answer."""
    return [set(keys) for keys in load_generator().KEYS[command].values()]
