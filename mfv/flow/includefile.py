"""`IncludeFile`: a parameter that names a file, whose content is the value."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from mfv.errors import FlowError, ParameterError
from mfv.flow.parameters import Parameter
from mfv.flow.parsers import Parser, check_parser, parse_with


class IncludeFile(Parameter):
    """A local file that a run is given: `table = IncludeFile("table", default="data.csv")`.

    The option names the file, relative to the working folder; `~` is the home folder. It is read
    once, before the run, and steps and the client see the content: str, with line ends as `\\n`,
    or bytes with `is_text=False`. In steps it is what `parser` makes of the content, if there is
    one: a function, or the dotted name of one. `default` is a path or a function that gives one.
    """

    _PLACEHOLDER = "FILE"

    is_text: bool
    encoding: str
    parser: Parser | None

    def __init__(
        self,
        name: str,
        required: bool | None = None,
        is_text: bool | None = None,
        encoding: str | None = None,
        help: str | None = None,
        parser: Parser | None = None,
        **kwargs: Any,
    ) -> None:
        own = {"is_text": is_text, "encoding": encoding, "parser": parser}
        self._begin(name, {**kwargs, "required": required, "help": help, **own})

    def _declare(
        self,
        default: Any = None,
        type: Any = None,
        help: str | None = None,
        required: bool | None = None,
        show_default: bool | None = None,
        separator: str | None = None,
        is_text: bool | None = None,
        encoding: str | None = None,
        parser: Parser | None = None,
        **kwargs: Any,
    ) -> None:
        subject = f"IncludeFile '{self.name}'"
        if isinstance(default, os.PathLike):
            default = os.fspath(default)
        if default is not None and not callable(default) and not isinstance(default, str):
            raise FlowError(
                f"the default of {subject} is of type {default.__class__.__name__}",
                hint="give the path of a file, or a function that gives one",
            )
        if type is not None or separator is not None:
            raise FlowError(
                f"{subject} has a {'separator' if type is None else 'type'}",
                hint="leave it out, and give a parser that makes of the content what you need",
            )
        check_parser(parser, subject)
        super()._declare(default, str, help, required, show_default, **kwargs)
        self.is_text = is_text is not False
        self.encoding = encoding or "utf-8"
        self.parser = parser
        _check_encoding(self)

    def __repr__(self) -> str:
        return f"IncludeFile({self.name!r}, is_text={self.is_text}, default={self.default!r})"


class Included(NamedTuple):
    """A file as a run was given it."""

    path: str  # as typed
    content: str | bytes  # what is recorded, and what the client gives
    value: object  # what steps see


def include(parameter: IncludeFile, path: str) -> Included:
    """Reads the file; ParameterError, which names it, for what cannot be read or parsed."""
    subject = f"IncludeFile '{parameter.name}'"
    content = _read(parameter, path)
    if parameter.parser is None:
        return Included(path, content, content)
    return Included(path, content, parse_with(parameter.parser, content, f"{subject} ({path})"))


def restore(parameter: Parameter, recorded: object) -> object:
    """What steps see of a recorded content: the same, or what the parser makes of it."""
    if not isinstance(parameter, IncludeFile) or parameter.parser is None or recorded is None:
        return recorded
    return parse_with(parameter.parser, recorded, f"IncludeFile '{parameter.name}'")


def _read(parameter: IncludeFile, path: str) -> str | bytes:
    place = os.path.expanduser(path)
    again = f"give --{parameter.name} the path of a file"
    try:
        if not parameter.is_text:
            with open(place, "rb") as file:
                return file.read()
        with open(place, encoding=parameter.encoding) as text:
            return text.read()
    except FileNotFoundError:
        hint = f"{again}; it is looked for in {os.getcwd()}"
        if "://" in path:
            hint = f"{again} on this machine, and fetch it before or in a step"
        elif os.path.isabs(place):
            hint = again
        raise _cannot(parameter, f"there is no file {path}", hint) from None
    except IsADirectoryError:
        raise _cannot(parameter, f"{path} is a folder", again) from None
    except UnicodeError as error:
        raise _cannot(
            parameter,
            f"{path} is no text in {parameter.encoding}: {error}",
            'say which it is in with encoding="…", or is_text=False to get the bytes',
        ) from None
    except (OSError, ValueError) as error:  # no permission; a path with a null character
        why = getattr(error, "strerror", None) or error
        raise _cannot(parameter, f"{path} cannot be read: {why}", again) from None


def _cannot(parameter: IncludeFile, why: str, hint: str) -> ParameterError:
    return ParameterError(f"IncludeFile '{parameter.name}': {why}", hint=hint)


def _check_encoding(parameter: IncludeFile) -> None:
    import codecs

    try:
        codecs.lookup(parameter.encoding)
        "".encode(parameter.encoding)  # the others code bytes as bytes
    except LookupError as error:
        raise FlowError(
            f"IncludeFile '{parameter.name}': {error}",
            hint='name an encoding that Python knows, such as "utf-8" or "latin-1"',
        ) from None
