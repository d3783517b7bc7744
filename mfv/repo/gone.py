"""Bytes that are gone because somebody wanted it so, told as that and not as damage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mfv.errors import CorruptError, NotFoundError
from mfv.repo.names import RunState


class GoneError(NotFoundError):
    """The record is there, and the bytes were let go."""

    code = "gone"


@contextlib.contextmanager
def told_if_gone(
    run: RunState, name: str | None = None, *, transient: bool = False
) -> Iterator[None]:
    """Raises GoneError instead of CorruptError where the bytes of a run were let go.

    `name`: of the artifact that is read; None for a log. `transient`: it was said to be that.
    """
    try:
        yield
    except CorruptError:
        if run.swept:
            raise GoneError(
                f"the bytes of {run.name} are gone: it was removed, and a gc has swept it",
                hint=f"`mfv clone {run.name}` brings back its code and parameters, to run anew",
            ) from None
        if name is not None and name in {text.rpartition("/")[2] for text in run.dropped}:
            raise GoneError(
                f"the bytes of {name!r} of {run.name} were let go by `mfv rm --artifact`",
                hint=f"`mfv clone {run.name}` brings back what made it, to run anew",
            ) from None
        if transient and run.status == "ok":
            raise GoneError(
                f"the bytes of {name!r} of {run.name} are gone: it was transient",
                hint=f"`mfv clone {run.name}` brings back what made it, to run anew",
            ) from None
        raise
