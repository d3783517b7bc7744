"""What the client raises, under the names that Metaflow's users know."""

from __future__ import annotations

from mfv.errors import MfvError, NotFoundError, UsageError


class MetaflowNotFound(NotFoundError):  # noqa: N818
    """The flow, run, step, task or artifact does not exist; `hint` names near ones."""


class MetaflowKeyError(MetaflowNotFound, KeyError):
    """`parent[child]` found no such child: a KeyError that says what there is."""


class MetaflowNamespaceMismatch(NotFoundError):  # noqa: N818
    """It exists, and not in the namespace that is chosen; `namespace(None)` shows everything."""

    code = "namespace-mismatch"

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"{name} is not in the namespace {namespace!r}",
            hint="namespace(None) shows the runs of everybody",
        )
        self.namespace = namespace


class MetaflowInvalidPathspec(UsageError):  # noqa: N818
    """The text has not as many parts as the kind of object that it was given to."""


class MetaflowTaggingError(UsageError):
    """The tags cannot be changed like that; nothing of the call was applied."""


class DamagedLogWarning(UserWarning):
    """The log is damaged: runs, tags and notes may be missing from what the client tells."""


class TaskError(MfvError):
    """Why a task failed, as its record tells: nothing of the user's is imported or unpickled."""

    code = "task-failed"

    def __init__(self, type_name: str, exception: str, stacktrace: str) -> None:
        super().__init__(exception)
        self.type = type_name  # dotted name of the class: builtins.ValueError, __main__.Mine
        self.exception = exception  # its text
        self.stacktrace = stacktrace  # empty where the process died without one

    def __str__(self) -> str:
        return self.stacktrace or f"{self.type}: {self.exception}"

    def __repr__(self) -> str:
        return f"TaskError({self.type!r}, {self.exception!r})"
