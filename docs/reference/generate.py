"""Writes cli.md, the reference of the command line, from the commands' own declarations.

    python docs/reference/generate.py

What the commands cannot say of themselves, the keys of their JSON, stands below; the tests hold
both against what the commands really print.
"""

from __future__ import annotations

import inspect
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
    "`MFV_PAGER`, `PAGER`": "what long output is shown with on a terminal; `cat` for nothing",
    "`NO_COLOR`, `FORCE_COLOR`": "colours never, or also into a pipe",
    "`COLUMNS`": "the width to print in, instead of the terminal's",
}

_RUN = {
    "run": "its name, `Flow/number`",
    "flow": "its flow",
    "number": "its number",
    "id": "its true name: 64 hex digits; null while it is open",
    "status": "`open`, `ok`, `failed`, `interrupted` or `crashed`",
    "started": "µs since 1970",
    "ended": "µs since 1970; null while it is open",
    "seconds": "how long it took",
    "tags": "list of tags",
    "note": "what somebody has to say of it, or null",
    "removed": "when it went into the trash, µs since 1970; null if it is not there",
    "swept": "whether of it only record and code are left",
    "dropped": "list of artifacts whose bytes were let go: `name`, or `step/name`",
    "parameters": "object: name to value, or to `type` and `id` where the value is no scalar",
    "metrics": "object: the numbers that its last step left",
    "user": "who ran it",
    "host": "where",
    "code": "id of the code snapshot",
    "environment": "id of the environment",
    "commit": "git commit, or null",
    "dirty": "whether the work tree differed from the commit, or null without git",
    "version": "the project's version as `git describe` tells it, or null",
}
_ARTIFACT = {
    "name": "its name",
    "type": "dotted name of its class",
    "size": "bytes as stored, before compression",
    "id": "the same for equal stored values",
}

_MACHINE = {
    "python": "version",
    "implementation": "of Python",
    "system": "operating system",
    "release": "of the kernel",
    "machine": "architecture",
    "libc": "name and version",
    "cpu": "its name",
    "cpu_count": "cores",
    "memory": "bytes",
    "gpus": "list of names",
    "packages": "list of name and version",
    "sources": "list of `name`, `kind` (`index`, `archive`, `directory` or `vcs`) and what is "
    "known of `installer`, `wheel`, `content`, `url`, `hashes`, `editable`, `vcs`, `commit`, "
    "`revision`, `subdirectory`",
    "extensions": "list of name, package and version",
    "python_build": "what Python says of how it was built",
    "python_kind": "`venv`, `conda`, `system` or `other`",
    "distribution": "full name of the operating system",
    "cpu_features": "list: those that numeric libraries choose their code by",
    "cpu_usable": "cores that the run might use",
    "gpu_driver": "version",
    "gpu_details": "list of `name`, `memory` in bytes and `compute` capability",
    "cuda": "version of its runtime",
    "blas": "numpy's: name and version",
    "locale": "name",
    "encoding": "of text files",
    "timezone": "name",
}

# By command: what one JSON value of `--json` holds, under a line that says when.
KEYS: dict[str, dict[str, dict[str, str]]] = {
    "init": {
        "One object.": {
            "repository": "the folder",
            "id": "the repository's id",
            "new": "whether it was made just now",
        }
    },
    "log": {
        "One object a line for each run; a run that is damaged has the first thirteen keys and "
        "`damaged`, which says how.": _RUN,
        "`--columns FIELD,...`: one object a line for each run.": {
            "run": "its name, `Flow/number`",
            "values": "object: each field's value, null where the run has none, a list for `tag`, "
            "`step`; times in µs since 1970, durations in seconds",
        },
        "`--group-by FIELD,...`: one object a line for each group.": {
            "values": "object: each field's value",
            "runs": "how many",
            "statuses": "object: how many by status",
            "newest": "name of its newest run",
            "metrics": "object: `low`, `mean` and `high` of each number that its runs left",
        },
        "`--lineage RUN`: one object a line for RUN and each run that it took something from, at "
        "whatever distance; with `--descendants` then the same for those that took from it.": {
            "run": "its name, `Flow/number`",
            "repository": "null, or the id of another repository; `unknown` where only the name "
            "of the run is known",
            "status": "`open`, `ok`, `failed`, `interrupted` or `crashed`; null if it is not here",
            "started": "µs since 1970, or null",
            "links": "list of `relation` (`resumed from`, `cloned from`, `reused from`, `read "
            "from`, or the same with `by`), `run`, `repository`, `tasks` (how many were reused), "
            "`artifacts` (that were read, as step/task/name)",
        },
    },
    "rev-parse": {
        "One object a line.": {
            "revision": "as it was typed",
            "run": "its name, `Flow/number`",
            "id": "its true name; null while it is open",
            "path": "the step, task and artifact behind it, or null",
        }
    },
    "ls": {
        "One object a line.": {
            "name": "of the flow, run, step, task, artifact, folder or file",
            "kind": "which of these",
            "type": "of an artifact its class, of a run or task its status; else null",
            "size": "bytes, of an artifact or a file; else null",
        }
    },
    "grep": {
        "One object a line for each thing with lines that match.": {
            "run": "the newest run that has it",
            "section": "`code`, `params`, `logs` or `artifacts`",
            "place": "a path, a parameter, `step/task/stdout` or `step/task/name`",
            "runs": "how many of the runs that were looked at have the same",
            "lines": "list of `line` (from 1) and `text`",
        }
    },
    "du": {
        "One object.": {
            "sizes": "list of `name`, `logical`, `stored`, `unique` (bytes), `count` (runs, or "
            "versions of an artifact)",
            "disk": "object: bytes of the files in `packs` and `log`",
        }
    },
    "whence": {
        "One object.": {
            "asked": "as it was typed",
            "looked_for": "list of words",
            "places": "list, the first that was made first, of `run`, `step`, `task`, `name`, "
            "`kind` (`artifact` or `code`), `part` (null, or which bytes of it), `id`, `size`",
        }
    },
    "note": {"One object.": {"run": "its name", "note": "what is said of it now, or null"}},
    "blame": {
        "One object a line for each parameter, artifact or line of a file.": {
            "name": "of the parameter or artifact; of a line its number",
            "run": "the run in which it last became what it is",
            "started": "of that run, µs since 1970",
            "value": "what it is, as text",
            "before": "what it was before, or null",
        }
    },
    "bisect": {
        "One object.": {
            "bad": "the first bad run, or null where it cannot be told",
            "good": "the last good run before it",
            "tested": "list of `run` and `is`: `good`, `bad` or `skipped`",
        }
    },
    "reindex": {"One object.": {"runs": "how many the index has", "file": "where it is"}},
    "graph": {
        "One object.": {
            "run": "its name, `Flow/number`",
            "status": "`open`, `ok`, `failed`, `interrupted` or `crashed`",
            "seconds": "how long it took",
            "resumed_from": "the run that it goes on from, or null",
            "steps": "list, in an order in which they can run, of `step`, `kind` (`linear`, "
            "`split`, `foreach`, `parallel`, `switch`, `end`), `join`, `doc`, `status` (`ok`, "
            "`failed`, `running`, `unfinished`, `skipped`, `waiting`, `not reached`), `tasks` "
            "(that ended), `expected`, `failed`, `caught`, `retried`, `reused`, `origins` (numbers "
            "of the runs that were reused), `seconds`, `foreach` (what it goes over), `reads` "
            "(list of `run`, `repository`, `artifacts`), `failure`",
            "edges": "list of `from`, `to`, `tasks` (how many it led to), `back`",
        }
    },
    "show": {
        "A run: one object.": {
            **_RUN,
            "constants": "object, like `parameters`: class attributes of the flow",
            "command": "list: the command line",
            "script": "the flow's file in the code snapshot",
            "cloned_from": "the run whose clone this code was, or null",
            "resumed_from": "the run that this one goes on from, or null",
            "mfv": "version of mfv",
            "steps": "object: step to list of `task`, `attempt`, `status`, `started`, `ended`",
            "failure": "null, or `type`, `message` and `traceback`",
        },
        "A task: one object. A step: the list of its tasks.": {
            "task": "its name, `Flow/number/step/task`",
            "status": "`ok` or `failed`",
            "attempt": "0 for the first",
            "started": "µs since 1970",
            "ended": "µs since 1970",
            "parents": "ids of the tasks before it",
            "origin": "number of the run and id of the task that it was taken over from, or null",
            "reads": "list of `artifact` (name), `id`, `repository`: what it loaded of other runs",
            "more_reads": "how many others it loaded for which there was no room",
            "foreach": "list of `step`, `variable`, `index`, `total`, `value`, outermost first",
            "cpu": "seconds, user and system",
            "peak_memory": "bytes",
            "exit_code": "of its process",
            "signal": "that ended its process, or 0",
            "inputs": "list of artifacts: parameters and constants",
            "artifacts": "list of artifacts that it left",
            "inherited": "names of those that it only handed on",
            "not_stored": "object: name to the reason",
            "failure": "null, or `type`, `message` and `traceback`",
            "caught": "the same of an exception that @catch took",
        },
        "An artifact: one object; a scalar has `value`, others have `frames` and what is known "
        "of `text`, `shape`, `dtype`, `length`, `low`, `high`, `mean`, `nulls`, `media` and "
        "`columns`.": {
            **_ARTIFACT,
            "holds": "null, or what its frames hold: `parts` (list of `depth`, `name`, `what`), "
            "`more_parts`, `numbers` (null, or `count`, `missing`, `low`, `high`, `mean`, "
            "`deviation`, `histogram`), `columns` (list of `name`, `type`, `missing`, `different`, "
            "`low`, `high`), `rows` (the first), `unknown` (why not more)",
        },
        "`--code`: a list of objects.": {
            "path": "in the snapshot",
            "mode": "as git has it: 100644, 100755 or 120000",
            "blob": "id of the content: its plain BLAKE3",
            "size": "bytes",
        },
        "`--env`: one object.": _MACHINE,
        "`--info`: one object.": {
            "flow": "its flow",
            "run": "its name, `Flow/number`",
            "id": "its true name, or null while it is open",
            "created": "µs since 1970",
            "script": "the flow's file in the code snapshot",
            "argv": "list: the command line",
            "folder": "where it was started",
            "username": "who ran it",
            "host": "where",
            "runtime": "`dev`",
            "environment_type": "`local`",
            "platform": "operating system",
            "python_version": "version",
            "python_version_code": "the same",
            "mfv_version": "version of mfv",
            "ext_info": "object: entry point of `mfv.extensions` to its `package` and `version`",
            "repo_url": "of git's remote, or null",
            "branch_name": "or null",
            "commit_sha": "or null",
            "has_uncommitted_changes": "or null without git",
            "changed_files": "list: changed and untracked files, or null without git",
            "version": "the project's version as `git describe` tells it, or null",
            "code_tree": "id of the code snapshot",
            "files_left_out": "object: path to why the snapshot does not hold it",
            "cloned_from": "the run whose clone this code was, or null",
            "resumed_from": "the run that this one goes on from, or null",
            "parameters": "object: option to its text; secret ones are not there",
            "variables": "object: environment variables of an allow-list",
            "seeds": "object: `PYTHONHASHSEED` (`random`, a number or null), and each parameter or "
            "constant whose name says that it is a seed",
            "system": "object: the machine and Python, under the names of `--env`",
            "packages": "object: name to version",
            "sources": "object: name to where the package came from",
        },
    },
    "diff": {
        "One object. Each change has `name`, `before` and `after`, null on the side where it is "
        "not.": {
            "before": "name of the run",
            "after": "name of the run",
            "same": "whether nothing that makes or comes of a run differs",
            "status": "null, or the two",
            "parameters": "list of changes, with `difference` between numbers, and `content`: "
            "null, or what differs inside: `parts` (list of `path`, `before`, `after`, `measure`: "
            "null, or `changed`, `total`, `largest`, `mean`, `cosine`), `tables` (list of `path`, "
            "`rows`, "
            "`key`, `added`, `removed`, `changed`, `columns`, `columns_added`, `columns_removed`, "
            "`cells`), `text` (a unified diff), `same` (parts), `unknown` (why not more)",
            "constants": "the same for class attributes",
            "metrics": "the same for the numbers that the last step left",
            "artifacts": "the same for all artifacts, under `step/name` or `step[2]/name`",
            "code": "list of `path`, `status`, `added`, `removed`, `text`, `hunks`",
            "packages": "list of changes of versions",
            "sources": "list of changes of where packages came from, or of their files",
            "environment": "list of changes of the machine",
            "git": "list of changes of commit, branch, remote, dirty",
            "reads": "list of changes in what steps read of other runs",
            "steps": "list of changes in the number of tasks",
            "tags": "list of changes",
            "unchanged": "object: how many of each kind did not change",
        },
        "`--work`, `--patch`, `--name-only` or `--path`: one object.": {
            "before": "name of the run",
            "after": "name of the run, or `files`",
            "same": "whether no file differs",
            "code": "as above",
        },
        "Steps, tasks and artifacts: one object.": {
            "before": "as it was typed",
            "after": "as it was typed",
            "same": "whether no artifact differs",
            "artifacts": "list of changes, as above",
            "unchanged": "how many artifacts are the same",
        },
        "Three runs or more: one object.": {
            "runs": "their names",
            "same": "how many facts are the same in all",
            "different": "list of `section`, `name`, `values` (one for each run, or null)",
        },
    },
    "logs": {
        "One object a line of output.": {
            "task": "`Flow/number/step/task`",
            "stream": "`stdout` or `stderr`",
            "time": "µs since 1970, when the line was read",
            "text": "the line",
        }
    },
    "tag": {
        "The list: one object a line for each tag.": {
            "tag": "its name",
            "runs": "names of the runs that bear it, newest first",
        }
    },
    "clone": {
        "One object.": {
            "folder": "where",
            "files": "how many were written",
            "commands": "list: what to type to run it again",
            "missing": "list: what the snapshot does not hold, with the reason",
            "renamed": "list: names that mean something to other systems, and the new ones",
            "links_left_out": "list: symbolic links that lead out of the folder",
            "secrets": "list: parameters to be given anew",
            "environment": "list: how this environment differs from the run's",
            "made": "null without `--env`; else `folder`, `tool` (`uv` or `pip`), `installed`: how "
            "many packages, `missing`: list of `package` and `why`, `notes`: list of what else is "
            "not as it was",
            "data": "null without `--data`; else `folder`, `files`: how many, `bytes`, "
            "`unpickled`: list of artifacts that were loaded for it, `failed`: list of those that "
            "could not be written, with the reason",
            "verified": "null without `--run`; else what `verify` gives",
        }
    },
    "verify": {
        "One object.": {
            "run": "its name",
            "again": "the run that repeated it; null where none was kept",
            "verdict": "`same`: every byte; `same value`: some in other bytes, or as near as the "
            "tolerance allows; `different`",
            "first_different": "the first step that is not deterministic, or null",
            "ending": "how the repetition ended otherwise than the run, or null",
            "seconds_before": "how long the run took",
            "seconds": "how long the repetition took",
            "environment": "list: how the environment differs from the run's",
            "made": "the environment that was made for it, or null",
            "steps": "list of `step`, `verdict`, `deterministic` (false where it differs though "
            "all that it was given does not), `same`: how many artifacts have the same bytes, and "
            "`tasks`: list of `task` (`train`, `train[2]`), `before` and `after` (ids, null on the "
            "side where it is not), `verdict`, `given_the_same`, `same`, `what` (how it ended "
            "otherwise, or null) and `artifacts`: list of those that are not the same bytes, with "
            "`name`, `type`, `verdict` (`same value`, `different`, `bytes differ`, `missing`, "
            "`new`), `max_difference` between numbers, or null, and `what`, or null",
        }
    },
    "env": {"One object, as from `mfv show --env`.": _MACHINE},
    "gc": {
        "One object.": {
            "dry_run": "whether nothing was deleted",
            "packs": "list of `pack`, `size`, `objects`: what was, or would be, deleted",
            "bytes": "their size together",
            "leftover": "packs that an earlier gc condemned and did not get to delete",
            "spared": "how many packs are too young",
            "kept": "how many packs runs need",
            "kept_bytes": "their size together",
            "dead_inside": "bytes in kept packs that no run needs",
            "runs": "how many runs there are",
            "removed": "list of the runs that went into the trash, since no rule keeps them",
            "kept_runs": "list of `run`, `reasons`: what the rules keep; empty without rules",
            "swept": "list of the runs of which only record and code are kept from now on",
            "repack": "null without `--repack`; else `packs`: list of `pack`, `size`, `kept` "
            "(bytes that runs need) of the packs rewritten, with `bytes` and `kept_bytes` of them "
            "together; `written`: list of `pack`, `size`; `deleted`: the old packs; `staying`: how "
            "many packs are as they were; `entries`: files of the log that went into `archives` "
            "new archives; `archived_to`: the last entry in one; `damaged`: what is, in words",
        }
    },
    "rm": {
        "One object.": {
            "dry_run": "whether nothing was removed",
            "removed": "list of the runs that went into the trash",
        },
        "With `--artifact`: one object.": {
            "dry_run": "whether nothing was let go",
            "dropped": "object: run to the list of names whose bytes are kept no longer",
        },
    },
    "restore": {
        "One object.": {"restored": "list of the runs that came back"},
    },
    "fsck": {
        "One object.": {
            "findings": "list of `severity` (`error`, `warning`, `note`), `kind`, `message`, "
            "`runs`",
            "entries": "log entries read",
            "runs": "runs checked",
            "packs": "packs checked",
            "objects": "objects in them",
            "bytes_read": "with `--data`",
            "errors": "how many findings are errors",
        }
    },
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
