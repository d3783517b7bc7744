"""Pickle protocol 5 with large buffers out of band, so that arrays are stored without a copy."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

from mfv.errors import CorruptError, MfvError, UnpicklableError
from mfv.serde.frame import Buffer, Frame, item_of

# Smaller buffers stay in the stream: a blob of its own would cost more than it can save.
OUT_OF_BAND_FROM = 16 * 1024  # bytes

_MAX_DEPTH = 12
_MAX_CHILDREN = 1000


class LoadError(MfvError):
    """A stored value cannot be made again here, though its bytes are whole."""

    code = "cannot-load"


def dump(value: object, *, name: str) -> list[Frame]:
    """The frames of `value`: the stream first, then every large buffer, uncopied.

    Each buffer comes with its items where its owner tells them, as arrays of numbers do.
    Keep `value` unchanged until the frames are written. Raises UnpicklableError, which says
    where below `name` (`self.conn`, `self.state['lock']`) the trouble sits.
    """
    buffers: list[Frame] = []

    def out_of_band(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:
            return True  # not contiguous: pickle copies it into the stream
        if raw.nbytes < OUT_OF_BAND_FROM:
            return True
        with memoryview(buffer) as typed:
            buffers.append(Frame(raw, item_of(typed.format, typed.itemsize)))
        return False

    out = io.BytesIO()
    try:
        pickler = pickle.Pickler(out, protocol=5, buffer_callback=out_of_band)
        if "numpy" in sys.modules:
            pickler.dispatch_table = {**copyreg.dispatch_table, **_reducers()}
        pickler.dump(value)
    except Exception as error:
        raise _explain(value, name, error) from error
    return [Frame(out.getbuffer()), *buffers]


def load(frames: Sequence[Buffer]) -> object:
    """The value behind `frames`. Runs whatever code the pickle names: only for trusted bytes.

    Raises LoadError that names what is missing here, CorruptError for bytes after the pickle.
    """
    stream = io.BytesIO(frames[0])
    try:
        value = pickle.Unpickler(stream, buffers=frames[1:]).load()
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


def _reducers() -> dict[type, Callable[[Any], Any]]:
    """How to pickle what would copy its buffer into the stream.

    numpy does not lend out the buffer of dates and durations, which are 64-bit integers in all
    but name. The pickle that comes of it names numpy alone, and any pickle module loads it.
    """
    import numpy

    def reduce(array: Any) -> Any:
        kind = array.dtype.kind
        if kind in "mM" and array.dtype.isnative and array.nbytes >= OUT_OF_BAND_FROM:
            return numpy.ndarray.view, (array.view("i8"), array.dtype)
        return array.__reduce_ex__(5)

    return {numpy.ndarray: reduce}


def _explain(value: object, name: str, error: Exception) -> UnpicklableError:
    path, culprit, reason = _culprit(value, name, error, depth=0)
    type_name = f"{type(culprit).__module__}.{type(culprit).__qualname__}"
    type_name = type_name.removeprefix("builtins.")
    return UnpicklableError(
        f"{path} cannot be stored: {type_name} ({_said(reason)})",
        path=path,
        type_name=type_name,
        hint="delete it before the step ends, or keep what you need from it in another attribute",
    )


def _culprit(
    value: object, path: str, error: Exception, depth: int
) -> tuple[str, object, Exception]:
    """The deepest part of `value` that fails by itself, its path, and what it raised."""
    if depth < _MAX_DEPTH:
        for child_path, child in _children(value, path):
            try:
                pickle.dumps(child, protocol=5, buffer_callback=lambda _: False)
            except Exception as child_error:
                return _culprit(child, child_path, child_error, depth + 1)
    return path, value, error


def _children(value: object, path: str) -> list[tuple[str, object]]:
    """The parts of `value` with their paths; none where its own methods fail."""
    try:
        return _parts(value, path)
    except Exception:
        return []


def _parts(value: object, path: str) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        pairs = list(value.items())[:_MAX_CHILDREN]
        return [(f"{path}[{key!r:.60}]", child) for key, child in pairs]
    if isinstance(value, (list, tuple)):
        return [(f"{path}[{i}]", child) for i, child in enumerate(value[:_MAX_CHILDREN])]
    if isinstance(value, (set, frozenset)):
        return [(f"{path}{{{child!r:.60}}}", child) for child in list(value)[:_MAX_CHILDREN]]
    state = getattr(value, "__dict__", None)
    if isinstance(state, dict) and not isinstance(value, type):
        return [(f"{path}.{key}", child) for key, child in list(state.items())[:_MAX_CHILDREN]]
    return []


def _said(error: Exception) -> str:
    """What `error` says, also where saying it raises."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__
