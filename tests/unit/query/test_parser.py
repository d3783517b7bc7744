"""A query as people type it, read into a tree or refused with the place where it goes wrong."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.query.errors import QueryError
from mfv.query.expression import (
    And,
    Bears,
    Compare,
    Expression,
    Field,
    Has,
    Matches,
    Not,
    Or,
    PackageIs,
)
from mfv.query.parser import parse, parse_field

NOW = 1_700_000_000.0  # seconds since 1970


def plainly(expression: Expression) -> str:
    """The tree as fully parenthesised text."""
    match expression:
        case And(parts):
            return "(" + " and ".join(map(plainly, parts)) + ")"
        case Or(parts):
            return "(" + " or ".join(map(plainly, parts)) + ")"
        case Not(inner):
            return f"not {plainly(inner)}"
        case Compare(field, sign, value):
            return f"{field.text}{sign}{value!r}"
        case Matches(field, pattern):
            return f"{field.text}~{pattern!r}"
        case Has(field):
            return field.text
        case Bears(what, glob):
            return f"{what}:{glob}"
        case PackageIs(name, sign_or_none, version):
            return f"package:{name}{sign_or_none or ''}{version}"
    return f"{expression.field.text} in {expression.values!r}"


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("lr < 0.01", "lr<0.01"),
        ("params.lr<1e-3", "params.lr<0.001"),
        ("param.lr = 3", "params.lr=3"),
        ("lr == 3", "lr=3"),
        ("a=1 or b=2 and c=3", "(a=1 or (b=2 and c=3))"),
        ("(a=1 or b=2) and c=3", "((a=1 or b=2) and c=3)"),
        ("not a=1 and b=2", "(not a=1 and b=2)"),
        ("not (a=1 and b=2)", "not (a=1 and b=2)"),
        ("NOT a=1 AND b=2 OR c", "((not a=1 and b=2) or c)"),
        ("opt = adam", "opt='adam'"),
        ("opt = 'adam w'", "opt='adam w'"),
        ('opt = "7"', "opt='7'"),
        ("deep = true", "deep=True"),
        ("deep", "deep"),
        ("deep = none", "not deep"),
        ("deep != none", "deep"),
        ("opt ~ '^ad'", "opt~'^ad'"),
        ("opt !~ x", "not opt~'x'"),
        ("opt in (adam, sgd)", "opt in ('adam', 'sgd')"),
        ("opt not in (adam)", "not opt in ('adam',)"),
        ("tag:prod", "tag:prod"),
        ("tag:'two words'", "tag:two words"),
        ("code:src/*.py", "code:src/*.py"),
        ("package:numpy<2", "package:numpy<2"),
        ("package:numpy", "package:numpy"),
        ("status:ok", "status='ok'"),
        ("status = crashed", "status='crashed'"),
        ("duration > 1h30m", "duration>5400.0"),
        ("duration < 90", "duration<90.0"),
        ("number >= 17", "number>=17"),
        ("started > 2d", f"started>{int((NOW - 172800) * 1e6)}"),
        ('params."learning rate" = 3', "params.learning rate=3"),
        ("metrics.val/acc > 0.5", "metrics.val/acc>0.5"),
        ("x = -3", "x=-3"),
        ("x = 1_000", "x=1000"),
    ],
)
def test_what_a_query_means(query: str, tree: str) -> None:
    assert plainly(parse(query, now=NOW)) == tree


@pytest.mark.parametrize(
    ("query", "column", "says"),
    [
        ("", 0, "empty"),
        ("lr <", 4, "a value is wanted"),
        ("lr < < 3", 5, "a value is wanted"),
        ("lr < 3 4", 7, "4"),
        ("(lr < 3", 0, "never closed"),
        ("lr < 3)", 6, ")"),
        ("lr < 'abc", 5, "never closed"),
        ("< 3", 0, "a field is wanted"),
        ("3 < lr", 0, "a field is wanted"),
        ("lr = 1 = 2", 7, "join"),
        ("lr and", 6, "a field is wanted"),
        ("opt ~ '('", 6, "pattern"),
        ("opt ~ '(a+)+b'", 6, "repetition"),
        ("opt in adam", 7, "list"),
        ("opt in (a b)", 10, "','"),
        ("status = done", 9, "no status"),
        ("status < ok", 7, "no order"),
        ("deep < true", 5, "no order"),
        ("started > soon", 10, "no time"),
        ("duration > long", 11, "no duration"),
        ("number = x", 9, "number"),
        ("tag = prod", 4, "tag:prod"),
        ("tag:", 4, "wants something"),
        ("package:<2", 0, "no package"),
        ("duration", 8, "comparison"),
        ("params.", 0, "a name is wanted"),
        ("lr ; 3", 3, ";"),
        ("not " * 60 + "a", 200, "levels"),
        ("(" * 60 + "a", 50, "levels"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_column(query: str, column: int, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query, now=NOW)
    assert caught.value.column == column
    assert says in caught.value.message
    assert caught.value.exit_status == 2
    shown, pointer = caught.value.message.split("\n")[1:]
    assert pointer.endswith("^") and len(pointer) <= len(shown) + 1


def test_a_query_of_a_megabyte_is_refused_and_not_read() -> None:
    with pytest.raises(QueryError, match="at most"):
        parse("a=1 or " * 200_000)


@given(st.text(string.printable + "ä→\u202e\x00", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, now=NOW)
    except QueryError as error:
        assert 0 <= error.column <= len(text)


def test_a_field_alone() -> None:
    assert parse_field("params.lr") == Field("lr", "params")
    assert parse_field("started").kind == "time"
    with pytest.raises(QueryError):
        parse_field("lr < 3")
