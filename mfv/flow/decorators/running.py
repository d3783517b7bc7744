"""Runs a step's function together with everything that decorates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mfv.flow.decorators.base import RunningTask, decoration_of
from mfv.flow.spec import FlowStateError


def run_decorated(task: RunningTask, arguments: Sequence[Any]) -> Exception | None:
    """Runs the step; returns an exception that a decorator dealt with, raises any other.

    What `before` and `after` raise is the step's own failure, and every decorator hears of a
    failure, even if one before it has dealt with it.
    """
    worn = decoration_of(type(task.flow), task.node.name)
    decorators = worn.decorators
    function: Callable[..., Any] = getattr(task.flow, task.node.name)
    try:
        for decorator in decorators:
            decorator.enter(task)
        for decorator in decorators:
            decorator.before(task)
        if worn.wrappers:
            from mfv.flow.decorators.user.wrapping import wrapped

            function = wrapped(task, worn.wrappers, function)
        # Outside of what users wrap around a step: a fallback runs nothing of theirs.
        for decorator in decorators:
            function = decorator.wrap(task, function)
        function(*arguments)
        for decorator in decorators:
            decorator.after(task)
    except Exception as error:
        heard = [decorator.failed(task, error) for decorator in decorators]
        if not any(heard):
            raise
        return error
    return None


def go_on(task: RunningTask, **keywords: Any) -> None:
    """Leaves the step as its source says, whether it came to its self.next or not.

    With `keywords` they are those of self.next, in the place of what is written there.
    """
    flow, node = task.flow, task.node
    flow._state().transition = None
    if not node.next:
        return
    targets = [getattr(flow, name) for name in node.next]
    if keywords:
        flow.next(*targets, **keywords)
    elif node.num_parallel:
        raise FlowStateError(
            f"step {node.name!r} did not come to its self.next, and how many parallel tasks follow "
            "is not known",
            hint='say it: {"num_parallel": 4} in the place of the empty dict or True',
        )
    elif node.condition is not None:
        flow.next(_chosen(task, node.condition))
    else:
        flow.next(*targets, foreach=node.foreach)


def _chosen(task: RunningTask, condition: str) -> Any:
    """The step that the switch of this step chooses, by the texts of its cases."""
    value = getattr(task.flow, condition, None)
    for text, step in task.node.cases:
        if text == str(value):
            return getattr(task.flow, step)
    raise FlowStateError(
        f"step {task.node.name!r} did not come to its self.next, and self.{condition}, by which "
        f"it chooses, is {value!r}",
        hint=f"set self.{condition} to one of {', '.join(text for text, _ in task.node.cases)}",
    )
