"""One tree of exceptions, grouped by what a handler would do about them.

Every error says what happened and to which thing (`message`), what to do now (`hint`), under a
stable name for programs (`code`) and with the exit status of a command that ends with it.
Library code raises; only the command line prints.
"""

from __future__ import annotations

from collections.abc import Iterable

EXIT_OK = 0
EXIT_FAILED = 1  # the thing asked for failed, or differs where --exit-code asked
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_CONFLICT = 4
EXIT_CORRUPT = 5
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class MfvError(Exception):
    """The root: anything that mfv refuses or cannot do, told in one sentence."""

    code = "failed"
    exit_status = EXIT_FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if not self.hint else f"{self.message}\nhint: {self.hint}"


class UsageError(MfvError):
    """What was asked makes no sense as typed; nothing was done."""

    code = "usage"
    exit_status = EXIT_USAGE


class NotFoundError(MfvError):
    """A named thing does not exist; `hint` names near ones where there are any."""

    code = "not-found"
    exit_status = EXIT_NOT_FOUND


class AmbiguousError(NotFoundError):
    """A name or prefix means several things; `candidates` are all of them."""

    code = "ambiguous"
    exit_status = EXIT_CONFLICT

    def __init__(self, message: str, candidates: Iterable[str], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.candidates = tuple(candidates)


class ConflictError(MfvError):
    """Something is there already, or another process was first; read again and decide."""

    code = "conflict"
    exit_status = EXIT_CONFLICT


class CorruptError(MfvError):
    """Stored bytes are not what was stored; nothing of them was handed out."""

    code = "corrupt"
    exit_status = EXIT_CORRUPT


class FormatTooNewError(CorruptError):
    """Written by a newer mfv; read nothing more and rewrite nothing."""

    code = "newer-format"


class StorageError(MfvError):
    """The machine refused: full, read-only, vanished. A retry works once the cause is gone."""

    code = "storage"


class FlowError(MfvError):
    """The user's flow is wrong before any task ran: `file` and `line` (1-based) say where."""

    code = "flow"

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(where + message, hint=hint)
        self.file = file
        self.line = line


class ParameterError(MfvError):
    """A flow's parameter has no usable value."""

    code = "parameter"
    exit_status = EXIT_USAGE


class UnpicklableError(MfvError):
    """A value cannot be stored; `path` says where in the object the trouble sits."""

    code = "unpicklable"

    def __init__(self, message: str, *, path: str, type_name: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.type_name = type_name


class UntrustedError(MfvError):
    """A pickle that nobody vouched for was asked to be loaded."""

    code = "untrusted"


def near(word: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The names in `known` that `word` was probably meant to be, best first."""
    import difflib

    return difflib.get_close_matches(word, list(known), n=limit, cutoff=0.6)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the nearest of `known`, or None where nothing is near."""
    names = near(word, known)
    if not names:
        return None
    listed = " or ".join(f"'{name}'" for name in names)
    return f"did you mean {listed}?"
