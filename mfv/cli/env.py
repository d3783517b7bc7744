"""`mfv env`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError, did_you_mean
from mfv.render.text import escape
from mfv.repo.find import find_run
from mfv.repo.lock import CONTENT_HASH, Entry, entries, pylock, requirements
from mfv.repo.view import RunView

_FORMATS = ("text", "requirements", "pylock", "json")


def command(
    run: Annotated[str, argument("The run.", "RUN")] = "@",
    format: Annotated[
        str,
        option("--format", help="text, requirements, pylock or json.", metavar="FORMAT"),
    ] = "text",
    json: Annotated[bool, option("--json", help="The same as --format json.")] = False,
) -> int:
    """Write out the environment of a run: for people, for an installer, or as JSON.

    `requirements` is a file for `pip install -r` and `uv pip sync`: exact versions, and addresses
    of what came from elsewhere than an index. `pylock` is a lock file (PEP 751), with a hash of
    what each package holds where the hash of its file was not noted by whoever installed it.

    Examples: mfv env 42 · mfv env 42 --format requirements > requirements.txt · \
    mfv env --format pylock > pylock.toml
    """
    if format not in _FORMATS:
        hint = did_you_mean(format, _FORMATS) or f"it is one of {', '.join(_FORMATS)}"
        raise UsageError(f"there is no format {format!r}", hint=hint)
    format = "json" if json else format
    view = find_run(repository(), run)
    if format == "text":
        _page(view)
    elif format == "json":
        from mfv.render.json import document
        from mfv.repo.info import environment_json

        print(document(environment_json(view.environment)))
    else:
        write = requirements if format == "requirements" else pylock
        print(write(view.environment), end="")
        _note(entries(view.environment), is_lock=format == "pylock")
    return EXIT_OK


def _page(view: RunView) -> None:
    from mfv.cli.main import settings
    from mfv.render import show
    from mfv.render.terminal import Paint, coloured, page, width

    text = show.environment_text(view, width=width(), paint=Paint(coloured(sys.stdout)))
    page(text, pager=settings.pager)


def _note(found: list[Entry], *, is_lock: bool) -> None:
    """Says what the file cannot do, where it does not get into the file."""
    out = [entry.name for entry in found if entry.trouble]
    if out:
        names = ", ".join(map(escape, out[:5])) + (", …" if len(out) > 5 else "")
        print(f"note: {len(out)} left out, with the reason in the file: {names}", file=sys.stderr)
    unhashed = [e for e in found if not e.trouble and e.source.kind == "index" and not e.source.url]
    if is_lock and unhashed:
        print(
            f"note: no file is known of {len(unhashed)} packages from an index; they have "
            f"`{CONTENT_HASH}`, which installers refuse: --format requirements installs them",
            file=sys.stderr,
        )
