"""What a mutator asks for: a decorator itself, its class, or a text such as `"retry:times=2"`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mfv.errors import FlowError
from mfv.flow.decorators.specs import parse_spec


class Asked(NamedTuple):
    """A decorator and its arguments."""

    kind: Any
    args: list[Any]
    kwargs: dict[str, Any]


def asked(
    deco_type: object,
    deco_args: Sequence[Any] | None,
    deco_kwargs: Mapping[str, Any] | None,
    find: Callable[[str], Any],
    wrong: Callable[..., FlowError],
) -> Asked:
    """Reads what `add_decorator` was given; `find` knows decorators by name, or raises.

    Raises what `wrong` makes where arguments are in the text and beside it.
    """
    args, kwargs = list(deco_args or ()), dict(deco_kwargs or {})
    if not isinstance(deco_type, str):
        return Asked(deco_type, args, kwargs)
    spec = parse_spec(deco_type)
    if (args or kwargs) and (spec.positional or spec.attributes):
        raise wrong(
            f"{deco_type!r} is added with further arguments",
            hint="write them all in the text, or none of them",
        )
    return Asked(find(spec.name), args or spec.positional, kwargs or spec.attributes)
