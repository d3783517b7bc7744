"""Runs a step's function together with everything that decorates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mfv.flow.decorators.base import RunningTask, decorators_of


def run_decorated(task: RunningTask, arguments: Sequence[Any]) -> None:
    """Runs the step; raises what no decorator dealt with.

    What `before` and `after` raise is the step's own failure, and every decorator hears of a
    failure, even if one before it has dealt with it.
    """
    decorators = decorators_of(type(task.flow), task.node.name)
    function: Callable[..., Any] = getattr(task.flow, task.node.name)
    try:
        for decorator in decorators:
            decorator.enter(task)
        for decorator in decorators:
            decorator.before(task)
        for decorator in decorators:
            function = decorator.wrap(task, function)
        function(*arguments)
        for decorator in decorators:
            decorator.after(task)
    except Exception as error:
        heard = [decorator.failed(task, error) for decorator in decorators]
        if not any(heard):
            raise


def go_on(task: RunningTask) -> None:
    """Leaves the step as its source says, whether it came to its self.next or not."""
    state = task.flow._state()
    state.transition = None
    if task.node.next:
        task.flow.next(*(getattr(task.flow, name) for name in task.node.next))
