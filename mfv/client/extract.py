"""Writing a code snapshot to a folder. Its paths come from a repository: they are not trusted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

from mfv.errors import CorruptError, StorageError
from mfv.manifest.records import Tree, TreeFile
from mfv.repo.paths import check_tree

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_link(file: TreeFile) -> bool:
    """Whether it is a symlink."""
    return file.mode & 0o170000 == 0o120000


def extract(
    name: str, tree: Tree, read: Callable[[TreeFile], bytes], *, links: bool
) -> tempfile.TemporaryDirectory[str]:
    """A new temporary folder with the files of `tree`, whose bytes `read` gives.

    Raises CorruptError, and leaves nothing behind, for a path that is not safe to write, for two
    that collide here, and for a symlink that leads out of the folder; without `links` no symlink
    is written. `name` is whose code it is.
    """
    paths = check_tree(tree)
    try:
        found = tempfile.TemporaryDirectory(prefix="mfv-code-")
    except OSError as error:
        raise StorageError(
            f"cannot make a temporary folder for the code of {name}: {error}",
            hint="TMPDIR says where temporary files are made",
        ) from error
    try:
        _write(name, os.path.realpath(found.name), tree, paths, read, links=links)
    except BaseException:
        found.cleanup()
        raise
    return found


def _write(
    name: str,
    root: str,
    tree: Tree,
    paths: list[str],
    read: Callable[[TreeFile], bytes],
    *,
    links: bool,
) -> None:
    wanted = [one for one in zip(paths, tree.files, strict=True) if links or not is_link(one[1])]
    # Links last: while anything is written, nothing can lead it elsewhere.
    wanted.sort(key=lambda one: is_link(one[1]))
    path = ""
    try:
        for path, _ in wanted:
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
        for path, file in wanted:
            _write_one(os.path.join(root, path), file, read(file))
    except (FileExistsError, NotADirectoryError):
        raise _refused(name, path, "another file has its name on this file system") from None
    except ValueError:
        raise _refused(name, path, "it is a symlink to no name that there can be") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(f"cannot write {path[:200]!r} of {name} to {root}: {reason}") from error
    for path, file in wanted:
        # Only now, for what one link means may depend on the others.
        if is_link(file) and _leads_out(root, os.path.join(root, path)):
            raise _refused(name, path, "it is a symlink that leads out of the folder")


def _write_one(path: str, file: TreeFile, data: bytes) -> None:
    if is_link(file):
        os.symlink(data, os.fsencode(path))
        return
    with open(os.open(path, _NEW, 0o755 if file.mode & 0o100 else 0o644), "wb") as out:
        out.write(data)


def _leads_out(root: str, link: str) -> bool:
    place = os.path.realpath(link)
    inside = place == root or place.startswith(root + os.sep)
    return os.path.isabs(os.readlink(link)) or not inside


def _refused(name: str, path: str, reason: str) -> CorruptError:
    return CorruptError(
        f"the code of {name} cannot be written out because of {path!r}: {reason}",
        hint="nothing was written; extract(links=False) leaves out symlinks, read() gives one file",
    )
