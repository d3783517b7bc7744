"""What lies at a path: a folder, or a link that leads elsewhere."""

from __future__ import annotations

import errno
import os
import stat as stat_module

from mfv.errors import StorageError
from mfv.storage.oserrors import storage_error


def refuse_link(path: str) -> None:
    """StorageError where `path` is a symbolic link: it would lead what is written elsewhere."""
    if os.path.islink(path):
        raise StorageError(
            f"{path} is a symbolic link, and mfv writes through none",
            hint="set MFV_DIR to the folder that it points to, if you trust it",
        )


def leads_away(root: str, folder: str) -> bool:
    """Whether there is a symbolic link on the way from `root` to `folder` below it."""
    place = root
    for part in folder.split("/"):
        place = os.path.join(place, part)
        if os.path.islink(place):
            return True
    return False


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder at `path`; StorageError where the disk does not tell.

    Taken for none, a repository that cannot be read would be looked for elsewhere, or made anew.
    """
    try:
        return stat_module.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        return False
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            return False
        raise storage_error(error, "read", path) from error
