"""Who may read and write what mfv makes in a repository, whatever the umask of who makes it."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import NamedTuple


class Modes(NamedTuple):
    """The modes of new folders and files."""

    folder: int
    file: int
    fixed: int  # of files that are never written again
    owner: tuple[int, int] | None = None  # uid and gid, where root writes for somebody else

    def settle(self, fd: int, found: os.stat_result) -> None:
        """Gives the file at `fd`, just made and as `found`, the mode for files."""
        # Some file systems have no modes. There nobody can do better.
        with contextlib.suppress(OSError):
            self._settle(fd, found, self.file)

    def make_folders(self, path: str) -> list[str]:
        """Makes the folder `path`, and those above it that are missing; returns what was made.

        Raises OSError.
        """
        path, missing = os.path.abspath(path), []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        missing.reverse()
        for place in missing:
            self._make_folder(place)
        return missing

    def _make_folder(self, path: str) -> None:
        if self == PRIVATE:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
                self._settle_folder(path)
            return
        # It appears with its modes: others of the group may want to write to it at once. Where
        # another process was first and has put something in, the renaming fails.
        made = os.path.join(os.path.dirname(path), f".{os.urandom(6).hex()}")
        os.mkdir(made, 0o700)
        try:
            self._settle_folder(made)
            os.rename(made, path)
        except OSError:
            os.rmdir(made)
            if not os.path.isdir(path):
                raise

    def _settle_folder(self, path: str) -> None:
        found = os.lstat(path)
        with contextlib.suppress(OSError):
            if self.owner is None:
                if stat.S_IMODE(found.st_mode) != self.folder:
                    os.chmod(path, self.folder)
                return
            # Root: never through a link that the owner of the folder above puts in its place.
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._settle(fd, found, self.folder)
            finally:
                os.close(fd)

    def _settle(self, fd: int, found: os.stat_result, mode: int) -> None:
        if self.owner is not None and self.owner != (found.st_uid, found.st_gid):
            with contextlib.suppress(OSError):  # a root of a container that is none outside
                os.fchown(fd, *self.owner)
        elif stat.S_IMODE(found.st_mode) == mode:
            return
        os.fchmod(fd, mode)


PRIVATE = Modes(0o700, 0o600, 0o400)
SHARED = Modes(0o2770, 0o660, 0o440)  # new files have the folder's group


def like(folder: str) -> Modes:
    """The modes for what this process makes in `folder`, as that is: shared, or private.

    What root makes belongs to the folder's owner.
    """
    try:
        found = os.stat(folder)
    except OSError:
        return PRIVATE
    modes = SHARED if found.st_mode & SHARED.folder == SHARED.folder else PRIVATE
    if os.geteuid() == 0 and found.st_uid != 0:
        return modes._replace(owner=(found.st_uid, found.st_gid))
    return modes


def share(folder: str, group: int | None = None) -> None:
    """Gives all that is in `folder` to its group, or to `group`; OSError where one may not.

    Files that are read-only stay so. Links, and folders below `tmp/` in which processes work, are
    left as they are.
    """
    for place, folders, files in os.walk(folder):
        _give(place, os.lstat(place), SHARED.folder, group)
        for name in files:
            path = os.path.join(place, name)
            with contextlib.suppress(FileNotFoundError):  # its process is done with it
                found = os.lstat(path)
                if stat.S_ISREG(found.st_mode):
                    writable = found.st_mode & stat.S_IWUSR
                    _give(path, found, SHARED.file if writable else SHARED.fixed, group)
        if place == os.path.join(folder, "tmp"):
            folders.clear()


def _give(path: str, found: os.stat_result, mode: int, group: int | None) -> None:
    if group is not None and found.st_gid != group:
        os.chown(path, -1, group)
    elif stat.S_IMODE(found.st_mode) == mode:
        return
    os.chmod(path, mode)
