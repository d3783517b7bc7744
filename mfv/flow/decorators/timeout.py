"""`@timeout`: a step that takes too long gets an exception."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, ClassVar

from mfv.flow.decorators.base import RunningTask, StepDecorator, StepMark
from mfv.flow.exceptions import TimeoutException
from mfv.flow.graph import Graph, Node
from mfv.flow.policy import Policy
from mfv.flow.spec import FlowSpec

_SECONDS = {"hours": 3600, "minutes": 60, "seconds": 1}
_LONGEST = 366 * 86400  # seconds


class TimeoutDecorator(StepDecorator):
    """Raises TimeoutException inside a step that takes longer than `seconds`, `minutes`, `hours`.

    The three are added up; fractions are fine. It is an exception of the step like any other:
    @retry tries again, and each attempt has the whole time; @catch catches it.
    """

    name = "timeout"
    defaults: ClassVar = {"seconds": 0, "minutes": 0, "hours": 0}

    @property
    def seconds(self) -> float:
        """The time that one attempt may take."""
        return sum(self._number(name) * unit for name, unit in _SECONDS.items())

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        if not 0 < self.seconds <= _LONGEST:
            raise self.wrong(
                f"@timeout of step '{node.name}' has no time to wait for",
                hint="give it one of up to a year: @timeout(minutes=30)",
            )

    def policy(self, policy: Policy) -> Policy:
        return policy._replace(timeout=min(policy.timeout or self.seconds, self.seconds))

    def wrap(self, task: RunningTask, function: Callable[..., Any]) -> Callable[..., Any]:
        if task.is_fallback:
            return function
        parts = [f"{self.attributes[name]} {name}" for name in _SECONDS if name in self.given]
        message = f"step '{task.node.name}' timed out after {', '.join(parts)}"

        def ring(number: int, frame: FrameType | None) -> None:
            raise TimeoutException(message)

        def timed(*arguments: Any) -> Any:
            signal.signal(signal.SIGALRM, ring)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
            try:
                return function(*arguments)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)

        return timed

    def _number(self, name: str) -> float:
        value = self.attributes[name]
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not number >= 0:
            raise self.wrong(
                f"@timeout has {name}={value!r}, which is no time",
                hint=f"give a number of {name}: @timeout({name}=30)",
            )
        return number


timeout = StepMark(TimeoutDecorator)
