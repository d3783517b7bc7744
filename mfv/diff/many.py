"""Many runs beside each other."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One fact that is not the same in all runs."""

    section: str  # params, metrics, code, …
    name: str
    values: tuple[str | None, ...]  # one for each run; None: it has none


class ManyDiff(msgspec.Struct, frozen=True):
    """What differs between any two of several runs; falsy if nothing does."""

    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    same: int  # facts that all have in common

    def __bool__(self) -> bool:
        return bool(self.rows)
