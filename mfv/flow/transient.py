"""Values that later steps need and nobody after the run: kept until it went well, then let go."""

from __future__ import annotations

from typing import Any, TypeVar, cast

T = TypeVar("T")


class Transient:
    """A value on its way to an attribute of a flow, which takes it out again."""

    def __init__(self, value: Any) -> None:
        self.value = value


def transient(value: T) -> T:
    """`self.x = transient(value)`: an artifact whose bytes go once the run has succeeded.

    Later steps read it like any other, and so does a resume of a run that failed. Once the run
    ended well a gc lets its bytes go; name, type, id, size and summary stay. Set again without
    `transient`, it is kept.
    """
    return cast(T, Transient(value))
