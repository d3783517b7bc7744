"""Pickle protocol 5 with large buffers out of band, so that arrays are stored without a copy."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

from mfv.errors import CorruptError, MfvError
from mfv.serde.culprit import explain
from mfv.serde.frame import Buffer, Frame
from mfv.serde.lending import Lender
from mfv.serde.reducers import reducers
from mfv.serde.stream import Stream


class LoadError(MfvError):
    """A stored value cannot be made again here, though its bytes are whole."""

    code = "cannot-load"


def dump(value: object, *, name: str) -> list[Frame]:
    """The frames of `value`: the stream first, then every large buffer, uncopied.

    Each buffer comes with its items where its owner tells them, as arrays of numbers do.
    Keep `value` unchanged until the frames are written. Raises UnpicklableError, which says
    where below `name` (`self.conn`, `self.state['lock']`) the trouble sits.
    """
    lender = Lender()
    stream = Stream(lender.keep)
    try:
        _pickle(value, stream, lender)
    except Exception as error:
        raise explain(value, name, error, _attempt) from error
    return [Frame(memoryview(stream.data)), *lender.frames]


def load(frames: Sequence[Buffer]) -> object:
    """The value behind `frames`. Runs whatever code the pickle names: only for trusted bytes.

    Raises LoadError that names what is missing here, CorruptError for bytes after the pickle.
    """
    stream = io.BytesIO(frames[0])
    try:
        value = _Unpickler(stream, buffers=frames[1:]).load()
    except LoadError:
        raise
    except (ImportError, AttributeError) as error:
        raise LoadError(
            f"this value needs something that is not here: {error}",
            hint="load it in the environment of its run (`mfv clone RUN` restores it)",
        ) from error
    except Exception as error:
        raise LoadError(
            f"unpickling raised {type(error).__name__}: {error}",
            hint="`mfv cat --raw` still writes out its bytes",
        ) from error
    if stream.read(1):
        raise CorruptError("there are bytes behind the end of the pickle")
    return value


class _Unpickler(pickle.Unpickler):
    """Says by its whole name what is not here."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError) as error:
            raise LoadError(
                f"this value needs {module}.{name}, which is not here: {error}",
                hint="load it in the environment of its run (`mfv clone RUN` restores it)",
            ) from error


def _pickle(value: object, stream: Stream, lender: Lender) -> None:
    pickler = pickle.Pickler(stream, protocol=5, buffer_callback=lender.take)
    table = reducers(lender)
    if table is not None:
        pickler.dispatch_table = table
    pickler.dump(value)


def _attempt(value: object) -> None:
    """Pickles `value` and keeps nothing of it."""
    lender = Lender()
    _pickle(value, Stream(lambda _: None), lender)
