"""What a query says of one run. This is the law; an index only answers sooner."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

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
    Operator,
    Or,
    PackageIs,
    Plain,
)
from mfv.query.facts import Facts
from mfv.query.fields import ANY_SECTION, KNOWN, type_of
from mfv.query.patterns import is_in
from mfv.query.versions import fits

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def holds(expression: Expression, facts: Facts) -> bool:
    """Whether the run is one of those asked for."""
    match expression:
        case And(parts):
            return all(holds(part, facts) for part in parts)
        case Or(parts):
            return any(holds(part, facts) for part in parts)
        case Not(inner):
            return not holds(inner, facts)
        case Compare(field, sign, value):
            return _compares(value_of(field, facts), sign, value)
        case Among(field, values):
            found = value_of(field, facts)
            if field.kind == "many":
                return any(value in facts.names(field.name) for value in values)
            return any(_compares(found, "=", value) for value in values)
        case Matches(field, pattern):
            found = value_of(field, facts)
            return isinstance(found, str) and is_in(pattern, found)
        case Has(field):
            if field.kind == "many":
                return bool(facts.names(field.name))
            return value_of(field, facts) not in (None, False) or _is_zero(field, facts)
        case Bears(what, name, exact=True):
            return name in facts.names(what)
        case Bears(what, glob):
            fitting = glob_pattern(glob)
            return any(fitting.fullmatch(name) for name in facts.names(what))
        case PackageIs(name, sign_or_none, version):
            have = facts.package(name)
            if have is None or sign_or_none is None:
                return have is not None
            return fits(have, sign_or_none, version)


def value_of(field: Field, facts: Facts) -> Plain:
    """The value of a field; None where the run has none that can be compared."""
    if not field.section and field.name in KNOWN:
        return facts.own(field.name)
    for section in (field.section,) if field.section else ANY_SECTION:
        value = facts.values.get(section, {}).get(field.name)
        if value is not None:
            return value
    return None


@lru_cache(maxsize=64)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob, of which `*` and `?` alone mean something, as a pattern for whole names."""
    first, *others = re.split(r"\*+", glob)
    if not others:
        return re.compile(_literal(first), re.DOTALL)
    *middle, last = others
    # Of what stands between two `*` the first place will do: none other is tried.
    found = "".join(f"(?>.*?{_literal(piece)})" for piece in middle if piece)
    return re.compile(f"{_literal(first)}{found}.*{_literal(last)}", re.DOTALL)


def _literal(piece: str) -> str:
    return "".join("." if char == "?" else re.escape(char) for char in piece)


def _is_zero(field: Field, facts: Facts) -> bool:
    """0 equals False, and is a value all the same."""
    return type_of(value_of(field, facts)) == "number"


def _compares(found: Plain, sign: Operator, value: Plain) -> bool:
    if type_of(found) != type_of(value) or found is None:
        return False
    return _COMPARE[sign](found, value)
