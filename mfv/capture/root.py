"""Where the code of a run begins: the folder that a snapshot covers and git is asked about."""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CLONE_FOLDER = ".mfv-clone"
"""Where `mfv clone` keeps what is its own; never part of a snapshot."""

CLONE_MARKER = f"{CLONE_FOLDER}/run.json"
"""A folder with this file is a code root of its own, even inside a git repository."""


def find_root(script: Path) -> Path:
    """The folder whose code belongs to `script`: absolute, links resolved.

    The nearest folder above the script with CLONE_MARKER or `.git` (a folder, or a file as in
    worktrees and submodules); without any, the script's own folder. Never raises.
    """
    from pathlib import Path as RealPath

    # Python imports from where the script really is, not from where a link to it lies.
    folder = os.path.dirname(os.path.realpath(script))
    return RealPath(marked_folder(folder) or folder)


def marked_folder(folder: str) -> str | None:
    """`folder` (absolute) or the nearest one above it with CLONE_MARKER or `.git`, or None."""
    while True:
        if is_clone(folder) or os.path.exists(f"{folder}/.git"):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def is_clone(folder: str) -> bool:
    """Whether `folder` carries CLONE_MARKER."""
    return os.path.isfile(f"{folder}/{CLONE_MARKER}")
