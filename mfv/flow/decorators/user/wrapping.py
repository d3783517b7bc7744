"""Runs a step with the user's own decorators around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mfv.flow.decorators.base import RunningTask
from mfv.flow.decorators.running import go_on
from mfv.flow.decorators.user.step import UserStepDecorator
from mfv.flow.spec import FlowStateError


def wrapped(
    task: RunningTask, wrappers: Sequence[UserStepDecorator], function: Callable[..., Any]
) -> Callable[..., Any]:
    """`function` with everything that `wrappers` do; the outermost, the last of them, begins."""

    def run(*arguments: Any) -> None:
        _run(task, wrappers, function, arguments)

    return run


def _run(
    task: RunningTask,
    wrappers: Sequence[UserStepDecorator],
    function: Callable[..., Any],
    arguments: Sequence[Any],
) -> None:
    name, flow = task.node.name, task.flow
    inputs = arguments[0] if arguments else None
    entered: list[UserStepDecorator] = []
    replacement: Callable[..., Any] | None = None
    leaving: Any = None  # what self.next is to be called with; None where the step did it
    for wrapper in reversed(wrappers):
        replacement = wrapper.pre_step(name, flow, inputs)
        entered.append(wrapper)
        leaving = wrapper.skip_step or (True if wrapper.skip_step == {} else None)
        if leaving or replacement:
            break
    error: Exception | None = None
    failed = False
    try:
        if not leaving:
            if replacement is None:
                function(*arguments)
            else:
                leaving = _answer(replacement(flow, *arguments))
    except Exception as raised:
        error, failed = raised, True
    for wrapper in reversed(entered):
        try:
            answer = wrapper.post_step(name, flow, error)
        except Exception as raised:
            answer = raised
        if isinstance(answer, tuple) and len(answer) == 2:
            error, said = answer
            leaving = leaving if said is None else _answer(said)
        elif answer is None or isinstance(answer, Exception):
            error = answer
        else:
            raise FlowStateError(
                f"post_step of @{wrapper.shown} returns {answer!r}",
                hint="return an exception, None, or such a one and a dict for self.next",
            )
    if error is not None:
        raise error
    if leaving or (failed and leaving is None):
        go_on(task, **(leaving if isinstance(leaving, dict) else {}))


def _answer(value: Any) -> Any:
    """What self.next is to be called with: a dict, True for what the step has, None for not."""
    if value == {} and isinstance(value, dict):
        return True
    if value is None or value is False:
        return None
    if value is True or isinstance(value, dict):
        return value
    raise FlowStateError(
        f"what is to be handed to self.next is {value!r}",
        hint="give True for what the step has, or a dict such as {'foreach': 'items'}",
    )
