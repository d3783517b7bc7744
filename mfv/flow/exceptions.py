"""Exceptions that users meet in steps and in artifacts, under Metaflow's names."""

from __future__ import annotations

from typing import Any

from mfv.errors import MfvError
from mfv.flow.failures import said, traceback_of


class TimeoutException(MfvError):  # noqa: N818
    """A step took longer than its @timeout allows; raised inside the step."""

    code = "timeout"


class FailureHandledByCatch(MfvError):  # noqa: N818
    """The process of a step with @catch kept dying, so that the step itself raised nothing."""

    code = "handled-by-catch"

    def __init__(self, attempts: int) -> None:
        which = "its one attempt" if attempts == 1 else f"all of its {attempts} attempts"
        super().__init__(
            f"the task ended without an exception of its own in {which}; @catch goes on without it"
        )


class MetaflowExceptionWrapper(Exception):  # noqa: N818
    """An exception as text, so that it can be stored and read where its class is unknown.

    `type` is the dotted name of the class, `exception` its text, `stacktrace` the traceback as
    Python prints it.
    """

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        if error is not None:
            kind = type(error)
            self.exception = said(error)
            self.type = f"{kind.__module__}.{kind.__qualname__}"
            self.stacktrace = traceback_of(error)

    def __reduce__(self) -> tuple[Any, ...]:
        return MetaflowExceptionWrapper, (), self.__dict__

    def __str__(self) -> str:
        return self.stacktrace

    def __repr__(self) -> str:
        return f"MetaflowExceptionWrapper({self.type}: {self.exception})"
