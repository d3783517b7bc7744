"""Which repository a command means, as git finds it."""

import os
import sys

from mfv.capture.user import user_at_host
from mfv.errors import NotFoundError
from mfv.repo.repository import Repository, find


def chosen_folder() -> str | None:
    """The repository folder: MFV_DIR, else the nearest `.mfv` upwards; None without any."""
    named = os.environ.get("MFV_DIR")
    return named or find(os.getcwd())


def repository() -> Repository:
    """The repository that the command works on; NotFoundError with what to do if there is none."""
    folder = chosen_folder()
    if folder is None:
        raise NotFoundError(
            f"no mfv repository in {os.getcwd()} or above it",
            hint="`mfv init` makes one here, and so does the first `mfv run FLOW.py`",
        )
    return told(Repository.open(folder, writer=user_at_host()))


def told(repo: Repository) -> Repository:
    """`repo`; that it is somebody else's is said on stderr."""
    if repo.standing == "foreign" and repo.folder is not None:
        from mfv.render.text import escape
        from mfv.repo.standing import owner_of

        owner, place = owner_of(repo.folder), display(repo.folder)
        text = f"note: {place} is of {owner}: nothing is written to it, and no pickle of it loaded"
        print(escape(text), file=sys.stderr)
    return repo


def display(folder: str | os.PathLike[str]) -> str:
    """A path as short as it can be told from here."""
    relative = os.path.relpath(folder)
    return os.fspath(folder) if relative.startswith("../..") else relative
