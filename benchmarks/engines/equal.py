"""Whether what an engine gave back is what it was given."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path


def check_values(restored: object, original: object) -> None:
    """Ends the process with 1 and a line unless both hold the same."""
    if not same(restored, original):
        raise SystemExit("what came back is not what was stored")


def same(one: object, other: object) -> bool:
    """Whether two values are of one type and hold the same bits, missing values included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        assert isinstance(other, dict)
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if type(one).__module__.partition(".")[0] == "pandas":
        return bool(one.equals(other))  # type: ignore[attr-defined]
    if type(one).__module__ == "numpy" and hasattr(one, "dtype"):
        # As bits: random doubles hold some that equal not even themselves.
        facts = (one.dtype, one.shape) == (other.dtype, other.shape)  # type: ignore[attr-defined]
        return facts and memoryview(one).cast("B") == memoryview(other).cast("B")  # type: ignore[arg-type]
    return one == other


def same_files(one: Path, other: Path) -> bool:
    """Whether two files, or two folders with all below, hold the same; times are not compared."""
    if one.is_dir() != other.is_dir():
        return False
    if one.is_dir():
        paths = _paths(one)
        return paths == _paths(other) and all(same_files(one / p, other / p) for p in paths)
    return filecmp.cmp(one, other, shallow=False)


def _paths(folder: Path) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(where, name), folder)
        for where, _, names in os.walk(folder)
        for name in names
    )
