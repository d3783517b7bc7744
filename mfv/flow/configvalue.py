"""`ConfigValue`: what a step sees of a Config, a dict whose entries are attributes as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from mfv.errors import did_you_mean


class ConfigValue(dict[Any, Any]):
    """A read-only dict, `config["model"]["depth"]` or `config.model.depth`, to any depth.

    Mappings inside are ConfigValues too, also those in lists, tuples and sets. An entry with the
    name of a method of dict (`items`) is reached by `[]` alone. What would change it raises
    TypeError; `to_dict` gives plain dicts that may be changed.
    """

    def __init__(self, data: Mapping[Any, Any]) -> None:
        super().__init__({key: _wrapped(value) for key, value in data.items()})

    @classmethod
    def fromkeys(cls, iterable: Iterable[Any], value: Any = None) -> ConfigValue:
        """A ConfigValue with these keys, each with `value`."""
        return cls(dict.fromkeys(iterable, value))

    def to_dict(self) -> dict[Any, Any]:
        """The same as plain dicts, those inside too."""
        return {key: plain(value) for key, value in self.items()}

    def copy(self) -> ConfigValue:
        return ConfigValue(self)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        hint = did_you_mean(name, (key for key in self if isinstance(key, str)))
        message = f"the config has no {name!r} here"
        raise AttributeError(f"{message}; {hint}" if hint else message, name=name, obj=self)

    def __dir__(self) -> list[str]:
        keys = (key for key in self if isinstance(key, str) and key.isidentifier())
        return [*super().__dir__(), *keys]

    def __reduce__(self) -> tuple[type[ConfigValue], tuple[dict[Any, Any]]]:
        return ConfigValue, (self.to_dict(),)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a ConfigValue is read-only; to_dict() gives a copy that can be changed")

    __setattr__ = __delattr__ = __setitem__ = __delitem__ = __ior__ = _refuse
    clear = update = setdefault = pop = popitem = _refuse


def _wrapped(value: Any) -> Any:
    if isinstance(value, ConfigValue):
        return value
    if isinstance(value, Mapping):
        return ConfigValue(value)
    return _each(value, _wrapped)


def plain(value: Any) -> Any:
    """`value` with a plain dict for every mapping in it."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return _each(value, plain)


def _each(value: Any, act: Any) -> Any:
    if type(value) in (list, tuple, set):
        return type(value)(map(act, value))
    return value
