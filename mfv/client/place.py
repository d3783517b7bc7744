"""Which repository the client reads: chosen with `metadata`, else found as the commands find it.

The client stands on the user's side, so it is here that MFV_DIR, MFV_USER and the working folder
are read.
"""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from typing import ClassVar

from mfv.capture.user import user_at_host
from mfv.client.errors import DamagedLogWarning, MetaflowNotFound
from mfv.errors import NotFoundError
from mfv.repo.names import State
from mfv.repo.repository import FOLDER_NAME, Repository, find, is_made

_SCHEME = "local@"


class Place:
    """One opened repository, whose handles read it under `lock` from any thread.

    The lock is one for all repositories: the decoders below are shared by all of them, and to
    make one in two threads at a time ends the process.
    """

    lock: ClassVar = threading.RLock()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: set[int] = set()
        try:
            self.repository = Repository.open(folder, writer=user_at_host())
        except NotFoundError as error:
            raise MetaflowNotFound(error.message, hint=error.hint) from None

    def state(self) -> State:
        """All names as of now; DamagedLogWarning, once, where the log may hold more of them."""
        with self.lock:
            state = self.repository.state
            self.tell_damage()
        return state

    def tell_damage(self) -> None:
        """Warns of what is damaged in the log as far as it was read, of each entry once."""
        for number, message in self.repository.log.damaged.items():
            if number not in self._told:
                self._told.add(number)
                told = f"{message}: what it said is missing (`mfv fsck` says what is touched)"
                warnings.warn(told, DamagedLogWarning, stacklevel=3)


def _renew_lock() -> None:
    Place.lock = threading.RLock()  # a thread that stayed behind may hold the other one


os.register_at_fork(after_in_child=_renew_lock)

_chosen: Path | None = None
_opened: tuple[tuple[object, ...], Place] | None = None


def metadata(place: str | os.PathLike[str]) -> str:
    """Reads the repository at `place` from now on: a `.mfv` folder, or a folder that has one.

    Handles that exist keep theirs. Returns the same as `get_metadata`; raises MetaflowNotFound.
    """
    global _chosen
    folder = local_folder(os.fspath(place))
    if not is_made(folder) and (folder / FOLDER_NAME).is_dir():
        folder = folder / FOLDER_NAME
    Place(folder)  # raises before anything is changed
    _chosen = folder
    return get_metadata()


def local_folder(place: str) -> Path:
    """The folder in what `get_metadata` returns; a path is itself."""
    return Path(place.removeprefix(_SCHEME)).absolute()


def get_metadata() -> str:
    """Where the runs are read from, as `local@` and the folder; raises MetaflowNotFound."""
    return f"{_SCHEME}{_folder()}"


def default_metadata() -> str:
    """Undoes `metadata`: MFV_READ_DIR or MFV_DIR if set, else the nearest `.mfv` upwards."""
    global _chosen
    _chosen = None
    return get_metadata()


def open_place() -> Place:
    """The repository that is chosen now, opened once as long as it stays the same."""
    return place_at(_folder())


def place_at(folder: Path) -> Place:
    """The repository at `folder`, the last one opened once as long as it stays the same."""
    global _opened
    try:
        made = os.stat(folder / "format")
        mark: tuple[object, ...] = (made.st_dev, made.st_ino, made.st_mtime_ns)
    except OSError:
        mark = ()  # opening says what is wrong
    # A process that was forked must not share file positions or a held lock with its parent.
    key = (os.getpid(), folder, mark)
    kept = _opened
    if kept is None or kept[0] != key:
        kept = (key, Place(folder))
        _opened = kept
    return kept[1]


def _folder() -> Path:
    # A run that is verified is recorded apart from the runs that its steps may read.
    named = os.environ.get("MFV_READ_DIR") or os.environ.get("MFV_DIR")
    found = named or find(os.getcwd())
    folder = _chosen or (Path(found).absolute() if found else None)
    if folder is None:
        raise MetaflowNotFound(
            f"there is no mfv repository in {Path.cwd()} or above it",
            hint="run a flow, go to its folder, set MFV_DIR, or choose one with metadata(FOLDER)",
        )
    return folder
