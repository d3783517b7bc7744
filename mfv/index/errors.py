"""What keeps an index from being made or used."""

from __future__ import annotations


class DamagedLogError(Exception):
    """The log has entries that cannot be read; what it adds up to is not for an index to say."""


class UnusableError(Exception):
    """The file is damaged, of another version or repository, or does not fit the log."""
