"""`mfv`: finds the command, runs it, and turns what went wrong into one message and a status."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

LOOK, RUN, NAME, REPRODUCE, KEEP = "Look", "Run", "Name", "Reproduce", "Keep"


class Entry(NamedTuple):
    """A command: where its function is, what it does in one line, and its group in the help."""

    module: str
    help: str
    group: str


COMMANDS = {
    "init": Entry("init", "Make a repository here.", RUN),
    "run": Entry("run", "Run a flow: the same as `python FLOW.py run`.", RUN),
    "log": Entry("log", "List runs, newest first.", LOOK),
    "show": Entry("show", "Show a run, a step, a task or an artifact.", LOOK),
    "cat": Entry("cat", "Write out an artifact, a log or a file of the code.", LOOK),
    "diff": Entry("diff", "Compare two runs.", LOOK),
    "logs": Entry("logs", "Print what tasks printed.", LOOK),
    "tag": Entry("tag", "List, add, move or remove tags.", NAME),
    "clone": Entry("clone", "Bring back the code and inputs of a run.", REPRODUCE),
    "gc": Entry("gc", "Delete what no run needs.", KEEP),
    "fsck": Entry("fsck", "Check the repository.", KEEP),
}

_INTERRUPTED, _PIPE_CLOSED = 130, 141  # as a shell reports SIGINT and SIGPIPE


class Settings(NamedTuple):
    """The options before the command."""

    folder: str | None = None
    pager: bool = True


settings = Settings()


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command line; returns the exit status that the README documents."""
    return guarded(lambda: _dispatch(list(sys.argv[1:] if words is None else words)))


def guarded(act: Callable[[], int]) -> int:
    """Runs `act`; an error becomes a message on stderr and its exit status, never a traceback."""
    try:
        status = act()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _PIPE_CLOSED
    except Exception as error:
        from mfv.errors import MfvError

        if not isinstance(error, (MfvError, RecursionError, MemoryError, OSError)):
            raise
        return report(error)


def report(error: Exception) -> int:
    """Prints an error as mfv words it; returns its exit status."""
    from mfv.errors import EXIT_FAILED, MfvError
    from mfv.render.terminal import Paint, coloured
    from mfv.render.text import escape

    paint = Paint(coloured(sys.stderr))
    message = error.message if isinstance(error, MfvError) else str(error) or repr(error)
    sys.stdout.flush()
    print(f"{paint('error:', 'red', 'bold')} {escape(message, keep=chr(10))}", file=sys.stderr)
    hint = error.hint if isinstance(error, MfvError) else None
    if hint:
        print(f"{paint('hint:', 'cyan')} {escape(hint, keep=chr(10))}", file=sys.stderr)
    return error.exit_status if isinstance(error, MfvError) else EXIT_FAILED


def _dispatch(words: list[str]) -> int:
    global settings
    if words == ["--version"]:
        from mfv._version import __version__

        print(f"mfv {__version__}")
        return 0
    before = list(words)
    while words and words[0].startswith("-"):
        if words[0] == "-C" and len(words) > 1:
            settings = settings._replace(folder=words[1])
            del words[:2]
        elif words[0] == "--no-pager":
            settings = settings._replace(pager=False)
            del words[0]
        else:
            break
    if settings.folder is not None:
        _change_folder(settings.folder)
    if words and words[0] in COMMANDS:
        from mfv.cli.command import params_of, parse

        function = load(words[0])
        values = parse(params_of(function), words[1:])
        if values is not None:
            return function(**values) or 0
    elif words and not words[0].startswith("-"):
        raise _unknown(words[0])
    return _by_typer(before)


def load(name: str) -> Callable[..., int | None]:
    """The function of a command; imports its module."""
    from importlib import import_module

    module = import_module(f"mfv.cli.{COMMANDS[name].module}")
    function: Callable[..., int | None] = module.command
    return function


def _by_typer(words: list[str]) -> int:
    """Help, completion, and everything that is not plainly right."""
    from mfv.cli.command import params_of
    from mfv.cli.typed import Declared, application

    commands = []
    for name, entry in COMMANDS.items():
        function = load(name)
        help_text = f"{entry.help}\n\n{_examples(function)}"
        commands.append(Declared(name, params_of(function), function, help_text, entry.group))
    app = application("mfv", "git for ML runs.", commands, root=True)
    return finish(app, words, "mfv")


def finish(app: Callable[..., object], words: list[str], name: str) -> int:
    """Runs a Typer application; returns the exit status."""
    try:
        status = app(words, standalone_mode=True, prog_name=name)
    except SystemExit as end:
        status = end.code
    return status if isinstance(status, int) else 0


def _examples(function: Callable[..., object]) -> str:
    """The rest of a command's docstring: its details and examples."""
    text = function.__doc__ or ""
    return "\n".join(line.removeprefix("    ") for line in text.strip().splitlines()[1:])


def _change_folder(folder: str) -> None:
    from mfv.errors import NotFoundError

    try:
        os.chdir(folder)
    except OSError as error:
        raise NotFoundError(f"cannot go to {folder}: {error.strerror}") from None


def _unknown(word: str) -> Exception:
    from mfv.errors import UsageError, did_you_mean

    hint = did_you_mean(word, COMMANDS) or "`mfv --help` lists the commands"
    return UsageError(f"there is no command {word!r}", hint=hint)
