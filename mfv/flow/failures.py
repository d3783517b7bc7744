"""What went wrong in a step, as it is recorded: text, never an object of the user's."""

from __future__ import annotations

import traceback

from mfv.errors import MfvError
from mfv.manifest.records import Failure
from mfv.manifest.text import printable

_LONGEST = 4096  # characters of a message


def describe(error: BaseException) -> Failure:
    """The error as recorded, with the traceback from the user's own code on."""
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return Failure(
        printable(f"{module}{kind.__qualname__}"),
        printable(said(error))[:_LONGEST],
        traceback_of(error),
    )


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, without the frames of ours that come first.

    An error that we raise where no code of the user's runs is its own explanation.
    """
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("mfv."):
        frames = frames.tb_next
    if frames is None and not isinstance(error, MfvError):
        frames = error.__traceback__
    lines = traceback.format_exception(type(error), error, frames)
    return printable("".join(lines))


def said(error: BaseException) -> str:
    """What an error says of itself."""
    if isinstance(error, MfvError):
        return error.message
    try:
        return str(error)
    except Exception:  # the user's own method
        return "<its text cannot be had>"
