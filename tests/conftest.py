from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    # A shell that runs the suite in the background has it ignore Ctrl-C, and so do all processes
    # that the tests start and then interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="More rounds where chance decides: 50 kills, two minutes of gc beside writers.",
    )


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether `--long` was given."""
    return bool(request.config.getoption("--long"))
