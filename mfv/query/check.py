"""A query held against what the runs have, so that a slip of the pen is no empty answer."""

from __future__ import annotations

from mfv.errors import did_you_mean
from mfv.query.errors import QueryError
from mfv.query.expression import (
    Among,
    And,
    Compare,
    Expression,
    Field,
    Has,
    Matches,
    Not,
    Or,
    Plain,
)
from mfv.query.fields import Catalog, type_of

_NAMED = {"number": "a number", "text": "text", "flag": "true or false"}


def check(expression: Expression, query: str, catalog: Catalog) -> None:
    """Raises QueryError for a field that no run has, and for values of a type that no run has."""
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                check(part, query, catalog)
        case Not(inner):
            check(inner, query, catalog)
        case Compare(field, _, value, column):
            _check_value(field, value, column, query, catalog)
        case Among(field, values):
            for value in values:
                _check_value(field, value, field.column, query, catalog)
        case Matches(field, _):
            _check_value(field, "", field.column, query, catalog)
        case Has(field):
            check_field(field, query, catalog)
        case _:
            pass


def check_field(field: Field, query: str, catalog: Catalog) -> frozenset[str]:
    """The types that the field has in the runs; QueryError with near names if none has it."""
    if field.kind != "any":
        return frozenset()
    found = catalog.of(field.section, field.name)
    known = any(
        key == field.text or (not field.section and key.partition(".")[2] == field.name)
        for key in catalog.types
    )
    if not known:
        hint = did_you_mean(field.text, catalog.names())
        raise QueryError(
            f"no run has a field {field.text!r}", query, field.column, hint=hint or _some(catalog)
        )
    return found


def _check_value(field: Field, value: Plain, column: int, query: str, catalog: Catalog) -> None:
    types = check_field(field, query, catalog)
    wanted = type_of(value)
    if field.kind != "any" or not types or wanted is None or wanted in types:
        return
    is_ = " and ".join(sorted(_NAMED[one] for one in types))
    raise QueryError(f"{field.text} is {is_}, and not {_NAMED[wanted]}", query, column)


def _some(catalog: Catalog) -> str:
    names = sorted(catalog.types)[:12]
    return f"there are {', '.join(names)}" if names else "the runs have no parameters or numbers"
