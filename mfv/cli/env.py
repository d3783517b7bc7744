"""`mfv env`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError, did_you_mean
from mfv.history.find import find_run
from mfv.manifest.records import Environment
from mfv.render.text import escape
from mfv.repo.lock import (
    CONTENT_HASH,
    Entry,
    File,
    entries,
    is_same_file,
    pylock,
    requirements,
    wants_file,
)
from mfv.repo.view import RunView

_FORMATS = ("text", "requirements", "pylock", "json")


def command(
    run: Annotated[str, argument("The run.", "RUN")] = "@",
    format: Annotated[
        str,
        option("--format", help="text, requirements, pylock or json.", metavar="FORMAT"),
    ] = "text",
    resolve: Annotated[
        bool,
        option("--resolve", help="For pylock: ask pip's index for the file of each package."),
    ] = False,
    json: Annotated[bool, option("--json", help="The same as --format json.")] = False,
) -> int:
    """Write out the environment of a run: for people, for an installer, or as JSON.

    `requirements` is a file for `pip install -r`: exact versions, and addresses of what came from
    elsewhere than an index. `pylock` is a lock file (PEP 751). Installers note no hash of the
    files that they take from an index: --resolve asks for them, else there is one of what each
    package holds.

    Examples: mfv env 42 · mfv env 42 --format requirements > requirements.txt · \
    mfv env --format pylock --resolve > pylock.toml
    """
    if format not in _FORMATS:
        hint = did_you_mean(format, _FORMATS) or f"it is one of {', '.join(_FORMATS)}"
        raise UsageError(f"there is no format {format!r}", hint=hint)
    format = "json" if json else format
    if resolve and format != "pylock":
        raise UsageError("--resolve is for --format pylock", hint="no other has hashes of files")
    view = find_run(repository(), run)
    if format == "text":
        _page(view)
    elif format == "json":
        from mfv.render.json import document
        from mfv.repo.info import environment_json

        print(document(environment_json(view.environment)))
    elif format == "requirements":
        print(requirements(view.environment), end="")
        _tell_left_out(entries(view.environment))
    else:
        _lock(view.environment, resolve=resolve)
    return EXIT_OK


def _page(view: RunView) -> None:
    from mfv.cli.main import settings
    from mfv.render.surroundings import environment_text
    from mfv.render.terminal import Paint, coloured, page, width

    text = environment_text(view, width=width(), paint=Paint(coloured(sys.stdout)))
    page(text, pager=settings.pager)


def _lock(environment: Environment, *, resolve: bool) -> None:
    found = entries(environment)
    asked = {one.name: one.version for one in found if wants_file(one)}
    files: dict[str, File] = {}
    if resolve:
        from mfv.capture.pipindex import find_files

        served = find_files(asked).files
        files = {
            one.name: File(*served[one.name])
            for one in found
            if one.name in served and is_same_file(one, served[one.name].url)
        }
    print(pylock(environment, files), end="")
    _tell_left_out(found)
    unknown = [name for name in asked if name not in files]
    if unknown:
        print(
            f"note: of {len(unknown)} packages from an index no file is known ({_few(unknown)}); "
            f"they have `{CONTENT_HASH}`, which installers refuse",
            file=sys.stderr,
        )
        if not resolve:
            print("hint: --resolve asks for them", file=sys.stderr)


def _tell_left_out(found: list[Entry]) -> None:
    out = [entry.name for entry in found if entry.trouble]
    if out:
        print(f"note: left out, with the reason in the file: {_few(out)}", file=sys.stderr)


def _few(names: list[str]) -> str:
    return ", ".join(map(escape, names[:5])) + (", …" if len(names) > 5 else "")
