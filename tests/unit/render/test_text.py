"""Text on its way to a terminal: escaped, cut and aligned by columns."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.render.json import document, line
from mfv.render.text import columns, cut, escape, pad, table, wrap

ANY = st.text(st.characters(), max_size=30)
WORDS = st.text("abc 宽é\u0301…", max_size=20)


def is_dangerous(char: str) -> bool:
    return char != " " and unicodedata.category(char)[0] in "CZ"


@given(ANY)
def test_nothing_that_a_terminal_acts_on_or_hides_is_left(text: str) -> None:
    assert not any(map(is_dangerous, escape(text)))
    assert escape(escape(text)) == escape(text)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "M"), include_characters=" ")))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\rb\n", "a\\x0db\\x0a"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202e", "\\u202e"),
        ("\ufeff", "\\ufeff"),
        ("\U000e0001", "\\U000e0001"),
        ("caf\udce9", "caf\\xe9"),
    ],
)
def test_what_is_escaped_is_named_by_its_code(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_line_end_may_be_kept_where_it_is_asked_for() -> None:
    assert escape("a\nb\tc\x1b", keep="\n\t") == "a\nb\tc\\x1b"


@given(WORDS, st.integers(1, 30))
def test_a_cut_text_fits_and_says_that_something_is_missing(text: str, width: int) -> None:
    shown = cut(text, width)
    assert columns(shown) <= width
    if columns(text) <= width:
        assert shown == text
    else:
        assert shown.endswith("…")
        assert text.startswith(shown[:-1])


@given(WORDS, st.integers(0, 30))
def test_padding_fills_up_to_the_width(text: str, width: int) -> None:
    assert columns(pad(text, width)) == max(width, columns(text))
    assert pad(text, width).startswith(text)
    assert pad(text, width, right=True).endswith(text)


@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5),
    st.integers(20, 60),
    st.sampled_from([None, 0, 1, 2]),
)
def test_a_table_never_leaves_its_width(
    rows: list[tuple[str, str, str]], width: int, shrink: int | None
) -> None:
    lines = table(rows, width=width, shrink=shrink)
    assert len(lines) == len(rows)
    assert all(columns(one) <= width for one in lines)


def test_columns_are_aligned_wide_characters_too() -> None:
    rows = [("宽", "1", "x"), ("abc", "22", "y")]
    assert table(rows, width=80, right=frozenset({1})) == ["宽    1  x", "abc  22  y"]


def test_the_column_that_gives_way_is_cut_and_the_others_stay() -> None:
    rows = [("name", "a" * 50, "end"), ("other", "b", "end")]
    first, second = table(rows, width=30, shrink=1)
    assert first == f"name   {'a' * 17}…  end"
    assert second.endswith("  end")


@given(st.lists(st.text("abc", min_size=1, max_size=8), min_size=1, max_size=12))
def test_wrapped_text_has_all_its_pieces_in_order(pieces: list[str]) -> None:
    lines = wrap(", ".join(pieces), "  same: ", 40)
    assert all(len(one) <= 40 for one in lines)
    assert lines[0].startswith("  same: ")
    together = " ".join(one.strip() for one in lines).removeprefix("same: ")
    assert together == ", ".join(pieces)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(JSON)
def test_json_is_read_back_as_it_was_and_shows_nothing_dangerous(value: object) -> None:
    for text in (line(value), document(value)):
        assert msgspec.json.decode(text) == value
        assert not any(is_dangerous(char) for char in text if char != "\n")
    assert "\n" not in line(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_has_no_number_for_is_null(value: float) -> None:
    assert line([value]) == "[null]"


def test_bytes_that_are_no_text_come_as_their_codes() -> None:
    assert msgspec.json.decode(line({"caf\udce9": ["\udcff"]})) == {"caf\\xe9": ["\\xff"]}
