"""Typer commands out of our declarations: for help, completion, and errors in usage."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import typer

from mfv.cli.command import Option, Param

_SETTINGS = {"help_option_names": ["-h", "--help"]}


class Declared(NamedTuple):
    """One command to be shown to Typer."""

    name: str
    params: Sequence[Param]
    run: Callable[..., Any]
    help: str
    group: str | None = None


def application(name: str, help: str, commands: Iterable[Declared], *, root: bool) -> typer.Typer:
    """A Typer application; with `root` it has the options of `mfv` itself."""
    app = typer.Typer(
        name=name,
        help=help,
        context_settings=_SETTINGS,
        no_args_is_help=True,
        rich_markup_mode="rich",
        add_completion=root,
        pretty_exceptions_enable=False,
    )
    if root:
        app.callback()(_root)
    else:
        app.callback()(lambda: None)  # one command alone keeps its name
    for command in commands:
        verbatim = any(param.is_rest for param in command.params)
        extra = {"ignore_unknown_options": True, "allow_interspersed_args": False}
        app.command(
            command.name,
            help=command.help,
            rich_help_panel=command.group,
            context_settings={**_SETTINGS, **(extra if verbatim else {})},
        )(_typed(command))
    return app


def _root(
    folder: Annotated[
        str | None, typer.Option("-C", metavar="DIR", help="Run as if started in DIR.")
    ] = None,
    no_pager: Annotated[bool, typer.Option("--no-pager", help="Never page long output.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version of mfv and stop.")
    ] = False,
) -> None:
    """Takes the options before the command; `mfv.cli.main` has acted on them already."""


def _typed(command: Declared) -> Callable[..., Any]:
    """A function with the signature that Typer reads, which calls the command."""

    def run(**values: Any) -> Any:
        for param in command.params:
            if param.many:
                values[param.name] = list(values[param.name] or ())
        return command.run(**values)

    parameters = []
    for param in command.params:
        kind: Any = list[param.kind] if param.many else param.kind  # type: ignore[name-defined]
        if not param.required and param.default is None and not param.many:
            kind = kind | None
        annotation = Annotated[kind, _typer_marker(param)]
        default = inspect.Parameter.empty if param.required else (param.default or None)
        if param.is_flag:
            default = bool(param.default)
        elif not param.required and not param.many:
            default = param.default
        parameters.append(
            inspect.Parameter(
                param.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
        )
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__ = command.name.replace("-", "_")
    run.__doc__ = command.help
    return run


def _typer_marker(param: Param) -> Any:
    marker = param.marker
    if isinstance(marker, Option):
        shown = not (param.is_flag or param.many or param.default in (None, ""))
        return typer.Option(
            *marker.flags, help=marker.help, metavar=marker.metavar, show_default=shown
        )
    return typer.Argument(help=marker.help, metavar=marker.metavar, show_default=False)
