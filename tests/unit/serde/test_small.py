"""Small values as bytes that travel along."""

from __future__ import annotations

import threading

import numpy
import pytest

from mfv.serde.small import LIMIT, pack, unpack


@pytest.mark.parametrize("value", [0, None, "é", 2**70, (1, "a"), {"k": [1.5]}, numpy.float32(0.1)])
def test_a_small_value_comes_back_as_what_it_was(value: object) -> None:
    again = unpack(pack(value))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("value", ["x" * LIMIT, numpy.zeros(10**6), list(range(10**5))])
def test_a_large_value_is_given_up(value: object) -> None:
    assert pack(value) == b""


def test_what_cannot_be_pickled_is_given_up() -> None:
    assert pack(threading.Lock()) == b""
