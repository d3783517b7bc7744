"""The fields that every run has, and what is known of those that a run's own values are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from mfv.query.expression import Kind, Plain
from mfv.query.patterns import LONGEST_TEXT

SECTIONS = ("params", "metrics", "constants")
# Where a name without a section is looked for, in this order.
ANY_SECTION = ("metrics", "params", "constants")
# Words for the sections that people type as well.
ALIASES = {"param": "params", "parameters": "params", "metric": "metrics", "constant": "constants"}

KNOWN: dict[str, Kind] = {
    "flow": "text",
    "number": "number",
    "name": "text",
    "id": "text",
    "status": "status",
    "started": "time",
    "ended": "time",
    "duration": "duration",
    "user": "text",
    "host": "text",
    "commit": "text",
    "branch": "text",
    "failed_step": "text",
    "failure": "text",
    "tag": "many",
    "step": "many",
}
STATUSES = ("open", "ok", "failed", "interrupted", "crashed")


class Catalog(msgspec.Struct, frozen=True):
    """The names of the values that the runs have, with their types: `number`, `text`, `flag`.

    By `section.name`. A query is held against it before it is run, so that a slip of the pen is
    no empty answer.
    """

    types: Mapping[str, frozenset[str]]
    columns: Mapping[str, str] = {}  # of an index, by the same names; not every field has one

    def of(self, section: str, name: str) -> frozenset[str]:
        """The types of `name`; without a section those in any. Empty: no run has it."""
        sections = (section,) if section else ANY_SECTION
        found = (self.types.get(f"{one}.{name}", frozenset()) for one in sections)
        return frozenset().union(*found)

    def names(self) -> list[str]:
        """All that a query can name."""
        bare = {key.partition(".")[2] for key in self.types}
        return [*KNOWN, *sorted(bare), *sorted(self.types)]


def type_of(value: object) -> str | None:
    """How a catalog calls the type of a value; None for what no comparison is true of."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "flag"
    return "text" if isinstance(value, str) else "number"


def plain(value: Plain) -> Plain:
    """A value as queries compare it: long texts cut, numbers as JSON and SQLite have them.

    None for NaN and infinities, of which no comparison is true.
    """
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        try:
            return float(value)
        except OverflowError:
            return None
    return None if isinstance(value, float) and value - value != 0 else value


def stored(value: Plain) -> Plain | bytes:
    """A plain value as an index keeps it: flags apart from the numbers 0 and 1.

    So numbers, texts and flags follow each other in SQLite's own order.
    """
    if isinstance(value, bool):
        return b"\x01" if value else b"\x00"
    return value


def rank(value: Plain) -> tuple[int, float | str]:
    """What values are sorted by: numbers, then texts, then flags; where there is none, last."""
    if value is None:
        return 3, 0.0
    if isinstance(value, bool):
        return 2, float(value)
    return (1, value) if isinstance(value, str) else (0, value)


def catalog_of(sections: Iterable[Mapping[str, Mapping[str, object]]]) -> Catalog:
    """The catalog of runs, each as its values by section and name."""
    types: dict[str, set[str]] = {}
    for one in sections:
        for section, values in one.items():
            for name, value in values.items():
                kind = type_of(value)
                known = types.setdefault(f"{section}.{name}", set())
                if kind is not None:
                    known.add(kind)
    return Catalog({name: frozenset(kinds) for name, kinds in types.items()})
