"""Tasks that are to end are asked, asked again, and killed."""

from __future__ import annotations

import signal

import pytest

from mfv.flow import insistence as module
from mfv.flow.insistence import Insistence


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_nothing_is_sent_before_somebody_asks(clock: Clock) -> None:
    sent: list[int] = []
    stop = Insistence(sent.append)
    assert (stop.asked, stop.press(), sent) == (False, None, [])


def test_each_signal_is_sent_when_the_one_before_had_its_time(clock: Clock) -> None:
    sent: list[int] = []
    stop = Insistence(sent.append)
    stop.ask()
    assert stop.asked
    assert sent == [signal.SIGINT]
    clock.now += 1
    assert stop.press() == pytest.approx(2)
    clock.now += 2
    assert stop.press() == pytest.approx(3)
    assert sent == [signal.SIGINT, signal.SIGTERM]
    clock.now += 3
    assert stop.press() is None
    assert sent == [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    clock.now += 100
    assert stop.press() is None
    assert len(sent) == 3


def test_whoever_asks_twice_does_not_want_to_wait(clock: Clock) -> None:
    sent: list[int] = []
    stop = Insistence(sent.append)
    stop.ask()
    stop.ask()
    assert sent == [signal.SIGINT, signal.SIGKILL]
    assert stop.press() is None
