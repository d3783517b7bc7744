"""How a command is declared, and the quick reading of a plain command line.

A command is a function whose parameters are annotated with `Option` or `Argument`. That one
declaration is read twice: by `parse` below, which imports nothing and takes every command line
that is right, and by `mfv.cli.typed`, which makes a Typer command of it for help, completion and
the wording of errors. `parse` returns None for whatever it is not sure of, and Typer decides.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Option(NamedTuple):
    """Marks a parameter as an option, with its flags."""

    flags: tuple[str, ...]
    help: str
    metavar: str | None = None
    hidden: bool = False  # from the help


class Argument(NamedTuple):
    """Marks a parameter as a positional argument."""

    help: str
    metavar: str | None = None
    rest: bool = False  # takes every word that is left, options too, as it stands


def option(*flags: str, help: str, metavar: str | None = None, hidden: bool = False) -> Option:
    """`Annotated[int, option("-n", "--number", help="…")]`."""
    return Option(flags, help, metavar, hidden)


def argument(help: str, metavar: str | None = None, *, rest: bool = False) -> Argument:
    """`Annotated[str, argument("…")]`."""
    return Argument(help, metavar, rest)


class Param(NamedTuple):
    """One parameter of a command."""

    name: str
    kind: type  # str, int, float or bool
    many: bool
    required: bool
    default: Any
    marker: Option | Argument

    @property
    def is_rest(self) -> bool:
        return isinstance(self.marker, Argument) and self.marker.rest

    @property
    def is_flag(self) -> bool:
        return self.kind is bool and isinstance(self.marker, Option)


def params_of(function: Callable[..., Any], skip: int = 0) -> list[Param]:
    """The parameters of a command, in order, but for the first `skip`.

    Its module must not postpone its annotations.
    """
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    first = len(names) - len(defaults)
    found = []
    for place, name in enumerate(names):
        if place < skip:
            continue
        annotation = function.__annotations__[name]
        marker = annotation.__metadata__[0]
        kind, many = _kind(annotation.__origin__)
        required = place < first
        default = None if required else defaults[place - first]
        found.append(Param(name, kind, many, required, default, marker))
    return found


def parse(params: Sequence[Param], words: Sequence[str]) -> dict[str, Any] | None:
    """The value of every parameter, or None where the words are not plainly right."""
    flags = {flag: p for p in params if isinstance(p.marker, Option) for flag in p.marker.flags}
    given: dict[str, Any] = {}
    loose: list[str] = []
    rest = list(words)
    arguments = [param for param in params if isinstance(param.marker, Argument)]
    verbatim_after = next((i for i, param in enumerate(arguments) if param.is_rest), None)
    while rest:
        if len(loose) == verbatim_after:
            loose.extend(rest)
            break
        word = rest.pop(0)
        if word == "--":
            loose.extend(rest)
            break
        if not word.startswith("-") or word == "-":
            loose.append(word)
            continue
        name, equals, value = word.partition("=")
        if not word.startswith("--") and word not in flags and word[:2] in flags:
            name, equals, value = word[:2], "=", word[2:]
        param = flags.get(name)
        if param is None or not _take(param, given, equals, value, rest):
            return None
    return _complete(params, given, loose)


def parse_before(
    params: Sequence[Param], words: Sequence[str]
) -> tuple[dict[str, Any], list[str]] | None:
    """The value of every option before a command, and the words from the command on.

    `params` are options alone. None where the words are not plainly right.
    """
    flags = {flag: p for p in params if isinstance(p.marker, Option) for flag in p.marker.flags}
    given: dict[str, Any] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        param = flags.get(name)
        if param is None or not _take(param, given, equals, value, rest):
            return None
    values = _complete(params, given, [])
    return None if values is None else (values, rest)


def respell(params: Sequence[Param], words: Sequence[str]) -> list[str]:
    """`words` with the long options as declared where dashes stood for underscores or so."""
    flags = {flag: flag for p in params if isinstance(p.marker, Option) for flag in p.marker.flags}
    alike = {flag.replace("_", "-"): flag for flag in flags if flag.startswith("--")}
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if name not in flags and name.startswith("--"):
            name = alike.get(name.replace("_", "-"), name)
        found.append(name + equals + value)
    return found


def _take(param: Param, given: dict[str, Any], equals: str, value: str, rest: list[str]) -> bool:
    """Takes one option's value in; False if it is not plainly right."""
    if param.is_flag:
        given[param.name] = True
        return not equals
    if not equals:
        if not rest:
            return False
        value = rest.pop(0)  # also one that begins with a dash, as Typer has it
    try:
        converted = param.kind(value)
    except ValueError:
        return False
    if param.many:
        given.setdefault(param.name, []).append(converted)
    else:
        given[param.name] = converted
    return True


def _complete(
    params: Sequence[Param], given: dict[str, Any], loose: list[str]
) -> dict[str, Any] | None:
    """Hands the loose words to the arguments in order and fills in the defaults."""
    arguments = [param for param in params if isinstance(param.marker, Argument)]
    for place, param in enumerate(arguments):
        if param.many:
            after = len(arguments) - place - 1
            take = max(0, len(loose) - after)
            if take:
                given[param.name] = [param.kind(word) for word in loose[:take]]
                loose = loose[take:]
        elif loose:
            try:
                given[param.name] = param.kind(loose.pop(0))
            except ValueError:
                return None
    if loose:
        return None
    for param in params:
        if param.name not in given:
            if param.required:
                return None
            given[param.name] = list(param.default or ()) if param.many else param.default
    return given


def _kind(origin: Any) -> tuple[type, bool]:
    """The plain type behind `str`, `int | None` or `list[str]`, and whether there are many."""
    if getattr(origin, "__origin__", None) is list:
        return origin.__args__[0], True
    options = [kind for kind in getattr(origin, "__args__", ()) if kind is not type(None)]
    return (options[0] if options else origin), False
