"""The code of a run: which files it is made of, and their bytes.

A snapshot lists files without reading them; `read` brings one. What is kept out for a reason that
its owner should hear of is listed beside them. Where the bytes go is another room's matter.
"""

# Paths are bytes here, for not every file name is text; pathlib knows only text.
from __future__ import annotations

import os
import re
import stat
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mfv.capture import listing
from mfv.capture.modules import MODULES_FOLDER, NO_MODULES, UserModules
from mfv.capture.root import CLONE_MARKER, find_root, is_clone
from mfv.capture.secrets import is_secret_path
from mfv.capture.source import Source, Stamp, opened, stamp_of
from mfv.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CLONE_MARKER", "LeftOut", "Snapshot", "SourceFile", "Stamp"]
__all__ += ["find_root", "read", "source", "take"]

FILE_LIMIT = 10 << 20  # bytes
TOTAL_LIMIT = 500 << 20  # bytes

MODE_FILE = 0o100644
MODE_EXECUTABLE = 0o100755
MODE_LINK = 0o120000

SECRET = "secret"
TOO_LARGE = "larger than the limit"
OVER_TOTAL = "over the total limit"
SPECIAL = "special file"
CONTROL_CHARACTER = "control character in its name"
ABOVE = "a package that holds the code's own folder"
CHANGING = "changed while it was read"
SHARED_FOLDER = "not a project folder: only its own *.py files are taken"


_CONTROL = re.compile(rb"[\x00-\x1f\x7f]").search


class SourceFile(msgspec.Struct, frozen=True):
    """One file of a snapshot, as it was when listed."""

    path: str  # relative to the root, `/`-separated; bytes that are not UTF-8 by surrogateescape
    mode: int  # 0o100644, 0o100755, or 0o120000 for a symlink, as in git
    size: int  # bytes; of a symlink, those of its target's name
    stamp: Stamp
    place: str = ""  # absolute, where it is no file below the root


class LeftOut(msgspec.Struct, frozen=True):
    """One file or folder that a snapshot leaves out, and why."""

    path: str  # as in SourceFile; "." stands for the whole root
    reason: str
    size: int  # bytes; 0 for a folder


class Snapshot(msgspec.Struct, frozen=True):
    """The files that a script's code is made of. `files` is sorted by the bytes of the paths."""

    root: str  # absolute
    entry: str  # the script, relative to root
    files: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...]
    git: bool  # whether git said what belongs to the code
    started: int  # ns since 1970, before the first file was looked at
    search: tuple[str, ...] = ()  # folders to import from beside the script's own, in order


class _Found(NamedTuple):
    path: bytes
    mode: int
    stamp: Stamp
    place: str = ""

    @property
    def size(self) -> int:
        return self.stamp.size


def take(
    script: Path,
    *,
    file_limit: int = FILE_LIMIT,
    total_limit: int = TOTAL_LIMIT,
    modules: UserModules = NO_MODULES,
) -> Snapshot:
    """List the code that `script` belongs to; limits are bytes of one file and of all together.

    In a git repository these are the tracked files and the untracked ones that git does not
    ignore; elsewhere everything below the root that is not a cache, an environment or ignored.
    `.mfvignore` files hold everywhere. The script itself is always in. Where everything together
    is over `total_limit`, the largest files are left out first. `modules` from outside the root
    are in below MODULES_FOLDER, as a walk finds them. NotFoundError if there is no such
    script; anything else that cannot be listed is absent or in `left_out`.
    """
    real = os.path.realpath(script)
    if not os.path.isfile(real):
        raise NotFoundError(
            f"no script at {os.fspath(script)}",
            hint="give the path of the Python file whose code is to be recorded",
        )
    root = os.fspath(find_root(script))
    raw_root = os.fsencode(root)
    entry = os.fsencode(real)[len(raw_root.rstrip(b"/")) + 1 :]

    started = time.time_ns()
    paths, bounds, left_out, git = _list(root)
    candidates = _inspect(raw_root, entry, paths, bounds, left_out, file_limit)
    candidates = _add_modules(candidates, modules, left_out, file_limit)
    kept = _fit(candidates, entry, total_limit, left_out)
    return Snapshot(
        root=root,
        entry=_text(entry),
        files=tuple(
            SourceFile(_text(file.path), file.mode, file.size, file.stamp, file.place)
            for file in kept
        ),
        left_out=tuple(
            LeftOut(_text(path), reason, size) for path, (reason, size) in sorted(left_out.items())
        ),
        git=git,
        started=started,
        search=modules.search,
    )


def read(snapshot: Snapshot, file: SourceFile) -> bytes:
    """The bytes of `file` as it is now; of a symlink, the name that it points to.

    A link in the file's place is not followed. NotFoundError if the file is gone, StorageError if
    it cannot be read or became something else.
    """
    with source(snapshot, file) as found:
        return found.read()


def source(snapshot: Snapshot, file: SourceFile) -> AbstractContextManager[Source]:
    """`file`, opened as it is now; raises as `read`, also where reading it fails inside."""
    path = file.place or f"{snapshot.root.rstrip('/')}/{file.path}"
    return opened(_bytes(path), file.path, snapshot.root, is_link=file.mode == MODE_LINK)


def _list(
    root: str,
) -> tuple[list[bytes], listing.Bounds, dict[bytes, tuple[str, int]], bool]:
    raw_root = os.fsencode(root)
    with_git = os.path.exists(f"{root}/.git")
    listed = listing.list_with_git(root) if with_git else None
    bounds = listing.Bounds(raw_root, walk=listed is None)
    left_out: dict[bytes, tuple[str, int]] = {}
    if listed is not None:
        paths, cut = [path for path in listed[0] if bounds.admit_file(path)], listed[1]
    elif _is_shared(root):
        paths, cut = listing.list_own_python(raw_root, bounds), False
        left_out[b"."] = (SHARED_FOLDER, 0)
    else:
        paths, cut = listing.list_by_walk(raw_root, bounds)
    if cut:
        left_out[b"."] = (listing.TOO_MANY, 0)
    return paths, bounds, left_out, listed is not None


def _is_shared(root: str) -> bool:
    """Whether `root` holds far more than one project: a home, `/`, or a folder like /tmp."""
    if is_clone(root):
        return False
    if root in ("/", os.path.realpath(os.path.expanduser("~"))):
        return True
    return bool(os.stat(root).st_mode & stat.S_ISVTX)


def _inspect(
    root: bytes,
    entry: bytes | None,
    paths: list[bytes],
    bounds: listing.Bounds,
    left_out: dict[bytes, tuple[str, int]],
    file_limit: int,
) -> list[_Found]:
    found: list[_Found] = []
    for path in dict.fromkeys(paths if entry is None else (*paths, entry)):
        full = root + b"/" + path
        try:
            status = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted since git's index, or since the listing, knew of it
        except OSError:
            left_out[path] = (listing.UNREADABLE, 0)
            continue
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            # Either a submodule, or a folder in the place of a file that git remembers.
            if bounds.is_repository(path) and bounds.admit_folder(path):
                left_out[path] = (listing.NESTED_REPOSITORY, 0)
            continue
        if kind == stat.S_IFLNK and bounds.stands_for_folder(path):
            continue
        reason = None if path == entry else _reason_against(path, full, status, kind, file_limit)
        if reason is None:
            found.append(_Found(path, _mode(kind, status.st_mode), stamp_of(status)))
        else:
            left_out[path] = (reason, status.st_size)
    for folder, reason in bounds.left_out.items():
        left_out[folder] = (reason, 0)
    return found


def _add_modules(
    found: list[_Found],
    modules: UserModules,
    left_out: dict[bytes, tuple[str, int]],
    file_limit: int,
) -> list[_Found]:
    """`found` and the files of the modules from outside."""
    folder = _bytes(MODULES_FOLDER) + b"/"
    for name in modules.above:
        left_out[folder + _bytes(name)] = (ABOVE, 0)
    added: dict[bytes, _Found] = {}
    for name, place in modules.outside:
        prefix, base = folder + _bytes(name) + b"/", _bytes(place)
        inner: dict[bytes, tuple[str, int]] = {}
        if os.path.isdir(base):
            bounds = listing.Bounds(base, walk=True)
            paths, cut = listing.list_by_walk(base, bounds)
            if cut:
                inner[b"."] = (listing.TOO_MANY, 0)
        else:
            base, _, file = base.rpartition(b"/")
            bounds = listing.Bounds(base, walk=False)
            prefix, paths = folder, [file]
        for one in _inspect(base, None, paths, bounds, inner, file_limit):
            at = base + b"/" + one.path
            path = prefix + one.path if prefix != folder else folder + _bytes(name)
            # As Python has it: of two parts of a namespace package the first one counts.
            added.setdefault(path, one._replace(path=path, place=_text(at)))
        for path, reason in inner.items():
            left_out[prefix.rstrip(b"/") if path == b"." else prefix + path] = reason
    # What was imported is what counts, not what a clone has under that name.
    tops = tuple(folder + _bytes(name) for name, _ in modules.outside)
    inside = tuple(top + b"/" for top in tops)
    kept = [one for one in found if one.path not in tops and not one.path.startswith(inside)]
    return [*kept, *added.values()]


def _reason_against(
    path: bytes, full: bytes, status: os.stat_result, kind: int, file_limit: int
) -> str | None:
    if is_secret_path(_text(path)):
        return SECRET
    if _CONTROL(path):
        return CONTROL_CHARACTER  # no clone would write such a name
    if kind == stat.S_IFLNK:
        return None
    if kind != stat.S_IFREG:
        return SPECIAL
    if status.st_size > file_limit:
        return TOO_LARGE
    # Asked only where the answer could be no: most files are readable by all.
    if status.st_mode & 0o444 != 0o444 and not _readable(full):
        return listing.UNREADABLE
    return None


def _readable(path: bytes) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def _mode(kind: int, mode: int) -> int:
    if kind == stat.S_IFLNK:
        return MODE_LINK
    return MODE_EXECUTABLE if mode & stat.S_IXUSR else MODE_FILE


def _fit(
    found: list[_Found],
    entry: bytes,
    total_limit: int,
    left_out: dict[bytes, tuple[str, int]],
) -> list[_Found]:
    """What fits into `total_limit`, the smallest first: code is small, data is not."""
    kept: list[_Found] = []
    total = 0
    for file in sorted(found, key=lambda file: (file.path != entry, file.size, file.path)):
        if file.path != entry and total + file.size > total_limit:
            left_out[file.path] = (OVER_TOTAL, file.size)
            continue
        total += file.size
        kept.append(file)
    return sorted(kept)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
