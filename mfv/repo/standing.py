"""Whose repository it is to this user, by its folder's owner and by what this user said.

As git's `safe.directory` has it. Nothing that lies in the repository has a say.
"""

from __future__ import annotations

import os
import stat
from typing import Literal

from mfv.capture.user import settings_file, sudo_uid, trust_variable
from mfv.errors import UntrustedError
from mfv.repo.access import group_of, user_of

NOTHING = "none"  # as MFV_TRUST: not even what is one's own
EVERYTHING = "*"

Standing = Literal["own", "trusted", "shared", "foreign"]


def standing_of(folder: str | None) -> Standing:
    """What the repository in `folder` is to this user; a repository without a folder is own.

    `own`: of this user, of root, or, where root works for somebody by sudo, of that user.
    `trusted`: of somebody else whom this user trusts. `shared`: of somebody else who gave it to a
    group that this user is in: it may be written to. `foreign`: only looked at.
    """
    if folder is None:
        return "own"
    try:
        found = os.stat(folder)
    except OSError:
        return "own"  # which is said when it is opened
    me = os.geteuid()
    if found.st_uid in (me, 0) or (me == 0 and found.st_uid == sudo_uid()):
        return "own"
    if _is_listed(folder):
        return "trusted"
    given = stat.S_ISGID | stat.S_IRWXG
    if found.st_mode & given == given and found.st_gid in (os.getegid(), *os.getgroups()):
        return "shared"
    return "foreign"


def owner_of(folder: str) -> str:
    """Whose a folder is, in words: `ben`, or `ben and the group ml`."""
    found = os.stat(folder)
    owner = user_of(found.st_uid)
    if found.st_mode & stat.S_ISGID and found.st_mode & stat.S_IWGRP:
        return f"{owner} and the group {group_of(found.st_gid)}"
    return owner


def refuse_writing(folder: str) -> UntrustedError:
    """That nothing is written to the repository in `folder`."""
    return UntrustedError(
        f"{folder} is of {owner_of(folder)}, so nothing is written to it",
        hint=f"`{grant_of(folder)}` if you trust them, or set MFV_DIR to a repository of yours",
    )


def _is_listed(folder: str) -> bool:
    """Whether this person's settings, or MFV_TRUST, name the folder, or the one that it is in."""
    from mfv.repo import person  # what is one's own needs none of it

    said = trust_variable()
    folders = person.read(settings_file()).folders
    if said is not None and said != NOTHING:
        folders = (*folders, *said.split(os.pathsep))
    real = os.path.realpath(folder)
    for one in folders:
        if one == EVERYTHING:
            return True
        path = os.path.expanduser(one)
        if not os.path.isabs(path):
            continue
        if path.endswith("/*"):
            if real.startswith(os.path.realpath(path[:-2]).rstrip("/") + "/"):
                return True
        elif os.path.realpath(path) in (real, os.path.dirname(real)):
            return True
    return False


def grant_of(folder: str) -> str:
    """The command that trusts the repository in `folder`."""
    import shlex

    return f"mfv trust {shlex.quote(os.path.abspath(folder))}"
