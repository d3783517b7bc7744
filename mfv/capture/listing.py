"""The candidates of a snapshot: what git lists below a root, or what a walk of it finds.

Paths are bytes relative to the root, as the system has them. Nothing is opened here.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from typing import NamedTuple

from mfv.capture.gitcommand import ask
from mfv.capture.ignore import IgnoreRules
from mfv.capture.modules import MODULES_FOLDER
from mfv.capture.root import CLONE_FOLDER, CLONE_MARKER, is_clone

MOST_FILES = 100_000
LISTING_SECONDS = 60.0

NESTED_REPOSITORY = "nested repository"
NESTED_CLONE = "nested clone"
UNREADABLE = "unreadable"
TOO_MANY = f"more than {MOST_FILES:,} files: the rest was not listed"

_NEVER = frozenset({b".git", b".mfv"})  # whatever they are
_NEVER_FOLDERS = frozenset({b"__pycache__", b"node_modules", b".ipynb_checkpoints"})
# What git's ignore rules would take care of.
_WALK_NEVER_FOLDERS = frozenset(
    {
        b".cache",
        b".direnv",
        b".eggs",
        b".hg",
        b".hypothesis",
        b".jj",
        b".mypy_cache",
        b".nox",
        b".pytest_cache",
        b".ruff_cache",
        b".svn",
        b".tox",
        b".trash",
    }
)
_WALK_NEVER_ENDINGS = (b".pyc", b".pyo", b".swp", b"~")
_WALK_NEVER_FILES = frozenset({b".ds_store", b".coverage", b"thumbs.db"})


class Bounds:
    """What lies inside one root: asked folder by folder, each folder only once.

    `left_out` gathers the folders that are kept out for a reason worth telling.
    """

    def __init__(self, root: bytes, *, walk: bool) -> None:
        self._root = root
        self._walk = walk
        # Nobody else's; in a clone it is code that was brought back.
        self._reserved = None if is_clone(os.fsdecode(root)) else MODULES_FOLDER.encode()
        names = (b".mfvignore", b".gitignore") if walk else (b".mfvignore",)
        self._rules = [IgnoreRules(root, name) for name in names]
        self._folders: dict[bytes, bool] = {b"": True}
        self.left_out: dict[bytes, str] = {}
        for rules in self._rules:
            rules.enter(b"")

    def admit_folder(self, folder: bytes) -> bool:
        """Whether the files in `folder` may be taken; b"" is the root."""
        known = self._folders.get(folder)
        if known is not None:
            return known
        # From the top down and without recursion, for paths may be thousands of folders deep.
        end = -1
        while end < len(folder):
            end = folder.find(b"/", end + 1)
            if end < 0:
                end = len(folder)
            part = folder[:end]
            admitted = self._folders.get(part)
            if admitted is None:
                admitted = self._folders[part] = self._enter(part)
            if not admitted:
                self._folders[folder] = False
                return False
        return True

    def admit_file(self, path: bytes) -> bool:
        """Whether `path`, anything but a folder, may be taken; its folder is asked too."""
        folder, _, name = path.rpartition(b"/")
        lower = name.lower()
        if lower in _NEVER or name == CLONE_FOLDER.encode() or path == self._reserved:
            return False
        if self._walk and (lower in _WALK_NEVER_FILES or lower.endswith(_WALK_NEVER_ENDINGS)):
            return False
        return self.admit_folder(folder) and not self._ignored(path, is_folder=False)

    def stands_for_folder(self, path: bytes) -> bool:
        """Whether the symlink at `path` only replaces a folder that is never taken."""
        lower = path.rpartition(b"/")[2].lower()
        full = self._root + b"/" + path
        return lower in _NEVER_FOLDERS or os.access(full + b"/pyvenv.cfg", os.F_OK)

    def is_repository(self, folder: bytes) -> bool:
        """Whether `folder` has a git repository of its own."""
        return os.access(self._root + b"/" + folder + b"/.git", os.F_OK)

    def _enter(self, folder: bytes) -> bool:
        name = folder.rpartition(b"/")[2]
        lower = name.lower()
        if lower in _NEVER or lower in _NEVER_FOLDERS or name == CLONE_FOLDER.encode():
            return False
        if folder == self._reserved:
            return False
        if self._walk and lower in _WALK_NEVER_FOLDERS:
            return False
        full = self._root + b"/" + folder
        try:
            # Git still lists what it tracks behind a folder that became a link elsewhere.
            if not stat.S_ISDIR(os.lstat(full).st_mode):
                return False
        except OSError:
            return False
        if self._ignored(folder, is_folder=True) or os.access(full + b"/pyvenv.cfg", os.F_OK):
            return False
        if os.access(full + b"/" + CLONE_MARKER.encode(), os.F_OK):
            self.left_out[folder] = NESTED_CLONE
            return False
        if self._walk and self.is_repository(folder):
            self.left_out[folder] = NESTED_REPOSITORY
            return False
        for rules in self._rules:
            rules.enter(folder)
        return True

    def _ignored(self, path: bytes, *, is_folder: bool) -> bool:
        return any(rules.ignores(path, is_folder=is_folder) for rules in self._rules)


def list_with_git(root: str) -> tuple[list[bytes], bool] | None:
    """The tracked, then the untracked but not ignored paths below `root`, at most MOST_FILES.

    A nested repository is listed as the one path of its folder. The flag says whether there were
    more. None where git is missing, refuses, or takes too long.
    """
    both = _ls_files(root, "--cached", "--others", "--exclude-standard")
    if both is None:
        return None
    if len(both.paths) <= MOST_FILES and not both.cut:
        return both.paths, False
    # Git lists the untracked ones first: where there are too many, the tracked ones must be.
    tracked = _ls_files(root, "--cached")
    if tracked is None:
        return None
    return list(dict.fromkeys((*tracked.paths, *both.paths)))[:MOST_FILES], True


class _Listed(NamedTuple):
    paths: list[bytes]  # each once
    cut: bool  # there were more


def _ls_files(root: str, *which: str) -> _Listed | None:
    """What git lists, of more than MOST_FILES only the first; None where it does not."""
    # Whatever `core.worktree` and `core.bare` say: asked is for the files that lie here.
    command = ("--work-tree=.", "ls-files", "-z", *which)
    answers = ask(root, command, seconds=LISTING_SECONDS, most=MOST_FILES)
    if answers is None or not answers[0].ok:
        return None
    # What follows the last NUL is half a path where the command was ended.
    found = answers[0].data.split(b"\0")[:-1]
    return _Listed(list(dict.fromkeys(p.removesuffix(b"/") for p in found)), answers[0].cut)


def list_by_walk(root: bytes, bounds: Bounds) -> tuple[list[bytes], bool]:
    """The paths of everything but folders below `root`, nearest first, at most MOST_FILES.

    The flag says whether there were more. Links are listed, never followed.
    """
    paths: list[bytes] = []
    seen = 0
    folders = deque([b""])
    while folders:
        folder = folders.popleft()
        for entry in _entries(root, folder, bounds):
            path = folder + b"/" + entry.name if folder else entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if not (bounds.admit_folder(path) if is_folder else bounds.admit_file(path)):
                continue
            seen += 1  # folders count, so that a tree of empty ones has an end too
            if seen > MOST_FILES:
                return paths, True
            (folders if is_folder else paths).append(path)
    return paths, False


def list_own_python(root: bytes, bounds: Bounds) -> list[bytes]:
    """The names of the `*.py` files directly in `root`."""
    return [
        entry.name
        for entry in _entries(root, b"", bounds)
        if entry.name.endswith(b".py")
        and entry.is_file(follow_symlinks=False)
        and bounds.admit_file(entry.name)
    ]


def _entries(root: bytes, folder: bytes, bounds: Bounds) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(root + b"/" + folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError:
        bounds.left_out[folder or b"."] = UNREADABLE
        return []
