"""What mutable flows and steps have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

# What happens where a decorator is added that is there already.
IGNORE, ERROR, OVERRIDE = 1, 2, 3

# Name, full name, positional arguments, attributes by name.
DecoratorSpec = tuple[str, str, list[Any], dict[str, Any]]


class Specs:
    """Questions about the decorators of something."""

    @property
    @abstractmethod
    def decorator_specs(self) -> Iterator[DecoratorSpec]:
        """All decorators."""

    def has_decorator(self, name: str) -> bool:
        """Whether there is one of that name; with a dot in it, of that full name."""
        return bool(self.get_decorator_specs(name))

    def get_decorator_specs(self, name: str) -> list[DecoratorSpec]:
        """Those of that name; with a dot in it, of that full name."""
        place = 1 if "." in name else 0
        return [spec for spec in self.decorator_specs if spec[place] == name]


def policy(duplicates: int) -> int:
    """`duplicates`, if it is one of the three; else ValueError."""
    if duplicates not in (IGNORE, ERROR, OVERRIDE):
        raise ValueError(f"duplicates is {duplicates!r}: say IGNORE, ERROR or OVERRIDE")
    return duplicates
