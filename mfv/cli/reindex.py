"""`mfv reindex`"""

from typing import Annotated

from mfv.cli.command import option
from mfv.cli.place import display, repository
from mfv.errors import EXIT_OK
from mfv.render.units import count


def command(
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Make the index of runs anew.

    Never needed: it is caught up, and made anew where it does not fit, whenever a command uses it.
    For who doubts an answer. It holds nothing that is not elsewhere.

    Examples: mfv reindex
    """
    from mfv.index.opening import current, rebuild

    repo = repository()
    index = rebuild(repo)
    assert repo.folder is not None
    runs, path = len(index), current(repo.folder) or ""
    if json:
        from mfv.render.json import document

        print(document({"runs": runs, "file": path}))
    else:
        print(f"indexed {count(runs, 'run')} in {display(path)}")
    return EXIT_OK
