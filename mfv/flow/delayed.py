"""Values of configs that are written in a flow before any config is known.

A class body and the arguments of its decorators are evaluated while the file is imported, and the
configs are read after that. So `config.model.depth` gives a `Delayed` there, which remembers the
way to the value; `resolve_delayed` walks it once the configs of the run are known.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, NamedTuple, NoReturn

from mfv.errors import FlowError, did_you_mean
from mfv.flow.configvalue import plain

UNPACKED = "_unpacked_delayed_"  # begins the one key of `**config.entry`

# The values of the configs of the run, by name; by thread, as several flows may be loaded.
_known: ContextVar[Mapping[str, object] | None] = ContextVar("configs", default=None)


def know(values: Mapping[str, object]) -> None:
    """From now on, in this thread, the configs have these values, by name."""
    _known.set(dict(values))


def known() -> Mapping[str, object] | None:
    """The values of the configs by name; None while nothing has read them."""
    return _known.get()


class _Access(NamedTuple):
    key: Any
    is_item: bool  # written as [key]


class Delayed:
    """A value that is known once the configs are: `config.a["b"]`, or a `config_expr`."""

    __slots__ = ("_code", "_globals", "_path", "_text", "_where")

    _text: str  # the expression, or the name of the config
    _code: CodeType | None  # of an expression
    _path: tuple[_Access, ...]  # from there on
    _where: tuple[str, int]  # file and line

    def __init__(
        self,
        text: str,
        code: CodeType | None,
        namespace: dict[str, Any] | None,
        path: tuple[_Access, ...],
        where: tuple[str, int],
    ) -> None:
        self._text, self._code, self._globals = text, code, namespace
        self._path, self._where = path, where

    def keys(self) -> list[str]:
        """For `**config.entry`: one key that stands for all of them."""
        return [f"{UNPACKED}{id(self)}"]

    def __getattr__(self, name: str) -> Delayed:
        if name.startswith("_"):  # copying and pickling ask; an entry of such a name wants []
            raise AttributeError(name)
        return self._further(_Access(name, False))

    def __getitem__(self, key: Any) -> Delayed:
        if isinstance(key, str) and key.startswith(UNPACKED):
            return self
        return self._further(_Access(key, True))

    def __repr__(self) -> str:
        return f"<value of {_written(self)}>"

    def _further(self, access: _Access) -> Delayed:
        path = (*self._path, access)
        return Delayed(self._text, self._code, self._globals, path, self._where)

    def _early(self, *_: object) -> NoReturn:
        raise too_early(_written(self))

    __bool__ = __call__ = __iter__ = __len__ = __contains__ = _early
    __str__ = __format__ = __int__ = __float__ = __index__ = _early
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __or__ = __and__ = _early
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _early
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __pow__ = __rpow__ = _early


def too_early(written: str) -> FlowError:
    """The error for using a config's value where it is not known yet."""
    return FlowError(
        f"{written} is not known yet: configs are read after the class is defined",
        hint=f'write config_expr("{written}") with what is to be done inside the quotes, or do '
        "it in a step",
    )


def entry(config: str, key: Any, *, is_item: bool, frame: FrameType) -> Delayed:
    """What `config.key` or `config[key]` means in a class body; `frame` is where it stands."""
    return Delayed(config, None, None, (_Access(key, is_item),), _place(frame))


def whole(config: Any) -> Delayed:
    """A config's whole value."""
    return Delayed(config._spec.name, None, None, (), config._spec.where)


def config_expr(expr: str) -> Any:
    """An expression over configs by their names, evaluated when they are known.

    `@project(name=config_expr("config").project)` before the class that has the config, and
    `config_expr("config.bar.lower()")` for more than a way to a value. The names of the module
    that it is written in can be used. Raises FlowError for what is no expression.
    """
    frame = sys._getframe(1)
    file, line = _place(frame)
    try:
        code = compile(expr.strip(), f"{file}:{line}", "eval")
    except (SyntaxError, ValueError) as error:
        raise FlowError(
            f"config_expr({expr!r}) is no expression: {error}",
            file=file,
            line=line,
            hint='write one over the names of configs: config_expr("config.model.depth * 2")',
        ) from None
    return Delayed(expr.strip(), code, frame.f_globals, (), (file, line))


def is_delayed(value: object) -> bool:
    """Whether `value` has anything in it for `resolve_delayed` to do."""
    if isinstance(value, Mapping) and not _is_config(value):
        return any(is_delayed(key) or is_delayed(inner) for key, inner in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(is_delayed, value))
    return isinstance(value, Delayed) or _is_config(value)


def resolve_delayed(value: Any) -> Any:
    """`value` with what it says of configs replaced by their values, as plain dicts.

    Goes into dicts (keys too, and `**config.entry`), lists, tuples and sets; everything else is
    returned as it is. Raises FlowError, with file and line, for what a config does not have, or
    while no config is known.
    """
    if isinstance(value, Delayed):
        return plain(_value(value))
    if _is_config(value):
        return plain(_value(whole(value)))
    if type(value) is dict:
        resolved: dict[Any, Any] = {}
        for key, inner in value.items():
            if isinstance(key, str) and key.startswith(UNPACKED):
                resolved.update(_mapping(inner if isinstance(inner, Delayed) else whole(inner)))
            else:
                resolved[resolve_delayed(key)] = resolve_delayed(inner)
        return resolved
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(map(resolve_delayed, value))
    return value


def _is_config(value: object) -> bool:
    return getattr(type(value), "IS_CONFIG_PARAMETER", False) is True


def _mapping(delayed: Delayed) -> Mapping[Any, Any]:
    found = resolve_delayed(delayed)
    if not isinstance(found, Mapping):
        raise _wrong(
            delayed,
            f"**{_written(delayed)} is of type {type(found).__name__}, which has no names",
            "only an object of the config can stand behind **",
        )
    return found


def _value(delayed: Delayed) -> Any:
    if delayed._code is None:
        found = _config(delayed._text, delayed)
    else:
        found = _evaluated(delayed, delayed._code)
    for place, access in enumerate(delayed._path):
        key = resolve_delayed(access.key)
        try:
            is_entry = access.is_item or (_has_keys(found) and key in found)
            found = found[key] if is_entry else getattr(found, key)
        except (AttributeError, LookupError, TypeError) as error:
            before = _written(delayed, place)
            names = [key for key in found if isinstance(key, str)] if _has_keys(found) else []
            if found is None and place == 0 and delayed._code is None:
                what = f"config '{delayed._text}' has no value"
            elif _has_keys(found):
                what = f"{before} has no {key!r}"
            else:
                what = f"{before} is of type {type(found).__name__}: {error}"
            listed = f"it has {', '.join(names[:20])}" if names else "correct the config"
            raise _wrong(delayed, what, did_you_mean(str(key), names) or listed) from None
    return found


def _evaluated(delayed: Delayed, code: CodeType) -> Any:
    values = known()
    if values is None:
        raise _unknown(delayed)
    try:
        # The user's own expression, over the user's own module.
        return eval(code, {**(delayed._globals or {}), **values})
    except Exception as error:
        listed = ", ".join(values) or "none"
        raise _wrong(
            delayed,
            f"config_expr({delayed._text!r}) failed: {type(error).__name__}: {error}",
            f"the configs of the flow are: {listed}",
        ) from error


def _config(name: str, delayed: Delayed) -> Any:
    values = known()
    if values is None:
        raise _unknown(delayed)
    if name not in values:
        raise _wrong(
            delayed,
            f"config '{name}' belongs to another flow",
            "use the configs of the flow itself, or of one that it extends",
        )
    return values[name]


def _unknown(delayed: Delayed) -> FlowError:
    return _wrong(
        delayed, f"{_written(delayed)} is not known: no run is being started", "run the flow"
    )


def _wrong(delayed: Delayed, message: str, hint: str) -> FlowError:
    file, line = delayed._where
    return FlowError(message, file=file, line=line, hint=hint)


def _has_keys(value: object) -> bool:
    return isinstance(value, Mapping)


def _written(delayed: Delayed, places: int | None = None) -> str:
    """The value as one would write it, up to a place on its path."""
    text = delayed._text if delayed._code is None or delayed._text.isidentifier() else ""
    text = text or (f"({delayed._text})" if delayed._path else delayed._text)
    for access in delayed._path[:places]:
        text += f"[{access.key!r}]" if access.is_item else f".{access.key}"
    return text


def _place(frame: FrameType) -> tuple[str, int]:
    return frame.f_code.co_filename, frame.f_lineno
