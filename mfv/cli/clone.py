"""`mfv clone`"""

from pathlib import Path
from typing import Annotated

from mfv.checkout import LOCK, Clone, clone
from mfv.cli.command import argument, option
from mfv.cli.place import display, repository
from mfv.errors import EXIT_OK
from mfv.render.text import escape
from mfv.render.units import count
from mfv.repo.find import find_run

_LISTED = 8


def command(
    run: Annotated[str, argument("The run.", "RUN")],
    folder: Annotated[str | None, argument("Where; FLOW-NUMBER by default.", "DIR")] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Bring back the code and inputs of a run, in a new folder.

    The folder holds the code as it ran; `.mfv-clone/` in it holds the parameters, INFO, the
    environment as a lock file, and REPRODUCE.md. What is printed says how to run it again.

    Examples: mfv clone 42 · mfv clone prod out
    """
    view = find_run(repository(), run)
    made = clone(view, Path(folder or f"{view.flow}-{view.number}"))
    if json:
        from mfv.render.json import document

        print(document(_facts(made)))
    else:
        _print(view.name, made)
    return EXIT_OK


def _facts(made: Clone) -> dict[str, object]:
    return {
        "folder": str(made.folder),
        "files": made.files,
        "commands": list(made.commands),
        "missing": list(made.missing),
        "renamed": list(made.renamed),
        "links_left_out": list(made.links_left_out),
        "secrets": list(made.secrets),
        "environment": list(made.environment),
    }


def _print(name: str, made: Clone) -> None:
    print(f"cloned {escape(name)} into {escape(display(made.folder))}: {count(made.files, 'file')}")
    _list("not in the snapshot, put it in place by hand:", made.missing)
    _list("written under another name, which other systems take too:", made.renamed)
    _list("links that lead out of the folder, left out:", made.links_left_out)
    if made.environment:
        _list("this environment is not the run's:", made.environment)
        print(f"  `pip install -r .mfv-clone/{LOCK}` in a virtual environment brings it back")
    else:
        print("this environment is the run's: the same Python and packages")
    if made.secrets:
        print(f"give the secret parameters anew: {escape(', '.join(made.secrets))}")
    print("to run it again:")
    for line in made.commands:
        print(f"  {escape(line)}")


def _list(title: str, things: tuple[str, ...]) -> None:
    if not things:
        return
    print(title)
    for thing in things[:_LISTED]:
        print(f"  {escape(thing)}")
    if len(things) > _LISTED:
        print(f"  and {len(things) - _LISTED} more (REPRODUCE.md and --json list all)")
