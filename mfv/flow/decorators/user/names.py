"""The user's own decorators by name: `timing`, or `package.module.timing` where that is needed.

A short name is one that no other decorator ends with. What has been subclassed is no decorator of
its own any more, but a base.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mfv.errors import UsageError

if TYPE_CHECKING:
    from mfv.flow.decorators.user.flow import FlowMutator
    from mfv.flow.decorators.user.step import UserStepDecoratorBase

_steps: dict[str, type[UserStepDecoratorBase]] = {}  # by their full names
_flows: dict[str, type[FlowMutator]] = {}


def register_step(kind: type[UserStepDecoratorBase]) -> None:
    """Makes a class known by its name."""
    _register(_steps, kind)


def register_flow(kind: type[FlowMutator]) -> None:
    """Makes a class known by its name."""
    _register(_flows, kind)


def known_step_decorators() -> list[str]:
    """The shortest names of all that put something on a step."""
    return [short_name(kind) for kind in _steps.values()]


def find_step_decorator(name: str) -> type[UserStepDecoratorBase] | None:
    """The class of that name, imported if it is a dotted one; None if there is none."""
    found = _find(_steps, name)
    if found is None and "." in name:
        module, _, last = name.rpartition(".")
        try:
            import_module(module)
        except ImportError:
            return None
        found = _find(_steps, f"{module}.{last}")
    kind: type[UserStepDecoratorBase] | None = found
    return kind


def find_flow_mutator(name: str) -> type[FlowMutator] | None:
    """The class of that name; None if there is none."""
    kind: type[FlowMutator] | None = _find(_flows, name)
    return kind


def short_name(kind: Any) -> str:
    """The shortest end of its full name that means it alone."""
    full: str = kind.decorator_name
    names = [*_steps, *_flows]
    parts = full.split(".")
    for length in range(1, len(parts)):
        short = ".".join(parts[-length:])
        if sum(_ends(name, short) for name in names) <= 1:
            return short
    return full


def _register(known: dict[str, Any], kind: Any) -> None:
    for base in kind.__bases__:
        name = getattr(base, "decorator_name", "")
        if known.get(name) is base:
            del known[name]
    known[kind.decorator_name] = kind


def _find(known: dict[str, Any], name: str) -> Any:
    if name in known:
        return known[name]
    found = [full for full in known if _ends(full, name)]
    if len(found) > 1:
        raise UsageError(
            f"the decorator '{name}' may be any of {len(found)}",
            hint=f"write one of {', '.join(found)}",
        )
    return known[found[0]] if found else None


def _ends(full: str, short: str) -> bool:
    return full == short or full.endswith(f".{short}")
