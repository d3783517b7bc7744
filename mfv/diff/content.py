"""What differs inside two versions of an artifact, as values with an inverse."""

from __future__ import annotations

import msgspec

from mfv.diff.code import turn_hunks


class Measure(msgspec.Struct, frozen=True):
    """How far apart two arrays of numbers are. The same either way."""

    changed: int  # numbers that differ
    total: int
    largest: float  # absolute difference; infinite where one side is not finite
    mean: float  # of the absolute differences of all
    cosine: float | None = None  # of the angle between both; None where one of them is zero


class PartChange(msgspec.Struct, frozen=True):
    """One part of a value that differs, came or went (then one side is None)."""

    path: str  # below the value: `encoder/0/weight`
    before: str | None  # what it is, in short
    after: str | None
    measure: Measure | None = None

    def inverse(self) -> PartChange:
        return PartChange(self.path, self.after, self.before, self.measure)


class Cell(msgspec.Struct, frozen=True):
    """One cell of a table that differs."""

    row: str  # the key of the row, or its number
    column: str
    before: str
    after: str

    def inverse(self) -> Cell:
        return Cell(self.row, self.column, self.after, self.before)


class TableDiff(msgspec.Struct, frozen=True):
    """What differs between two tables."""

    path: str  # below the value; empty: it is the value
    rows_before: int
    rows_after: int
    key: str  # the column by which rows are matched; empty: by their place or their content
    added: int  # rows
    removed: int
    changed: int
    # That both have and that differ: in how many matched rows, -1 where that was not counted.
    columns: tuple[tuple[str, int], ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()  # a few of those that differ

    def inverse(self) -> TableDiff:
        return TableDiff(
            path=self.path,
            rows_before=self.rows_after,
            rows_after=self.rows_before,
            key=self.key,
            added=self.removed,
            removed=self.added,
            changed=self.changed,
            columns=self.columns,
            columns_added=self.columns_removed,
            columns_removed=self.columns_added,
            cells=tuple(cell.inverse() for cell in self.cells),
        )


class ContentDiff(msgspec.Struct, frozen=True):
    """What differs inside two versions of an artifact; falsy if nothing that can be told."""

    parts: tuple[PartChange, ...] = ()
    tables: tuple[TableDiff, ...] = ()
    hunks: tuple[str, ...] = ()  # of a text: a unified diff without its two head lines
    same: int = 0  # parts that are equal
    unknown: str = ""  # why more cannot be told without loading it

    def __bool__(self) -> bool:
        return bool(self.parts or self.tables or self.hunks)

    def inverse(self) -> ContentDiff:
        """The same the other way round."""
        return ContentDiff(
            parts=tuple(part.inverse() for part in self.parts),
            tables=tuple(table.inverse() for table in self.tables),
            hunks=tuple(turn_hunks(self.hunks)),
            same=self.same,
            unknown=self.unknown,
        )
