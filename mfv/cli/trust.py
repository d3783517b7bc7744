"""`mfv trust`"""

import os
import re
from typing import Annotated

from mfv.capture.user import settings_file
from mfv.cli.command import argument, option
from mfv.cli.place import display
from mfv.errors import EXIT_OK, NotFoundError, UsageError
from mfv.render.text import escape
from mfv.repo import person
from mfv.repo.repository import FOLDER_NAME, is_made
from mfv.repo.standing import owner_of


def command(
    folder: Annotated[
        str | None, argument("A repository, or the folder that it is in.", "[DIR]")
    ] = None,
    origin: Annotated[
        str | None,
        option("--origin", help="Trust the runs that were made in this one.", metavar="ID"),
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Trust a repository that is somebody else's, or list those that you trust.

    What is in it may then be written to, its artifacts unpickled and its code run, which can do
    whatever you can. It is noted in your own settings, from where you take it out again. A
    repository of your own, or of root, needs none of this.

    Examples: mfv trust · mfv trust /srv/ml · mfv trust --origin 3fa9c1...
    """
    if folder is not None and origin is not None:
        raise UsageError("a folder or an id, not both")
    path, added, what = settings_file(), False, ""
    if folder is not None:
        what = os.path.realpath(folder)
        if not os.path.lexists(os.path.join(what, "format")):
            what = os.path.join(what, FOLDER_NAME)
        if not os.path.isdir(what) or not is_made(what):
            raise NotFoundError(f"there is no repository in {folder}")
        added = person.trust(path, folder=what)
        what = f"{what}, which is of {owner_of(what)}"
    elif origin is not None:
        if not re.fullmatch(r"[0-9a-f]{32}", origin):
            raise UsageError(
                f"{origin!r} is no id of a repository", hint="`mfv init --json` tells it there"
            )
        what = f"runs that were made in {origin}"
        added = person.trust(path, origin=origin)
    settings = person.read(path)
    origins = sorted(one.hex() for one in settings.origins)
    if json:
        from mfv.render.json import document

        found = {"file": path, "folders": list(settings.folders), "origins": origins}
        print(document({**found, "added": added}))
    elif what:
        done = f"noted in {display(path)}" if added else f"so {display(path)} says already"
        print(escape(f"trusted: {what}; {done}"))
    else:
        for one in (*settings.folders, *origins):
            print(escape(one))
    return EXIT_OK
