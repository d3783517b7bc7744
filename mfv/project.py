"""The user's project as a whole: which version of it runs here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mfv.capture.git import read_git, version_string


def get_version(public: bool = False) -> str | None:
    """The version of the project whose script runs, as its git tags tell it.

    `TAG` at a tag, else `TAG.postN-gitHASH` for N commits after it, with `-dirty` at the end
    where tracked files differ from the commit; `gitHASH` before the first tag. With `public` it
    is only `TAG` or `TAG.postN`, spelled as PEP 440 has it. None without git or a commit, and for
    `public` where no tag leads to a version. Asks git each time, which takes some milliseconds.
    """
    return version_string(read_git(_folder_of_project()), public=public)


def _folder_of_project() -> Path:
    """The folder of the script that runs; the working folder in notebooks and under tools."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if not script or _is_tool(os.path.abspath(script)):
        return Path.cwd()
    return Path(os.path.realpath(script)).parent


def _is_tool(script: str) -> bool:
    """Whether a script is no part of the project but installed: pytest, a notebook's kernel."""
    folder = os.path.dirname(script)
    library = os.path.dirname(os.path.abspath(os.__file__))
    installed = {"site-packages", "dist-packages"}
    return (
        folder in (os.path.dirname(sys.executable), os.path.join(sys.prefix, "bin"))
        or not installed.isdisjoint(script.split(os.sep))
        or script.startswith(library + os.sep)
    )
