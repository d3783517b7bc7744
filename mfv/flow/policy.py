"""How the scheduler treats the tasks of one step; its decorators say so."""

from __future__ import annotations

from typing import NamedTuple


class Policy(NamedTuple):
    """How often the tasks of a step are tried, and for how long."""

    retries: int = 0  # more attempts after the first
    wait: float = 0.0  # seconds between attempts
    fallbacks: int = 0  # further attempts that run no code of the step: see @catch
    timeout: float | None = None  # seconds

    @property
    def attempts(self) -> int:
        """How often a task is tried at most."""
        return 1 + self.retries + self.fallbacks
