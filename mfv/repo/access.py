"""Who may use a repository's folder: its modes, sharing it with a group, telling who may not."""

from __future__ import annotations

import os
import re
import stat

from mfv import modes
from mfv.errors import NotFoundError, StorageError
from mfv.repo import config as configs
from mfv.storage.local import LocalBackend
from mfv.storage.oserrors import storage_error

_SETTING = re.compile(rb"^[ \t]*shared[ \t]*=.*\n?", re.MULTILINE)


def modes_for(folder: str, *, shared: bool = False) -> modes.Modes:
    """The modes of what this process makes in the repository at `folder`.

    `shared`: what its settings say. They come from whoever made it, so they count only where the
    group may write to the folder already.
    """
    chosen = modes.like(folder)
    return chosen if shared else modes.PRIVATE._replace(owner=chosen.owner)


def share(folder: str, group: str | None = None) -> None:
    """Lets all of the folder's group, or of `group`, read, write and gc the repository there.

    May be said again, which mends what has other modes by now. Raises NotFoundError for a group
    that is not there, StorageError for who may not do that.
    """
    backend = LocalBackend(folder)
    text = backend.get(configs.KEY) if os.path.exists(os.path.join(folder, configs.KEY)) else b""
    shared = configs.parse(text).shared
    try:
        modes.share(folder, None if group is None else group_id(group))
    except OSError as error:
        raise storage_error(error, "share", folder) from error
    backend.modes = modes_for(folder, shared=True)
    if not shared:
        # Before all tables, of which it would else be a part.
        text = b"shared = true\n\n" + _SETTING.sub(b"", text)
        configs.parse(text)
        backend.put(configs.KEY, [text])


def group_id(name: str) -> int:
    """The number of the group `name`; NotFoundError."""
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise NotFoundError(
            f"there is no group {name!r}", hint="`id` lists the groups that you are in"
        ) from None


def user_of(uid: int) -> str:
    """The name of a user, or its number."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def group_of(gid: int) -> str:
    """The name of a group, or its number."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"group {gid}"


def refusal(folder: str) -> StorageError:
    """That this user may not look into the repository at `folder`, and who could change that."""
    found = os.stat(folder)
    owner, group = user_of(found.st_uid), group_of(found.st_gid)
    if found.st_mode & stat.S_IRGRP:
        return StorageError(
            f"the repository {folder} is of {owner} and the group {group}, and you are in neither",
            hint=f"have yourself put into the group {group}, or set MFV_DIR to another repository",
        )
    return StorageError(
        f"the repository {folder} is of {owner} alone",
        hint="its owner can share it with a group (`mfv init --shared --group GROUP`); "
        "MFV_DIR chooses another one",
    )
