"""`@timeout`: an exception inside a step that takes too long."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest
from attempting import attempt, refusal

from mfv.flow.decorators.base import policy_of
from mfv.flow.decorators.catch import catch
from mfv.flow.decorators.timeout import timeout
from mfv.flow.exceptions import TimeoutException
from mfv.flow.spec import FlowSpec, step


class Slow(FlowSpec):
    @timeout(seconds=0.05)
    @step
    def start(self) -> None:
        self.before = 1
        try:
            threading.Event().wait(30)
        except TimeoutException:
            self.inside = True
            raise
        self.next(self.end)

    @step
    def end(self) -> None: ...


def flow(**attributes: Any) -> type[FlowSpec]:
    class F(FlowSpec):
        @timeout(**attributes)
        @step
        def start(self) -> None: ...

    return F


def test_it_is_raised_inside_the_step_and_says_after_what_time() -> None:
    tried = attempt(Slow)
    assert not tried.ok
    assert tried.message == "step 'start' timed out after 0.05 seconds"
    assert tried.values == {"before": 1, "inside": True}
    failure = tried.report.failure
    assert failure is not None and "threading.Event().wait(30)" in failure.traceback


def test_a_step_that_is_in_time_hears_nothing_afterwards() -> None:
    class F(FlowSpec):
        @timeout(minutes=1)
        @step
        def start(self) -> None:
            self.left = signal.getitimer(signal.ITIMER_REAL)[0]

    tried = attempt(F)
    assert tried.ok
    assert 50 < tried.values["left"] <= 60
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_step_that_failed_in_time_is_not_interrupted_while_it_is_stored() -> None:
    class F(FlowSpec):
        @timeout(hours=1)
        @step
        def start(self) -> None:
            raise ValueError("own")

    assert attempt(F).message == "own"
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.parametrize("catch_first", [True, False])
def test_catch_catches_it_whichever_is_above(catch_first: bool) -> None:
    def body(self: Any) -> None:
        threading.Event().wait(30)
        self.next(self.end)

    first, second = timeout(seconds=0.05), catch(var="failure")
    if not catch_first:
        first, second = second, first

    class F(FlowSpec):
        @first
        @second
        @step
        def start(self) -> None:
            threading.Event().wait(30)
            self.next(self.end)

        @step
        def end(self) -> None: ...

    tried = attempt(F)
    assert tried.ok
    assert tried.values["failure"].type == "mfv.flow.exceptions.TimeoutException"


def test_seconds_minutes_and_hours_are_added_up() -> None:
    asked = flow(seconds="1", minutes=0.5, hours=1)
    assert policy_of(asked, "start").timeout == 3631.0


def test_without_any_time_it_is_refused() -> None:
    error = refusal(flow())
    assert "@timeout of step 'start' has no time to wait for" in error.message
    assert error.file == __file__


@pytest.mark.parametrize("seconds", ["soon", None, -1, [1]])
def test_what_is_no_time_is_refused(seconds: object) -> None:
    assert "which is no time" in refusal(flow(seconds=seconds)).message


def test_a_fallback_has_no_time_limit() -> None:
    class F(FlowSpec):
        @timeout(seconds=1)
        @catch(var="failure")
        @step
        def start(self) -> None: ...

    assert attempt(F, number=1).ok
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
