"""Which values stand in a record."""

from __future__ import annotations

import enum
import math
from typing import Any

import numpy
import pytest

from mfv.manifest.artifact import Artifact
from mfv.manifest.encoding import decode, encode
from mfv.serde.scalar import TEXT_LIMIT, is_scalar


class Colour(enum.StrEnum):
    RED = "red"


class Flag(enum.IntEnum):
    ON = 1


class MyInt(int):
    pass


class MyText(str):
    __slots__ = ()


SCALARS = [None, True, False, 0, -1, 2**64 - 1, -(2**63), 0.0, -0.0, 1e308, math.inf, -math.inf]
SCALARS += ["", "text", "日本", "\x00\x1b", "x" * TEXT_LIMIT, "é" * (TEXT_LIMIT // 2)]

OTHERS: list[Any] = [2**64, -(2**63) - 1, 10**100, "x" * (TEXT_LIMIT + 1), "é" * TEXT_LIMIT]
OTHERS += ["\udc80", "\ud800x", b"bytes", 1j, (), [], {}, MyInt(1), MyText("x"), Colour.RED]
OTHERS += [
    Flag.ON,
    numpy.float64(0.5),
    numpy.int64(1),
    numpy.bool_(True),
    numpy.str_("x"),
    object,
]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_a_plain_value_is_a_scalar_and_comes_back_as_it_was(value: Any) -> None:
    assert is_scalar(value)
    again = decode(Artifact, encode(Artifact("x", "t", value=value))).value
    assert type(again) is type(value)
    assert again == value
    assert repr(again) == repr(value)


def test_nan_is_a_scalar() -> None:
    assert is_scalar(math.nan)


@pytest.mark.parametrize("value", OTHERS, ids=lambda value: repr(value)[:30])
def test_what_would_come_back_as_something_else_is_none(value: Any) -> None:
    assert not is_scalar(value)
