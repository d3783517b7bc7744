"""`@catch`: a step whose exception does not end the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

from mfv.flow.decorators.base import RunningTask, StepDecorator, StepMark
from mfv.flow.decorators.running import go_on
from mfv.flow.exceptions import FailureHandledByCatch, MetaflowExceptionWrapper
from mfv.flow.graph import Graph, Node
from mfv.flow.policy import Policy
from mfv.flow.source import Kind
from mfv.flow.spec import FlowSpec

FALLBACKS = 3  # a machine that kills processes may kill those that only note that it did

_KINDS = {
    Kind.FOREACH: "a foreach",
    Kind.PARALLEL: "num_parallel",
    Kind.SWITCH: "a switch",
}


class CatchDecorator(StepDecorator):
    """Goes on to the next steps although the step failed, once all its retries have.

    `var`: the artifact that holds what was raised, with `type`, `exception` and `stacktrace`, or
    None where nothing was. `print_exception`: whether the traceback is printed. What the step left
    on self before the exception is kept.
    """

    name = "catch"
    defaults: ClassVar = {"var": None, "print_exception": True}

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        if node.kind in _KINDS:
            raise self.wrong(
                f"@catch is on step '{node.name}', which goes on by {_KINDS[node.kind]}: after an "
                "exception nobody would know where to",
                hint=f"do what may fail in a step before '{node.name}', and put @catch there",
            )
        var = self.attributes["var"]
        if var is None:
            return
        if not isinstance(var, str) or not var.isidentifier():
            raise self.wrong(
                f"@catch of step '{node.name}' has var={var!r}, which no attribute can be named",
                hint='name an artifact: @catch(var="failure")',
            )
        if hasattr(flow, var):
            raise self.wrong(
                f"@catch of step '{node.name}' has var='{var}', which the flow itself has already",
                hint="choose a name that is no parameter, constant or step of the flow",
            )

    def policy(self, policy: Policy) -> Policy:
        return policy._replace(fallbacks=max(policy.fallbacks, FALLBACKS))

    def wrap(self, task: RunningTask, function: Callable[..., Any]) -> Callable[..., Any]:
        if not task.is_fallback:
            return function

        def fall_back(*_: Any) -> None:
            raise FailureHandledByCatch(task.order.attempt)

        return fall_back

    def after(self, task: RunningTask) -> None:
        self._keep(task, None)

    def failed(self, task: RunningTask, error: Exception) -> bool:
        if not task.is_last:
            return False
        kept = MetaflowExceptionWrapper(error)
        if self.attributes["print_exception"]:
            with contextlib.suppress(Exception):  # the step may have closed its output
                print(f"@catch caught an exception from {type(task.flow).__name__}")
                for line in kept.stacktrace.splitlines():
                    print(f">  {line}")
        task.flow._catch_exception = kept
        self._keep(task, kept)
        go_on(task)
        return True

    def _keep(self, task: RunningTask, value: object) -> None:
        if self.attributes["var"]:
            setattr(task.flow, self.attributes["var"], value)


catch = StepMark(CatchDecorator)
