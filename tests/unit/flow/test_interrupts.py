"""Being asked to stop: counted, never lost, and never in the middle of something."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator

import pytest

from mfv.flow import interrupts as module
from mfv.flow.interrupts import ASKING, Interrupts


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ASKING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ASKING)
def test_a_signal_is_counted_and_interrupts_nothing(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        assert interrupts.take() == 0
        signal.raise_signal(number)
        assert select.select([interrupts.fd], [], [], 0)[0]
        assert interrupts.take() == 1
        assert not select.select([interrupts.fd], [], [], 0)[0]
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert interrupts.take() == 2
        assert interrupts.take() == 0


def test_afterwards_signals_do_what_they_did_before() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mine = [signal.getsignal(number) for number in ASKING]
    with Interrupts():
        pass
    assert [signal.getsignal(number) for number in ASKING] == mine
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGHUP)
        assert interrupts.take() == 0


def test_any_number_of_signals_that_come_in_quick_succession_raise_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_HANGS_AFTER", 600.0)  # however slow the machine is
    with Interrupts() as interrupts:
        for _ in range(100_000):  # more than the pipe behind it holds
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.take() >= 1


def test_a_signal_after_one_that_nobody_took_up_for_long_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_HANGS_AFTER", 0.0)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.take()
        signal.raise_signal(signal.SIGINT)  # the first of a new series


def test_outside_of_the_main_thread_nothing_is_counted_and_nothing_breaks() -> None:
    found: list[int] = []

    def use() -> None:
        with Interrupts() as interrupts:
            found.append(interrupts.take())

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert found == [0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
