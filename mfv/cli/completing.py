"""What the rest of a command line could be, for a shell that asks while somebody types.

    mfv --complete LINE

prints a candidate a line, with a tab and a few words behind it; `@files` alone means the names
of files. It never fails and never prints an error: a shell would show that in the middle of the
line.
"""

import re
from collections.abc import Iterator
from typing import Any

from mfv.cli.command import Argument, Option, Param, params_of

FILES = "@files"  # no name that we know begins so
_MOST = 200  # runs
_GLOBAL = {
    "-C": "go to this folder first",
    "--no-pager": "print at once",
    "--version": "the version",
    "--help": "what there is",
}
_FLOW_OPTIONS = "FLOW OPTIONS"


def complete(line: str) -> list[tuple[str, str]]:
    """Candidates for the last word of `line`, each with a few words on it."""
    try:
        return list(_complete(line))
    except Exception:
        return []


def _complete(line: str) -> Iterator[tuple[str, str]]:
    from mfv.cli.main import COMMANDS, load

    *before, current = _words(line)
    before = before[1:]  # `mfv` itself
    while before and before[0] in ("-C", "--no-pager"):
        if before.pop(0) == "-C":
            if not before:
                yield FILES, ""
                return
            import os

            os.chdir(before.pop(0))
    if not before:
        known = {name: entry.help for name, entry in COMMANDS.items()}
        yield from _fitting(current, _GLOBAL if current.startswith("-") else known)
        return
    if before[0] in COMMANDS:
        params = params_of(load(before[0]))
        yield from _of_command(params, before[1:], current)


def _of_command(params: list[Param], before: list[str], current: str) -> Iterator[tuple[str, str]]:
    options = {
        flag: param for param in params if isinstance(param.marker, Option)
        for flag in param.marker.flags
    }  # fmt: skip
    loose, waiting = 0, None
    for word in before:
        if waiting is not None:
            waiting = None
        elif word in options:
            waiting = None if options[word].is_flag else options[word]
        elif not word.startswith("-"):
            loose += 1
    if waiting is not None:
        yield from _values(waiting, current, before)
        return
    name, equals, value = current.partition("=")
    if equals and name in options:
        for text, about in _values(options[name], value, before):
            yield (text if text == FILES else f"{name}={text}"), about
        return
    if current.startswith("-"):
        shown = {
            flag: param.marker.help
            for flag, param in options.items()
            if isinstance(param.marker, Option) and not param.marker.hidden
        }
        yield from _fitting(current, {**shown, "--help": "show help"})
        return
    arguments = [param for param in params if isinstance(param.marker, Argument)]
    if arguments:
        many = arguments[min(loose, len(arguments) - 1)]
        if loose < len(arguments) or many.many:
            yield from _values(many, current, before)


def _values(param: Param, current: str, before: list[str]) -> Iterator[tuple[str, str]]:
    """Candidates for a value, by what the option or argument is said to take."""
    marker = param.marker
    what = marker.metavar or ""
    if param.name == "status":
        from mfv.query.fields import STATUSES

        yield from _fitting(current, dict.fromkeys(STATUSES, ""))
    elif param.name == "kind":
        yield from _fitting(current, dict.fromkeys(("param", "artifact", "file"), ""))
    elif param.name == "shell":
        yield from _fitting(current, dict.fromkeys(("bash", "zsh", "fish"), ""))
    elif what in ("FILE|ARTIFACT|ID", "DIR", "FLOW.py", "PATH") or _FLOW_OPTIONS in what:
        yield FILES, ""
    elif re.search(r"FIELD|METRIC", what):
        yield from _fields(current)
    elif what == "TAG":
        yield from _fitting(current, dict.fromkeys(_history().names.tags(), "tag"))
    elif what == "FLOW":
        yield from _fitting(current, dict.fromkeys(_history().names.flows(), "flow"))
    elif re.search(r"RUN|REV|TARGET|OBJECT|BEFORE", what):
        yield from _objects(current, inner=bool(re.search(r"/|TARGET|OBJECT|BEFORE|REV", what)))


def _objects(current: str, *, inner: bool) -> Iterator[tuple[str, str]]:
    """Runs, flows and tags; below a run that is named, its steps, tasks and artifacts."""
    history = _history()
    names = history.names
    head, slash, rest = current.rpartition("/")
    if inner and slash and head not in names.flows():
        yield from _below(history, head, rest)
        return
    known: dict[str, str] = {}
    if slash:
        for run in history.select(_of_flow(head), limit=_MOST).runs:
            known[run.name] = run.state.status
    else:
        known |= {f"{flow}@latest": "its newest run" for flow in names.flows()}
        known |= dict.fromkeys(names.tags(), "tag")
        for run in history.select(limit=_MOST).runs:
            known[run.name] = run.state.status
            known.setdefault(str(run.number), run.name)
    yield from _fitting(current, known)


def _below(history: Any, head: str, rest: str) -> Iterator[tuple[str, str]]:
    from mfv.history.find import find_object

    found = find_object(history.repository, head)
    known: dict[str, str] = {}
    if found.step is None:
        known = {f"{head}/{step}": "step" for step in found.run.steps()}
    elif found.task is None:
        refs = found.run.step(found.step)
        known = {f"{head}/{ref.id}": f"task, {ref.status}" for ref in refs}
        if len(refs) == 1:
            task = found.run.repository.task(refs[0])
            known |= {f"{head}/{one.name}": one.type for one in found.run.all_artifacts(task)}
    elif found.artifact is None:
        known = {f"{head}/{one.name}": one.type for one in found.run.all_artifacts(found.task)}
    yield from _fitting(f"{head}/{rest}", known)


def _fields(current: str) -> Iterator[tuple[str, str]]:
    """The last of several fields between commas; a dash turns an order round."""
    from mfv.query.fields import KNOWN

    done, comma, last = current.rpartition(",")
    dash = "-" if last.startswith("-") else ""
    known = {**dict.fromkeys(KNOWN, "of every run")}
    for name in sorted(_history().catalog.types):
        known[name] = "recorded"
        known.setdefault(name.partition(".")[2], "recorded")
    for name, about in _fitting(last.removeprefix("-"), known):
        yield f"{done}{comma}{dash}{name}", about


def _of_flow(flow: str) -> Any:
    from mfv.query.expression import Compare, Field

    return Compare(Field("flow", kind="text"), "=", flow)


def _history() -> Any:
    from mfv.cli.place import repository
    from mfv.history.history import History

    return History(repository())


def _fitting(current: str, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Those that begin so, and can be typed: no control characters, no line ends."""
    for name, about in known.items():
        if name.startswith(current) and name.isprintable():
            yield name, about.split("\n")[0].split(". ")[0]


def _words(line: str) -> list[str]:
    """The words of a line so far, as a shell reads them; the last is the one that is typed."""
    words, word, quote, escaped, open_word = [], "", "", False, False
    for char in line:
        if escaped:
            word, escaped = word + char, False
        elif char == "\\" and quote != "'":
            escaped = open_word = True
        elif quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "'\"":
            quote, open_word = char, True
        elif char.isspace():
            if word or open_word:
                words.append(word)
            word, open_word = "", False
        else:
            word, open_word = word + char, True
    return [*words, word]
