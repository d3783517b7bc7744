"""A folder to run something in that is gone afterwards, whatever happens.

It lies in the repository's own `tmp/`, on a disk that has room for such data, and is held by a
lock of this process and all that it starts. Who was killed leaves the folder without a lock, and
the next verification, run or gc removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mfv.errors import StorageError
from mfv.repo.entries import OpenRun
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.held import clear_held_folders, make_held_folder
from mfv.storage.local import TMP

PREFIX = "verify-"
_ELSEWHERE = f"mfv-{PREFIX}"


class Workplace(NamedTuple):
    """The folder, and the fd that holds it as long as any process has it open."""

    folder: Path
    held: int


@contextlib.contextmanager
def workplace(repository: Repository) -> Iterator[Workplace]:
    """A new folder, removed on leaving with all that is in it.

    In the system's folder for temporary files where the repository is not to be written to.
    """
    path, fd = _make(repository)
    try:
        yield Workplace(Path(path), fd)
    finally:
        shutil.rmtree(path, onerror=_again)
        os.close(fd)


def make_repository(folder: Path, view: RunView) -> None:
    """A repository in which the next run of the flow gets the number that `view` has.

    Steps may have kept the number of their run: it is not to be what differs.
    """
    repository = Repository.create(folder)
    if view.number > 1:
        # A run before it that began elsewhere, as far as anybody can tell here, and goes on.
        before = OpenRun(view.flow, view.number - 1, bytes(32), bytes(16), "elsewhere", "", ())
        repository.log.append(lambda state: before)


def _make(repository: Repository) -> tuple[str, int]:
    elsewhere = tempfile.gettempdir()
    clear_held_folders(elsewhere, _ELSEWHERE)
    if repository.folder is not None and repository.standing != "foreign":
        parent = os.path.join(os.path.abspath(repository.folder), TMP)
        clear_held_folders(parent, PREFIX)
        with contextlib.suppress(StorageError):
            return make_held_folder(parent, PREFIX, repository.modes)
    return make_held_folder(elsewhere, _ELSEWHERE)


def _again(act: Any, path: str, error: object) -> None:
    """What a step left without the right to delete it is given that right."""
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), stat.S_IRWXU)
        was_closed = stat.S_IMODE(os.lstat(path).st_mode) & stat.S_IRWXU != stat.S_IRWXU
        if not os.path.islink(path):
            os.chmod(path, stat.S_IRWXU)
        if act not in (os.open, os.scandir, os.lstat):
            act(path)
        elif was_closed:  # a folder that could not be looked into; there may be more in it
            shutil.rmtree(path, onerror=_again)
