"""Compares values that were loaded, where their bytes alone say too little."""

from __future__ import annotations

from typing import Any

from mfv.verify.likeness import Likeness, Tolerance, compare


def compare_loaded(old: Any, new: Any, tolerance: Tolerance) -> Likeness:
    """Whether two values are alike: number by number where they come down to arrays, else by `==`.

    Never raises for what the values' own methods do.
    """
    try:
        a, b = _parts(old), _parts(new)
        if a is not None and b is not None:
            return _arrays(a, b, tolerance)
        equal = bool(old == new)
    except Exception as error:
        return Likeness(None, why=f"comparing it raised {type(error).__name__}: {error}"[:200])
    return Likeness(equal, why="" if equal else f"two {type(old).__name__} are not equal")


def _parts(value: Any) -> dict[str, Any] | None:
    """The arrays that a table, a series or a tensor comes down to, by name; None for all else."""
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a tensor
        return {"": value.detach().cpu().numpy()}
    if hasattr(value, "to_pandas") and hasattr(value, "schema"):  # of pyarrow or polars
        value = value.to_pandas()
    if hasattr(value, "columns") and hasattr(value, "iloc"):
        columns = {
            f"[{name!r}]#{i}": value.iloc[:, i].to_numpy() for i, name in enumerate(value.columns)
        }
        return {**columns, ".index": value.index.to_numpy()}
    if hasattr(value, "to_numpy"):
        return {"": value.to_numpy()}
    if hasattr(value, "todense") and hasattr(value, "shape"):
        return {"": value.tocoo().data, ".row": value.tocoo().row, ".col": value.tocoo().col}
    return {"": value} if hasattr(value, "dtype") and hasattr(value, "reshape") else None


def _arrays(a: dict[str, Any], b: dict[str, Any], tolerance: Tolerance) -> Likeness:
    if list(a) != list(b):
        return Likeness(False, why="it has other columns")
    largest: float | None = None
    differing, first = 0, None
    for name in a:
        found = compare_arrays(a[name], b[name], tolerance)
        if found.difference is not None:
            largest = max(largest or 0.0, found.difference)
        differing += found.differing
        if not found.alike and first is None:
            first = name.partition("#")[0], found.why
    where, why = first or ("", "")
    return Likeness(first is None, largest, differing, where, why)


def compare_arrays(a: Any, b: Any, tolerance: Tolerance) -> Likeness:
    """Two numpy arrays; those of objects item by item."""
    if a.dtype.kind == "O" or b.dtype.kind == "O":
        equal = a.shape == b.shape and all(
            x is y or x == y or (x != x and y != y) for x, y in zip(a.flat, b.flat, strict=True)
        )
        return Likeness(bool(equal), why="" if equal else "its items differ")
    return compare(a, b, tolerance)
