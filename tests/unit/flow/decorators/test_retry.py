"""`@retry`: what may be asked for."""

from __future__ import annotations

import linecache
from typing import Any

import pytest
from attempting import begin, refusal

from mfv.flow.decorators.base import policy_of
from mfv.flow.decorators.catch import catch
from mfv.flow.decorators.retry import retry
from mfv.flow.spec import FlowSpec, step


def flow(**attributes: Any) -> type[FlowSpec]:
    class F(FlowSpec):
        @retry(**attributes)
        @step
        def start(self) -> None: ...

    return F


@pytest.mark.parametrize("times", [0, 4, "4"])
def test_up_to_four_retries_are_possible(times: object) -> None:
    asked = flow(times=times)
    begin(asked)
    assert policy_of(asked, "start").retries == int(str(times))


@pytest.mark.parametrize("times", [5, -1, "5"])
def test_more_or_fewer_are_refused_at_the_line_of_the_decorator(times: object) -> None:
    error = refusal(flow(times=times))
    assert f"@retry of step 'start' has times={times}" in error.message
    assert error.hint == "0 to 4 retries are possible"
    assert error.file == __file__ and error.line
    assert linecache.getline(error.file, error.line).strip() == "@retry(**attributes)"


@pytest.mark.parametrize("times", ["many", None, 1.5, [2]])
def test_what_is_no_whole_number_of_times_is_refused(times: object) -> None:
    assert "which is not a whole number" in refusal(flow(times=times)).message


@pytest.mark.parametrize("minutes", ["soon", None, -1, float("nan"), "inf"])
def test_what_is_no_time_to_wait_is_refused(minutes: object) -> None:
    assert "minutes" in refusal(flow(minutes_between_retries=minutes)).message


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 0.0), (0.05, 3.0), ("1.5", 90.0)])
def test_fractions_of_minutes_are_fine(minutes: object, seconds: float) -> None:
    asked = flow(minutes_between_retries=minutes)
    begin(asked)
    assert policy_of(asked, "start").wait == pytest.approx(seconds)


def test_a_task_has_at_most_six_attempts_fallbacks_included() -> None:
    class F(FlowSpec):
        @catch
        @retry(times=4)
        @step
        def start(self) -> None: ...

        @catch
        @step
        def lone(self) -> None: ...

    assert policy_of(F, "start")[:3] == (4, 120.0, 1)
    assert policy_of(F, "lone").fallbacks == 3
