"""The lines at the bottom of a terminal: what they say, and that they fit."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.render.progress import StepCounts, replace, status
from mfv.render.terminal import Paint
from mfv.render.text import columns

NAMES = st.text(min_size=1, max_size=40)
NUMBERS = st.integers(0, 20_000)
COUNTS = st.builds(StepCounts, NAMES, NUMBERS, NUMBERS, NUMBERS, NUMBERS)


def test_steps_that_are_not_over_have_a_line_and_the_run_has_the_last() -> None:
    steps = [
        StepCounts("start", 1, 1, 0, 0),
        StepCounts("train_models", 100, 30, 0, 16),
        StepCounts("test", 30, 14, 1, 1),
    ]
    assert status(steps, 54, 75.0, width=80, height=24) == [
        "train_models  [=======                  ]  30/100  16 running",
        "test          [============             ]  15/30  1 running  1 failed",
        "1m 15s  1 failed, 17 running, 45 done, 54 waiting",
    ]


def test_a_narrow_terminal_gets_the_numbers_first() -> None:
    steps = [StepCounts("train_models", 100, 30, 0, 16)]
    assert status(steps, 54, 12.0, width=20, height=24) == [
        "trai…  30/100  1…",
        "12s  16 running,…",
    ]


def test_more_steps_than_there_is_room_for_are_counted() -> None:
    steps = [StepCounts(f"step{number}", 9, 0, 0, 1) for number in range(9)]
    lines = status(steps, 0, 1.0, width=80, height=6)
    assert len(lines) == 5
    assert lines[-2] == "and 5 steps more"


@given(st.lists(COUNTS, max_size=12), NUMBERS, st.floats(0, 1e7), st.integers(1, 200))
def test_no_line_is_wider_than_the_terminal(
    steps: list[StepCounts], waiting: int, seconds: float, width: int
) -> None:
    for height in (1, 2, 3, 24):
        lines = status(steps, waiting, seconds, width=width, height=height)
        assert len(lines) <= max(1, height - 1)
        assert all(columns(line) <= max(1, width - 3) for line in lines)
        assert all(char.isprintable() for line in lines for char in line)


@pytest.mark.parametrize("paint", [Paint(False), Paint(True)], ids=["plain", "colour"])
def test_new_lines_scroll_up_and_the_bottom_is_drawn_over(paint: Paint) -> None:
    screen = pyte.Screen(40, 12)
    stream = pyte.Stream(screen)
    screen.set_mode(pyte.modes.LNM)  # as a terminal makes `\n` begin a line
    drawn: list[str] = []
    for number in range(5):
        lines = [paint(f"step {number} of many", "cyan"), paint(f"{number}s", "bold")][number % 2 :]
        stream.feed(replace(drawn, 40, f"line {number}\n", lines))
        drawn = lines
    shown = [line.rstrip() for line in screen.display if line.strip()]
    assert shown == [*(f"line {number}" for number in range(5)), "step 4 of many", "4s"]
    stream.feed(replace(drawn, 40, "", []))
    assert [line.rstrip() for line in screen.display if line.strip()] == shown[:5]


def test_lines_that_a_narrower_terminal_broke_are_all_taken_away() -> None:
    assert replace(["x" * 50, "y"], 20, "", []) == "\r\x1b[3A\x1b[J"
