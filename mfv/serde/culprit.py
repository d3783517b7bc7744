"""Which part of a value it is that cannot be pickled."""

from __future__ import annotations

import sys
from collections.abc import Callable

from mfv.errors import UnpicklableError

_MAX_DEPTH = 12
_MAX_CHILDREN = 1000

Try = Callable[[object], object]


def explain(value: object, name: str, error: Exception, attempt: Try) -> UnpicklableError:
    """The error to raise where pickling `value`, known as `name`, raised `error`.

    `attempt` pickles one part and raises as it does.
    """
    path, culprit, reason = _culprit(value, name, error, attempt, depth=0)
    type_name = f"{type(culprit).__module__}.{type(culprit).__qualname__}"
    type_name = type_name.removeprefix("builtins.")
    return UnpicklableError(
        f"{path} cannot be stored: {type_name} ({_said(reason)})",
        path=path,
        type_name=type_name,
        hint="delete it before the step ends, or keep what you need from it in another attribute",
    )


def _culprit(
    value: object, path: str, error: Exception, attempt: Try, depth: int
) -> tuple[str, object, Exception]:
    """The deepest part of `value` that fails by itself, its path, and what it raised."""
    if depth < _MAX_DEPTH:
        for child_path, child in _children(value, path):
            try:
                attempt(child)
            except Exception as child_error:
                return _culprit(child, child_path, child_error, attempt, depth + 1)
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
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        # What else hangs on an array (a mapping of a file) is no part of its pickle.
        objects = value.flat[:_MAX_CHILDREN] if value.dtype.hasobject else ()
        return [(f"{path}.flat[{i}]", child) for i, child in enumerate(objects)]
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
