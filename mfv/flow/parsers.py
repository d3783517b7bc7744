"""The `parser` of a Config or an IncludeFile: a function, or where one is to be found."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mfv.errors import FlowError, ParameterError

Parser = str | Callable[[Any], Any]


def check_parser(parser: object, subject: str) -> None:
    """FlowError for what is neither a function nor the dotted name of one."""
    if parser is None or callable(parser):
        return
    parts = parser.removeprefix(".").split(".") if isinstance(parser, str) else []
    if not all(part.isidentifier() for part in parts) or len(parts) < 2:
        raise FlowError(
            f"the parser of {subject} is {parser!r}",
            hint='give a function, or its name with that of its module: "my_package.parse"',
        )


def parse_with(parser: Parser, content: object, subject: str) -> Any:
    """What the parser makes of `content`; ParameterError where it fails or is not there."""
    function = _load(parser, subject) if isinstance(parser, str) else parser
    try:
        return function(content)
    except Exception as error:
        raise ParameterError(
            f"the parser of {subject} failed: {type(error).__name__}: {error}",
            hint="correct what it was given, or the parser",
        ) from error


def _load(name: str, subject: str) -> Callable[[Any], Any]:
    # As with Metaflow, a name that begins with a dot is one of the library's own.
    module, _, function = (f"mfv{name}" if name.startswith(".") else name).rpartition(".")
    try:
        found = getattr(import_module(module), function, None)
    except Exception as error:
        raise ParameterError(
            f"the parser {name!r} of {subject} cannot be imported: {type(error).__name__}: {error}",
            hint="correct its name, or install the package that it belongs to",
        ) from error
    if not callable(found):
        raise ParameterError(
            f"the parser {name!r} of {subject} is no function of {module}",
            hint="correct its name",
        )
    return found  # type: ignore[no-any-return]
