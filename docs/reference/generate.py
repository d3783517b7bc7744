"""Writes cli.md, the reference of the command line, from the commands' own declarations.

    python docs/reference/generate.py

What the commands cannot say of themselves, the keys of their JSON, stands in `schemas/`; the tests
hold both against what the commands really print.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mfv import errors
from mfv.cli import flow
from mfv.cli.command import Argument, Option, Param, params_of
from mfv.cli.flowcli import before
from mfv.cli.flowcli.decorating import decorator_params
from mfv.cli.main import COMMANDS, PIPE_CLOSED, load
from mfv.flow.config import PATH_OPTION, VALUE_OPTION
from mfv.flow.spec import FlowSpec

PAGE = Path(__file__).with_name("cli.md")

EXIT_CODES = {
    errors.EXIT_OK: "done",
    errors.EXIT_FAILED: "failed (a run whose task failed, a disk that is full), or the runs "
    "differ where `--exit-code` or `verify` asked",
    errors.EXIT_USAGE: "the command line makes no sense as typed; nothing was done",
    errors.EXIT_NOT_FOUND: "a run, tag, step, artifact, file or repository does not exist",
    errors.EXIT_CONFLICT: "something is in the way, or a name means several things",
    errors.EXIT_CORRUPT: "stored bytes are damaged or missing, or a newer mfv wrote them",
    errors.EXIT_INTERRUPTED: "interrupted (Ctrl-C, SIGTERM)",
    PIPE_CLOSED: "whoever read the output closed it (`mfv log | head`)",
}

REVISIONS = {
    "`42`": "the run with that number, if one flow alone has it",
    "`TrainFlow/42`": "run 42 of TrainFlow",
    "`@`": "the newest run of all flows",
    "`@{-1}`": "the one before it; `@{-2}` the one before that",
    "`TrainFlow@latest`, `TrainFlow@`": "the newest run of TrainFlow",
    "`TrainFlow@{-1}`": "the one before it",
    "`prod`": "the newest run that bears the tag `prod`",
    "`3fa9c1`": "the run whose id begins so: 4 hex digits or more",
    "`42~1`, `prod~`": "the run of the same flow before that one; works behind all of the above",
}

VARIABLES = {
    "`MFV_DIR`": "the repository folder, instead of the nearest `.mfv` upwards",
    "`MFV_READ_DIR`": "the repository that the client reads within steps, instead of the one that "
    "they are recorded in",
    "`MFV_USER`": "who is recorded as the one who ran it, instead of the login name",
    "`MFV_TRUST`": "repositories of others that are trusted: folders, joined by `:`; `*` for all, "
    "`none` for not even one's own (see `docs/security.md`)",
    "`MFV_SIGN_KEY`": "the file with the key that signs every run as it ends",
    "`MFV_PAGER`, `PAGER`": "what long output is shown with on a terminal; `cat` for nothing",
    "`NO_COLOR`, `FORCE_COLOR`": "colours never, or also into a pipe",
    "`COLUMNS`": "the width to print in, instead of the terminal's",
}

SCHEMAS = PAGE.with_name("schemas")


def keys_of(schema: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What each form of a command's JSON holds: under a line that says when, its keys in words."""
    found = {}
    for form in schema["anyOf"]:
        described = {
            key: facts["description"]
            for key, facts in form.get("properties", {}).items()
            if "description" in facts
        }
        if described:
            found[f"{form['title']}."] = described
    return found


# By command: what one JSON value of `--json` holds.
KEYS: dict[str, dict[str, dict[str, str]]] = {
    path.stem: keys_of(json.loads(path.read_text("utf-8")))
    for path in sorted(SCHEMAS.glob("*.json"))
}


def page() -> str:
    """The whole page."""
    parts = [
        "# The command line",
        "",
        "<!-- Written by generate.py from the commands themselves; edit those. -->",
        "",
        "`mfv COMMAND --help` says the same. Before the command: `-C DIR` runs as if started in "
        "DIR, `--no-pager` never pages, `--version` prints the version.",
        "",
        "The repository is the nearest `.mfv` folder upwards, as with git. Output is coloured and "
        "paged on a terminal only. Every command that lists or tells has `--json`.",
        "",
        *_section("Exit codes", ("code", "means"), EXIT_CODES),
        *_section("Naming a run", ("RUN", "means"), REVISIONS),
        "Below a run: `RUN/step`, `RUN/step/task`, `RUN/step/task/artifact`. The task may be left "
        "out where its step has one, the step where the artifact is one of the last task. "
        "`RUN:path` is a file of its code.",
        "",
        *_section("Environment", ("variable", "means"), VARIABLES),
    ]
    for name in COMMANDS:
        parts += _command(name)
    parts += _flow()
    return "\n".join(parts)


def _command(name: str) -> list[str]:
    function = load(name)
    params = params_of(function)
    parts = _page(f"mfv {name}", function, params, level="##")
    parts += _params(params)
    parts += _examples(function)
    if name in KEYS:
        parts += [f"[`schemas/{name}.json`](schemas/{name}.json) is the schema of its JSON.", ""]
    for when, keys in KEYS.get(name, {}).items():
        rows = {f"`{key}`": text for key, text in keys.items()}
        parts += [f"`--json`: {when}", "", *_table(("key", "holds"), rows)]
    return parts


def _page(
    words: str, function: Callable[..., Any], params: Iterable[Param], *, level: str
) -> list[str]:
    """The heading of a command that is called by `words`, its usage and what it says of itself."""
    first, *details = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    parts = [f"{level} {words}", "", _line(first), "", f"    {usage(words, params)}", ""]
    for paragraph in map(_line, details):
        if not paragraph.startswith("Examples: "):
            parts += [paragraph, ""]
    return parts


def _examples(function: Callable[..., Any]) -> list[str]:
    paragraphs = map(_line, inspect.cleandoc(function.__doc__ or "").split("\n\n"))
    found = next(one for one in paragraphs if one.startswith("Examples: "))
    examples = found.removeprefix("Examples: ").split(" · ")
    return ["Examples:", "", *(f"    {one}" for one in examples), ""]


def _flow() -> list[str]:
    parts = [
        "## python FLOW.py",
        "",
        "Every flow is a command line of its own. Before the command:",
        "",
        *_params([*params_of(before.options), *decorator_params(FlowSpec)]),
        "",
        f"The configs of a flow are given with `{PATH_OPTION} NAME PATH` or `{VALUE_OPTION} NAME "
        "JSON`, before or behind the command.",
        "",
    ]
    for name, entry in flow.COMMANDS.items():
        params = flow.own_params(name)
        parts += _page(f"python FLOW.py {name}", flow.load(name), params, level="###")
        if entry.starts:
            parts += ["Each parameter of the flow is an option, beside these:", ""]
        parts += _params(params)
        parts += _examples(flow.load(name))
    return parts


def usage(words: str, params: Iterable[Param]) -> str:
    """The usage line of a command that is called by `words`."""
    pieces = [f"{words} [OPTIONS]"]
    for param in params:
        if isinstance(param.marker, Argument):
            shown = param.marker.metavar or param.name.upper()
            pieces.append(shown if param.required or shown.startswith("[") else f"[{shown}]")
    return " ".join(pieces)


def _params(params: Iterable[Param]) -> list[str]:
    rows = {}
    for param in params:
        metavar = param.marker.metavar or {int: "N"}.get(param.kind, "TEXT")
        if isinstance(param.marker, Option):
            if param.marker.hidden:
                continue
            flags = ", ".join(param.marker.flags)
            shown = flags if param.is_flag else f"{flags} {metavar}"
        else:
            shown = metavar
        default = "" if param.is_flag or param.default in (None, "", (), "@") else param.default
        rows[f"`{shown}`"] = param.marker.help + (f" Default: {default}." if default else "")
    return _table(("argument or option", ""), rows) if rows else []


def _section(
    title: str, heads: tuple[str, str], rows: dict[int, str] | dict[str, str]
) -> list[str]:
    return [f"## {title}", "", *_table(heads, {str(name): text for name, text in rows.items()})]


def _table(heads: tuple[str, str], rows: dict[str, str]) -> list[str]:
    lines = [f"| {heads[0]} | {heads[1]} |", "| --- | --- |"]
    for name, text in rows.items():
        lines.append(f"| {_cell(name)} | {_cell(text)} |")
    return [*lines, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _line(paragraph: str) -> str:
    return " ".join(paragraph.split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
