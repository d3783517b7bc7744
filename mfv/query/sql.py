"""A query as the condition of a statement over an index of runs; text alone, nothing is run here.

The tables: `runs(seq, flow, number, status, started, ended, user, host, commit_id, branch,
failed_step, failure)`, times in µs since 1970, with a column for each value as `Catalog.columns`
names it; `tags(seq, tag)`; `runs.step_set` is the id of a JSON list in `step_sets(id, steps)`, and
`user` to `failure` are ids of texts in `words(id, text)`.
The function `REGEXP` is `patterns.is_in`.
"""

from __future__ import annotations

from typing import NamedTuple

from mfv.query.expression import (
    Among,
    And,
    Bears,
    Compare,
    Expression,
    Field,
    Has,
    Matches,
    Not,
    Or,
    Plain,
)
from mfv.query.fields import ANY_SECTION, KNOWN, Catalog, stored, type_of

Stored = Plain | bytes

# SQLite has an order over all types: numbers, texts, blobs (flags here); none is in none of them.
_OF_TYPE = {"number": "{0} < ''", "text": "{0} >= '' AND {0} < x''", "flag": "{0} >= x''"}
_IMPLIED = {("number", "<"), ("number", "<=")}  # below a number there are only numbers
_LIVE = ("open", "crashed")  # which of both an open run is, only a look at its process tells


class Condition(NamedTuple):
    """SQL that is true of every run asked for; `exact` if of no other."""

    sql: str
    values: tuple[Stored, ...] = ()
    exact: bool = True


# Columns that hold the id of a text.
_WORDS = {
    "user": "user",
    "host": "host",
    "commit": "commit_id",
    "branch": "branch",
    "failed_step": "failed_step",
    "failure": "failure",
}

ALL = Condition("1", (), False)  # of which nothing is known here
NONE = Condition("0")


def condition(expression: Expression, catalog: Catalog) -> Condition:
    """The condition that stands for `expression`; `catalog` is that of the same index."""
    match expression:
        case And(parts):
            return _joined(" AND ", [condition(part, catalog) for part in parts])
        case Or(parts):
            return _joined(" OR ", [condition(part, catalog) for part in parts])
        case Not(inner):
            found = condition(inner, catalog)
            # What is true of too many says nothing once it is turned round.
            return found._replace(sql=f"({found.sql}) IS NOT TRUE") if found.exact else ALL
        case Compare(field, sign, value):
            return _compare(field, sign, value, catalog)
        case Among(field, values):
            if field.kind == "many":
                return _borne(field.name, f"IN ({','.join('?' * len(values))})", values)
            return _joined(" OR ", [_compare(field, "=", value, catalog) for value in values])
        case Matches(field, pattern):
            return _matches(field, pattern, catalog)
        case Has(field):
            return _has(field, catalog)
        case Bears(what, glob, _, exact):
            return _bears(what, glob, exact)
        case _:
            return ALL


def order(field: Field, catalog: Catalog) -> str | None:
    """What to sort by; None where the index does not know it."""
    if field.kind in ("many", "status", "duration"):
        return None  # of open runs it is told by the clock, or by a look at their processes
    if field.name in _WORDS and not field.section:
        return f"(SELECT text FROM words WHERE id = {_WORDS[field.name]})"
    return _column(field) if field.kind != "any" else _value(field, catalog)


def _value(field: Field, catalog: Catalog) -> str | None:
    """The value of the first section that has one; None where the index has not all of them."""
    sections = (field.section,) if field.section else ANY_SECTION
    names = [f"{section}.{field.name}" for section in sections]
    names = [name for name in names if name in catalog.types]
    columns = [catalog.columns[name] for name in names if name in catalog.columns]
    if len(columns) < len(names):
        return None
    if not columns:
        return "NULL"
    return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"


def _column(field: Field) -> str | None:
    if field.name == "name":
        return "(flow || '/' || number)"
    if field.kind == "many" or field.name == "id" or field.name not in KNOWN:
        return None
    return _WORDS.get(field.name, field.name)


def _compare(field: Field, sign: str, value: Plain, catalog: Catalog) -> Condition:
    if field.kind == "status":
        return _status(sign, value)
    if field.kind == "duration":
        sql = f"(ended IS NULL OR max(0, ended - started) / 1e6 {sign} ?)"
        return Condition(sql, (value,), False)
    if field.kind != "any":
        return _of_column(field, f"{sign} ?", value)
    found = _value(field, catalog)
    if found is None:
        return ALL
    kind = type_of(value)
    if kind is None:
        return NONE
    sql = f"({found} {sign} ?"
    if sign != "=" and (kind, sign) not in _IMPLIED:
        sql += f" AND {_OF_TYPE[kind].format(found)}"
    return Condition(f"{sql})", (stored(value),))


def _matches(field: Field, pattern: str, catalog: Catalog) -> Condition:
    if field.kind == "status":
        return ALL
    if field.kind != "any":
        return _of_column(field, "REGEXP ?", pattern)
    found = _value(field, catalog)
    return ALL if found is None else Condition(f"{found} REGEXP ?", (pattern,))


def _of_column(field: Field, test: str, value: Plain) -> Condition:
    """A test of what every run has."""
    column = _column(field)
    if column is None:
        return ALL
    if field.name in _WORDS:
        return Condition(f"{column} IN (SELECT id FROM words WHERE text {test})", (value,))
    return Condition(f"{column} {test}", (value,))


def _has(field: Field, catalog: Catalog) -> Condition:
    if field.kind == "many":
        return _borne(field.name, "IS NOT NULL", ())
    if field.kind in ("status", "duration"):
        return ALL
    if field.kind != "any":
        column = _column(field)
        return ALL if column is None else Condition(f"{column} IS NOT NULL")
    found = _value(field, catalog)
    if found is None:
        return ALL
    return Condition(f"({found} IS NOT NULL AND {found} != ?)", (stored(False),))


def _status(sign: str, value: Plain) -> Condition:
    if value in _LIVE:
        return Condition("status IN ('open', 'crashed')", (), False) if sign == "=" else ALL
    return Condition(f"status {sign} ?", (value,))


def _bears(what: str, glob: str, exact: bool) -> Condition:
    test, pattern = ("= ?", glob) if exact else ("GLOB ?", glob.replace("[", "[[]"))
    if what in ("tag", "step"):
        return _borne(what, test, (pattern,))
    if what in ("flow", "user"):
        return _of_column(Field(what, kind="text"), test, pattern)
    return ALL


def _borne(what: str, test: str, values: tuple[Plain, ...]) -> Condition:
    if what == "tag":
        return Condition(f"seq IN (SELECT seq FROM tags WHERE tag {test})", values)
    sets = f"SELECT step_sets.id FROM step_sets, json_each(steps) AS step WHERE step.value {test}"
    return Condition(f"step_set IN ({sets})", values)


def _joined(word: str, parts: list[Condition]) -> Condition:
    sql = "(" + word.join(part.sql for part in parts) + ")"
    values = tuple(value for part in parts for value in part.values)
    return Condition(sql, values, all(part.exact for part in parts))
