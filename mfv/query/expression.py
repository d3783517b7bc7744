"""The tree that a query is: frozen values, each with the column where it was typed."""

from __future__ import annotations

from typing import Literal

import msgspec

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=")
Plain = None | bool | int | float | str

# What a field holds. `any` is told by the value itself; `many` is a set of texts.
Kind = Literal["text", "number", "time", "duration", "status", "many", "any"]


class Field(msgspec.Struct, frozen=True):
    """What a comparison looks at: `started`, or `lr` in the section `params`."""

    name: str
    section: str = ""  # params, metrics, constants; empty: one of the run's own, or any section
    kind: Kind = "any"
    column: int = 0

    @property
    def text(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name


class Compare(msgspec.Struct, frozen=True, tag=True):
    """True of a run that has the field, of the value's type, where the comparison holds.

    Times are µs since 1970, durations seconds.
    """

    field: Field
    operator: Operator
    value: Plain
    column: int = 0  # of the value


class Among(msgspec.Struct, frozen=True, tag=True):
    """True of a run whose field equals one of the values."""

    field: Field
    values: tuple[Plain, ...]


class Matches(msgspec.Struct, frozen=True, tag=True):
    """True of a run in whose text the regular expression is found."""

    field: Field
    pattern: str


class Has(msgspec.Struct, frozen=True, tag=True):
    """True of a run that has the field, unless its value is `false`."""

    field: Field


class Bears(msgspec.Struct, frozen=True, tag=True):
    """True of a run of whose names of one kind (`tag`, `step`, `code`, …) one fits the glob."""

    what: str
    glob: str
    column: int = 0
    exact: bool = False  # no glob, but the name itself


class PackageIs(msgspec.Struct, frozen=True, tag=True):
    """True of a run whose environment has the package, in a version that fits."""

    name: str
    operator: Operator | None = None
    version: str = ""


class Not(msgspec.Struct, frozen=True, tag=True):
    inner: Expression


class And(msgspec.Struct, frozen=True, tag=True):
    parts: tuple[Expression, ...]


class Or(msgspec.Struct, frozen=True, tag=True):
    parts: tuple[Expression, ...]


Expression = Compare | Among | Matches | Has | Bears | PackageIs | Not | And | Or
