"""`mfv`: finds the command, runs it, and turns what went wrong into one message and a status."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mfv.cli.typed import Declared

LOOK, RUN, NAME, REPRODUCE, KEEP = "Look", "Run", "Name", "Reproduce", "Keep"


class Entry(NamedTuple):
    """A command: where its function is, what it does in one line, and its group in the help."""

    module: str
    help: str
    group: str


COMMANDS = {
    "init": Entry("init", "Make a repository here.", RUN),
    "run": Entry("run", "Run a flow: the same as `python FLOW.py run`.", RUN),
    "resume": Entry("resume", "Go on where a run ended.", RUN),
    "log": Entry("log", "List runs, newest first.", LOOK),
    "show": Entry("show", "Show a run, a step, a task or an artifact.", LOOK),
    "cat": Entry("cat", "Write out an artifact or a file of the code.", LOOK),
    "diff": Entry("diff", "Compare two runs.", LOOK),
    "grep": Entry("grep", "Find a pattern in code, parameters, logs and texts.", LOOK),
    "whence": Entry("whence", "Tell which run made these bytes.", LOOK),
    "ls": Entry("ls", "List flows, runs, steps, artifacts or code.", LOOK),
    "du": Entry("du", "Tell what takes the room.", LOOK),
    "rev-parse": Entry("rev_parse", "Print the full name of what a revision means.", LOOK),
    "blame": Entry("blame", "Tell in which run a value or a line last changed.", LOOK),
    "bisect": Entry("bisect", "Find the first run that is bad.", LOOK),
    "graph": Entry("graph", "Draw the steps of a run.", LOOK),
    "logs": Entry("logs", "Print what tasks printed.", LOOK),
    "tag": Entry("tag", "List, add, move or remove tags.", NAME),
    "note": Entry("note", "Say something of a run.", NAME),
    "sign": Entry("sign", "Sign runs, or tags on runs.", NAME),
    "clone": Entry("clone", "Bring back the code and inputs of a run.", REPRODUCE),
    "verify": Entry("verify", "Run a run again and prove that it gives the same.", REPRODUCE),
    "env": Entry("env", "Write out the environment of a run.", REPRODUCE),
    "trust": Entry("trust", "Trust a repository that is somebody else's.", KEEP),
    "rm": Entry("rm", "Put runs into the trash, or let artifacts' bytes go.", KEEP),
    "restore": Entry("restore", "Bring runs back out of the trash.", KEEP),
    "op": Entry("op", "List what was done to tags, notes and the trash.", KEEP),
    "undo": Entry("undo", "Take such a change back.", KEEP),
    "gc": Entry("gc", "Delete what no run needs.", KEEP),
    "fsck": Entry("fsck", "Check the repository.", KEEP),
    "completion": Entry("completion", "Print what makes a shell complete.", KEEP),
    "reindex": Entry("reindex", "Make the index of runs anew.", KEEP),
}

_INTERRUPTED, PIPE_CLOSED = 130, 141  # as a shell reports SIGINT and SIGPIPE


class Settings(NamedTuple):
    """The options before the command."""

    pager: bool = True


settings = Settings()


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command line; returns the exit status that the README documents."""
    return guarded(lambda: _dispatch(list(sys.argv[1:] if words is None else words)))


def guarded(act: Callable[[], int]) -> int:
    """Runs `act`; an error becomes a message on stderr and its exit status, never a traceback."""
    # Closed by whoever started us (`>&-`): then nobody is told, and the work is done all the same.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal may know fewer characters than we print
            stream.reconfigure(errors="backslashreplace")
    try:
        status = act()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # whoever read it has enough
        return PIPE_CLOSED
    except Exception as error:
        from mfv.errors import MfvError

        if not isinstance(error, (MfvError, RecursionError, MemoryError, OSError)):
            raise
        return report(error)


def tell_wrong_declarations() -> None:
    """From now on a FlowError that nobody catches is told as one error, without a traceback.

    A wrong declaration raises while the user's file is imported, before any command line runs.
    """
    plain = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        from mfv.errors import FlowError

        if not isinstance(error, FlowError):
            plain(kind, error, trace)
            return
        place = None if error.file else line_outside(trace)
        if place is not None:
            error.message = f"{place}: {error.message}"
        report(error)

    sys.excepthook = excepthook


def line_outside(trace: Any) -> str | None:
    """The innermost line of a traceback that is not ours, as `file:line`."""
    place = None
    while trace is not None:
        if not trace.tb_frame.f_globals.get("__name__", "").startswith("mfv."):
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def report(error: Exception) -> int:
    """Prints an error as mfv words it; returns its exit status."""
    from mfv.errors import EXIT_FAILED, MfvError
    from mfv.render.terminal import Paint, coloured
    from mfv.render.text import escape
    from mfv.storage.oserrors import hint_for

    paint = Paint(coloured(sys.stderr))
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()  # a full disk, and `error` most likely says so
    message = error.message if isinstance(error, MfvError) else _plainly(error)
    print(f"{paint('error:', 'red', 'bold')} {escape(message, keep=chr(10))}", file=sys.stderr)
    hint = error.hint if isinstance(error, MfvError) else None
    if isinstance(error, OSError):
        hint = hint_for(error)
    if hint:
        print(f"{paint('hint:', 'cyan')} {escape(hint, keep=chr(10))}", file=sys.stderr)
    return error.exit_status if isinstance(error, MfvError) else EXIT_FAILED


def _plainly(error: Exception) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error) or repr(error)
    place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    return f"{place}{error.strerror}"


def _drop_output() -> None:
    """What is still to be written to stdout goes nowhere; else Python complains while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["--complete"]:
        from mfv.cli.completing import complete
        from mfv.render.text import shown

        for text, about in complete(words[1] if len(words) > 1 else "mfv "):
            print(f"{text}\t{shown(about)}" if about else text)
        return 0
    if "--version" in _act_on_options(words):
        from mfv._version import __version__

        print(f"mfv {__version__}")
        return 0
    if words and words[0] in COMMANDS:
        from mfv.cli.command import params_of, parse

        function = load(words[0])
        behind = getattr(function, "behind_dashes", None)
        if behind is not None and "--" in words:
            dashes = words.index("--")
            words[dashes:] = [part for word in words[dashes + 1 :] for part in (behind, word)]
        values = parse(params_of(function), words[1:])
        if values is not None:
            return function(**values) or 0
    elif words and not words[0].startswith("-"):
        raise _unknown(words[0])
    return _by_typer(words)


def _act_on_options(words: list[str]) -> list[str]:
    """Takes the options before the command off `words` and does what they say."""
    global settings
    taken = []
    while words:
        word = words[0]
        if word.startswith("-C") and (len(word) > 2 or len(words) > 1):
            del words[0]
            folder = word[2:] or words.pop(0)
            if not os.environ.get("MFV_TASK"):  # a task is started there
                _change_folder(folder)
        elif word in ("--no-pager", "--version"):
            settings = settings._replace(pager=settings.pager and word != "--no-pager")
            del words[0]
        else:
            break
        taken.append(word)
    return taken


def load(name: str) -> Callable[..., int | None]:
    """The function of a command; imports its module."""
    from importlib import import_module

    module = import_module(f"mfv.cli.{COMMANDS[name].module}")
    function: Callable[..., int | None] = module.command
    return function


def _by_typer(words: list[str]) -> int:
    """Help, completion, and everything that is not plainly right."""
    from mfv.cli.typed import application, finish

    return finish(application("mfv", "git for ML runs.", declared()), words, "mfv")


def declared() -> "list[Declared]":
    """Every command as Typer is told of it; imports all of them."""
    from mfv.cli.command import params_of
    from mfv.cli.typed import Declared

    found = []
    for name, entry in COMMANDS.items():
        function = load(name)
        page = page_of(function)
        found.append(Declared(name, params_of(function), function, page, entry.help, entry.group))
    return found


def page_of(function: Callable[..., object]) -> str:
    """A command's docstring as the text of its help page, each example on a line."""
    found = []
    for paragraph in (function.__doc__ or "").strip().split("\n\n"):
        text = " ".join(paragraph.split())
        if text.startswith("Examples: "):
            examples = text.removeprefix("Examples: ").split(" · ")
            text = "\n".join(["Examples:", *(f"  {example}" for example in examples)])
        found.append(text)
    return "\n\n".join(found)


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
