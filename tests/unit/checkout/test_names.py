"""Names out of a record that are written to a folder mean nothing to any system."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.checkout.names import Names, safe_ending, safe_name


@pytest.mark.parametrize("name", ["model", "X_train", "_hidden", "größe", "train-2"])
def test_a_usual_name_stays_what_it_is(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("", "%"),
        ("..", "%2E%2E"),
        ("../../evil", "%2E%2E%2F%2E%2E%2Fevil"),
        ("/etc/passwd", "%2Fetc%2Fpasswd"),
        ("a\\b", "a%5Cb"),
        ("a:stream", "a%3Astream"),
        ("-rf", "%2Drf"),
        ("CON", "_CON"),
        ("nul", "_nul"),
        ("line\nbreak\x1b[31m", "line%0Abreak%1B%5B31m"),
        ("\u202eevil", "%E2%80%AEevil"),
        ("ｅvil", "%EF%BD%85vil"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_any_other_is_written_in_letters_that_lead_nowhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(st.characters()))
def test_no_name_at_all_leads_out_of_its_folder(name: str) -> None:
    safe = safe_name(name)
    assert re.fullmatch(r"[\w%~-]+", safe) and not safe.startswith("-")
    assert 0 < len(safe.encode()) <= 121


@given(st.lists(st.text(st.characters(), max_size=200), unique=True))
def test_names_of_one_folder_are_told_apart_whatever_the_case(names: list[str]) -> None:
    folder = Names()
    given_away = [folder.give(safe_name(name), ".json").casefold() for name in names]
    assert len(set(given_away)) == len(names)


def test_long_names_are_cut_and_told_apart() -> None:
    one, other = safe_name("n" * 500 + "a"), safe_name("n" * 500 + "b")
    assert one != other and len(one) < 130


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("/data/table.csv", ".csv"),
        ("model.tar.gz", ".gz"),
        ("noending", ""),
        (".bashrc", ""),
        ("a/.b", ""),
        ("x.$(id)", ""),
        ("x.p/../y", ""),
        ("x.much_too_long_for_one", ""),
    ],
)
def test_an_ending_is_kept_if_it_is_a_harmless_one(path: str, ending: str) -> None:
    assert safe_ending(path) == ending
