"""Typer commands out of our declarations: for help, completion, and errors in usage.

Typer only reads the command line here; the command itself runs outside of it, so that errors,
interrupts and exit statuses are the same whichever way a line was read.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import typer
from rich.markup import escape
from typer.core import TyperCommand

from mfv.cli.command import Option, Param
from mfv.errors import UsageError

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_METAVARS = {int: "N", float: "X"}


class Declared(NamedTuple):
    """One command to be shown to Typer."""

    name: str
    params: Sequence[Param]
    run: Callable[..., Any]
    help: str
    brief: str | None = None  # one line for the list of commands
    group: str | None = None


def application(
    name: str, help: str, commands: Iterable[Declared], *, before: Declared | None = None
) -> typer.Typer:
    """A Typer application with the options of `mfv` itself, or those `before` a command instead.

    `before.run` is told their values first. A command whose name has two words stands in a group.
    Called with `standalone_mode=False` it returns what is to be called, with all arguments
    bound; after a help page it returns the exit status instead.
    """
    app = typer.Typer(
        name=name,
        help=escape(help),
        context_settings=_SETTINGS,
        rich_markup_mode="rich",
        add_completion=False,  # `mfv completion` knows runs and tags too
        pretty_exceptions_enable=False,
    )
    app.callback()(_root if before is None else _typed(before, lambda act: act()))
    groups = {"": app}
    for command in commands:
        group, _, last = command.name.rpartition(" ")
        if group not in groups:
            groups[group] = typer.Typer(context_settings=_SETTINGS, rich_markup_mode="rich")
            groups[group].callback()(lambda: None)
            app.add_typer(groups[group], name=group, help=escape(command.group or ""))
        verbatim = any(param.is_rest for param in command.params)
        extra = {"ignore_unknown_options": True, "allow_interspersed_args": False}
        groups[group].command(
            last,
            cls=_Command,
            help=escape(command.help),
            short_help=escape(command.brief or command.help),
            rich_help_panel=None if group else command.group,
            context_settings={**_SETTINGS, **(extra if verbatim else {})},
        )(_typed(command, lambda act: act))
    return app


def finish(app: typer.Typer, words: list[str], name: str) -> int:
    """Reads `words`, runs what they ask for, and returns the exit status.

    Without words: the help page. Raises UsageError for what makes no sense as typed.
    """
    try:
        found: Any = app(words or ["--help"], standalone_mode=False, prog_name=name)
    except SystemExit as end:  # a completion
        found = end.code
    except Exception as error:
        # Typer keeps the classes of these to itself; their shape is what it promises.
        if not hasattr(error, "format_message"):
            raise
        place = f"{name} {words[0]}" if words and not words[0].startswith("-") else name
        raise _usage_error(error, place) from None
    status = found() if callable(found) else found
    return status if isinstance(status, int) else 0


def _usage_error(error: Any, place: str) -> UsageError:
    near = sorted(getattr(error, "possibilities", None) or ())
    hint = f"`{place} --help` says what it takes"
    message = error.format_message()
    if near:
        message = error.message  # without the near ones, which belong into the hint
        hint = f"did you mean {' or '.join(near)}?  {hint}"
    message = message.strip().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], hint=hint)


class _Command(TyperCommand):
    """A command whose usage line shows its arguments as they are declared."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = ["[OPTIONS]"]
        for param in self.params:
            shown = param.metavar
            if param.param_type_name != "argument" or shown is None:
                continue
            pieces.append(shown if param.required or shown.startswith("[") else f"[{shown}]")
        return pieces


def _root(
    folder: Annotated[
        str | None, typer.Option("-C", metavar="DIR", help="Run as if started in DIR.")
    ] = None,
    no_pager: Annotated[bool, typer.Option("--no-pager", help="Never page long output.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version of mfv and stop.")
    ] = False,
) -> None:
    """Declares the options before the command; `mfv.cli.main` has acted on them already."""


def _typed(command: Declared, then: Callable[[Callable[[], Any]], Any]) -> Callable[..., Any]:
    """A function with the signature that Typer reads; `then` gets the bound command."""
    # A flow's parameters have names that Python would not take as names of its own.
    names = {f"p{place}": param for place, param in enumerate(command.params)}

    def bind(**values: Any) -> Any:
        given = {
            param.name: list(values[name] or ()) if param.many else values[name]
            for name, param in names.items()
        }
        return then(partial(command.run, **given))

    parameters = []
    for name, param in names.items():
        kind: Any = list[param.kind] if param.many else param.kind  # type: ignore[name-defined]
        if not param.required and param.default is None and not param.many:
            kind = kind | None
        default = inspect.Parameter.empty if param.required else (param.default or None)
        if param.is_flag:
            default = bool(param.default)
        elif not param.required and not param.many:
            default = param.default
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[kind, _typer_marker(param)],
            )
        )
    bind.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    bind.__annotations__ = {p.name: p.annotation for p in parameters}
    return bind


def _typer_marker(param: Param) -> Any:
    marker, text = param.marker, escape(param.marker.help)
    if isinstance(marker, Option):
        shown = not (param.is_flag or param.many or param.default in (None, ""))
        metavar = marker.metavar or (None if param.is_flag else _METAVARS.get(param.kind, "TEXT"))
        return typer.Option(
            *marker.flags, help=text, metavar=metavar, show_default=shown, hidden=marker.hidden
        )
    return typer.Argument(help=text, metavar=marker.metavar, show_default=False)
