"""`mfv init`"""

from pathlib import Path
from typing import Annotated

from mfv.capture.user import user_at_host
from mfv.cli.command import argument, option
from mfv.cli.place import display
from mfv.errors import EXIT_OK, StorageError
from mfv.render.text import escape
from mfv.repo import access
from mfv.repo.repository import FOLDER_NAME, Repository, is_made


def command(
    folder: Annotated[str | None, argument("Where; the current folder by default.", "DIR")] = None,
    shared: Annotated[
        bool, option("--shared", help="All of the folder's group may read, write and gc.")
    ] = False,
    group: Annotated[
        str | None, option("--group", help="Share it with this group.", metavar="GROUP")
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Make a repository here.

    Runs make one by themselves; this is for choosing the place, and for sharing it with a group:
    it is private to you unless you say --shared. Where there is one already, only that is done.

    Examples: mfv init · mfv init ../runs · mfv init --group ml
    """
    place = Path(folder or ".").absolute() / FOLDER_NAME
    new = not is_made(place)
    if group is not None:
        access.group_id(group)  # before anything is made
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {place.parent}: {error.strerror}") from None
    repository = Repository.create(place, writer=user_at_host())
    origin = repository.format.repository.hex()
    sharing = shared or group is not None
    if sharing:
        access.share(str(place), group)
    if json:
        from mfv.render.json import line

        found = {"repository": str(place), "id": origin, "new": new}
        print(line({**found, "shared": sharing or repository.config.shared}))
    else:
        done = "made" if new else "there is already"
        print(f"{done} a repository in {escape(display(place))}")
        if sharing:
            with_whom = escape(access.group_of(place.stat().st_gid))
            print(f"it is shared with the group {with_whom}")
    return EXIT_OK
