"""What a query asks a run for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from mfv.query.expression import Plain


class Facts(Protocol):
    """One run. Whatever costs a look at its records is worked out only when it is asked for."""

    def own(self, name: str) -> Plain:
        """A field of `fields.KNOWN`; None where the run has none.

        Times in µs since 1970, the duration in seconds.
        """
        ...

    @property
    def values(self) -> Mapping[str, Mapping[str, Plain]]:
        """By section: `params`, `metrics`, `constants`. What is no scalar is None."""
        ...

    def names(self, what: str) -> Collection[str]:
        """Its names of one kind: `tag`, `step`, `flow`, `user`, `code` (the files that changed)."""
        ...

    def package(self, name: str) -> str | None:
        """The version of a package in the run's environment; None if it is not there."""
        ...
