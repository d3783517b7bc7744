"""`user_step_decorator`: a generator function that becomes a decorator of steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any

from mfv.errors import FlowError
from mfv.flow.decorators.base import place_outside
from mfv.flow.decorators.user.step import UserStepDecorator
from mfv.flow.spec import FlowSpec, FlowStateError

_EXAMPLE = "def timing(step_name, flow, inputs, attributes):"


def user_step_decorator(*functions: Any, **attributes: Any) -> Any:
    """Makes a step decorator of a generator `(step_name, flow, inputs[, attributes])`.

    What stands before its one `yield` runs before the step, the rest after it. It yields None, a
    function that runs in the step's place (see `UserStepDecorator.pre_step`), or a dict: the step
    is skipped, and self.next is called with what is in the dict, or as the step does it if it is
    empty. Without a yield the step is skipped as well. What the step raises is raised by the
    `yield`; if it is not raised again the step is ok. `attributes` are those of the decorator
    where it is used, over those given here.
    """
    if not functions:
        return lambda function: _made(function, attributes)
    return _made(functions[0], attributes)


def _made(function: Any, attributes: dict[str, Any]) -> type[UserStepDecorator]:
    file, line = place_outside()
    shown = getattr(function, "__name__", repr(function))
    if not inspect.isgeneratorfunction(function):
        raise FlowError(
            f"@user_step_decorator is on '{shown}', which has no yield",
            file=file,
            line=line,
            hint="put it on a generator: what stands before `yield` runs before the step",
        )
    count = len(inspect.signature(function).parameters)
    if count not in (3, 4) or (attributes and count == 3):
        raise FlowError(
            f"@user_step_decorator is on '{shown}', which takes {count} arguments",
            file=file,
            line=line,
            hint=f"write {_EXAMPLE}; without attributes the last may be left out",
        )

    class Wrapper(UserStepDecorator):
        __doc__ = function.__doc__
        _decorator_name = f"{function.__module__}.{function.__name__}"

        def init(self, **kwargs: Any) -> None:
            if kwargs and count == 3:
                raise self.wrong(
                    f"@{self.shown} has attributes, and '{shown}' takes none",
                    hint=f"write {_EXAMPLE.replace('timing', shown)}",
                )
            self._merged = {**attributes, **kwargs}

        def pre_step(
            self, step_name: str, flow: FlowSpec, inputs: Any | None = None
        ) -> Callable[..., Any] | None:
            arguments = (step_name, flow, inputs, self._merged)[:count]
            self._running: Generator[Any, None, Any] | None = function(*arguments)
            try:
                given = next(self._running)
            except StopIteration:
                self._running = None
                self.skip_step = True
                return None
            if isinstance(given, dict):
                self.skip_step = given or True
                return None
            if given is not None and not callable(given):
                raise FlowStateError(
                    f"@{self.shown} yields {given!r}",
                    hint="yield nothing, a function to run in the step's place, or a dict",
                )
            replacement: Callable[..., Any] | None = given
            return replacement

        def post_step(
            self, step_name: str, flow: FlowSpec, exception: Exception | None = None
        ) -> Any:
            if self._running is None:
                return exception, self.skip_step
            try:
                if exception is None:
                    next(self._running)
                else:
                    self._running.throw(exception)
            except StopIteration as ended:
                if isinstance(ended.value, tuple):
                    return ended.value
                return None, (self.skip_step or None) if ended.value is None else ended.value
            except Exception as error:
                return error
            return FlowStateError(
                f"@{self.shown} yields more than once", hint="let it yield once: around the step"
            )

    Wrapper.__name__ = Wrapper.__qualname__ = shown
    Wrapper.__module__ = function.__module__
    return Wrapper
