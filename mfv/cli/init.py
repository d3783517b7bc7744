"""`mfv init`"""

from pathlib import Path
from typing import Annotated

from mfv.capture.user import user_at_host
from mfv.cli.command import argument, option
from mfv.cli.place import display
from mfv.errors import EXIT_OK, StorageError
from mfv.render.text import escape
from mfv.repo.repository import FOLDER_NAME, Repository


def command(
    folder: Annotated[str | None, argument("Where; the current folder by default.", "DIR")] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Make a repository here.

    Runs make one by themselves; this is for choosing the place. Where there is one already,
    nothing changes.

    Examples: mfv init · mfv init ../shared-runs
    """
    place = Path(folder or ".").absolute() / FOLDER_NAME
    new = not (place / "format").exists()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {place.parent}: {error.strerror}") from None
    repository = Repository.create(place, writer=user_at_host())
    origin = repository.format.repository.hex()
    if json:
        from mfv.render.json import line

        print(line({"repository": str(place), "id": origin, "new": new}))
    else:
        done = "made" if new else "there is already"
        print(f"{done} a repository in {escape(display(place))}")
    return EXIT_OK
