"""`@retry`: a step that failed is tried again."""

from __future__ import annotations

from typing import Any, ClassVar

from mfv.flow.decorators.base import MAX_ATTEMPTS, StepDecorator, StepMark
from mfv.flow.graph import Graph, Node
from mfv.flow.policy import Policy
from mfv.flow.spec import FlowSpec

MOST = MAX_ATTEMPTS - 2  # the first attempt aside, and one in which @catch may take over


class RetryDecorator(StepDecorator):
    """Tries a step again when it failed, or when its process died.

    `times`: attempts after the first, 0 to 4. `minutes_between_retries`: the time that really
    passes before the next attempt; fractions are fine.
    """

    name = "retry"
    defaults: ClassVar = {"times": 3, "minutes_between_retries": 2}

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        times = self._number("times", int)
        if not 0 <= times <= MOST:
            raise self.wrong(
                f"@retry of step '{node.name}' has times={times}",
                hint=f"0 to {MOST} retries are possible",
            )
        if not 0 <= self._number("minutes_between_retries", float) < float("inf"):
            raise self.wrong(
                f"@retry of step '{node.name}' cannot wait "
                f"{self.attributes['minutes_between_retries']} minutes",
                hint="give a number of minutes, 0 or more",
            )

    def policy(self, policy: Policy) -> Policy:
        times = int(self._number("times", int))
        wait = 60 * self._number("minutes_between_retries", float)
        return policy._replace(retries=max(policy.retries, times), wait=max(policy.wait, wait))

    def _number(self, attribute: str, kind: type[int] | type[float]) -> float:
        value: Any = self.attributes[attribute]
        try:
            number = kind(value)
            if isinstance(value, float) and number != value:
                raise ValueError
        except (TypeError, ValueError):
            word = "a whole number" if kind is int else "a number"
            raise self.wrong(
                f"@retry has {attribute}={value!r}, which is not {word}",
                hint=f"write @retry({attribute}={self.defaults[attribute]})",
            ) from None
        return number


retry = StepMark(RetryDecorator)
