"""Times, sizes and numbers in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.render.units import age, count, date, duration, number, size

DAY = 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00s"),
        (-1, "0.00s"),
        (0.42, "0.42s"),
        (9.994, "9.99s"),
        (9.999, "10.0s"),
        (12.44, "12.4s"),
        (59.96, "1m 00s"),
        (185, "3m 05s"),
        (3599.4, "59m 59s"),
        (3599.9, "1h 00m"),
        (7620, "2h 07m"),
        (4 * DAY + 3600, "4d 01h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (1.9, "now"),
        (42, "42s ago"),
        (300, "5m ago"),
        (3 * 3600, "3h ago"),
        (12 * DAY, "12d ago"),
        (50 * DAY, "7w ago"),
        (3 * 365 * DAY, "3y ago"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1536, "1.54 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (3_400_000, "3.4 MB"),
        (10**15, "1 PB"),
        (10**19, "10000 PB"),
    ],
)
def test_sizes(bytes_: int, text: str) -> None:
    assert size(bytes_) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42, "42"),
        (42.0, "42.0"),
        (0.9911, "0.9911"),
        (1e-5, "1e-05"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (1 / 3, "0.333333"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_counts() -> None:
    assert (count(1, "file"), count(0, "file"), count(3, "file")) == (
        "1 file",
        "0 files",
        "3 files",
    )


@given(st.integers(-(2**63), 2**63 - 1))
def test_no_moment_is_too_far_away_to_be_told(micros: int) -> None:
    assert date(micros)
