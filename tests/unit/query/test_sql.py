"""Conditions over the columns of an index, which hold values of every type."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from mfv.query.fields import Catalog
from mfv.query.parser import parse
from mfv.query.sql import condition

CATALOG = Catalog({"params.x": frozenset({"number", "text", "flag"})}, {"params.x": "v0"})
NUMBERS, TEXTS, FLAGS = [-1, 0.5, 3], ["", "a", "b"], [b"\0", b"\1"]  # as they are stored
EQUAL = [("=", operator.eq), ("!=", operator.ne)]
ORDERED = [("<", operator.lt), ("<=", operator.le), (">", operator.gt), (">=", operator.ge)]


@pytest.mark.parametrize(
    ("sign", "compare", "text", "value", "kind"),
    [
        *((*sign, "0.5", 0.5, NUMBERS) for sign in EQUAL + ORDERED),
        *((*sign, "'a'", "a", TEXTS) for sign in EQUAL + ORDERED),
        *((*sign, "true", b"\1", FLAGS) for sign in EQUAL),
    ],
)
def test_a_comparison_is_true_of_values_of_its_own_type_alone(
    sign: str, compare: Callable[[Any, Any], bool], text: str, value: Any, kind: list[Any]
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE runs (v0)")
    stored = [None, *NUMBERS, *TEXTS, *FLAGS]
    connection.executemany("INSERT INTO runs VALUES (?)", [(one,) for one in stored])
    found = condition(parse(f"params.x {sign} {text}"), CATALOG)
    assert found.exact
    rows = connection.execute(f"SELECT v0 FROM runs WHERE {found.sql}", found.values).fetchall()
    assert [one for (one,) in rows] == [one for one in kind if compare(one, value)]
