"""Which paths out of a repository may be written to a folder, and under which name.

A path that could lead anywhere else is refused, never repaired. One that is harmless here and
means something on another platform (a device, a stream of a file) gets a name that means nothing.
"""

from __future__ import annotations

import os
import re
import unicodedata

from mfv.errors import CorruptError
from mfv.manifest.records import Opening, Tree

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_OURS = re.compile(r"\.(mfv|git|mfv-clone)[. ]*", re.IGNORECASE)
_SHORT_OURS = re.compile(r"(mfv|git)~\d+", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:([\\/].*)?", re.DOTALL)
_LONGEST_PART, _LONGEST = 255, 4096  # bytes


def check_path(path: bytes) -> str:
    """The path to write `path` to: text, undecodable bytes by surrogateescape.

    It is `path` itself, but for `:`, `\\` and the names of devices, which are percent-encoded.
    Raises CorruptError for absolute, climbing, empty, too long, control-character and repository
    paths, on every platform alike.
    """
    text = path.decode("utf-8", "surrogateescape")
    parts = re.split(r"[/\\]", text)
    if len(path) > _LONGEST or _DRIVE.fullmatch(text) or not all(map(_is_safe, parts)):
        raise _refused(text)
    written = "/".join(map(_portable, text.split("/")))
    if any(len(_bytes(part)) > _LONGEST_PART for part in written.split("/")):
        raise _refused(text)
    return written


def check_tree(tree: Tree) -> list[str]:
    """Where each file of a snapshot is to be written; checked also against each other.

    CorruptError where two have one path, or one stands where another wants a folder.
    """
    paths = [check_path(file.path) for file in tree.files]
    files = set(paths)
    if len(files) != len(paths):
        raise CorruptError("the snapshot holds one path twice")
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in files:
                raise CorruptError(f"the snapshot holds the path {path!r} below a file")
    return paths


def python_path(opening: Opening) -> str:
    """What PYTHONPATH must say for the code of a run to find its modules; mostly empty.

    Relative to the run's own folder in its tree. CorruptError for a path that leads out.
    """
    start = check_path(_bytes(opening.folder)) if opening.folder else "."
    folders = (
        "." if folder == "." else check_path(_bytes(folder)) for folder in opening.module_path
    )
    return ":".join(os.path.relpath(folder, start) for folder in folders)


def _refused(text: str) -> CorruptError:
    return CorruptError(
        f"the snapshot holds the path {text[:200]!r}, which mfv writes nowhere",
        hint="do not trust where this repository comes from",
    )


def _is_safe(part: str) -> bool:
    if len(_bytes(part)) > _LONGEST_PART or any(ord(char) < 32 or char == "\x7f" for char in part):
        return False
    # Some file systems fold case, forms and ignorable characters: look at the folded name too.
    names = (part, _folded(part))
    if any(name in ("", ".", "..") for name in names):
        return False
    return not any(pattern.fullmatch(name) for pattern in (_OURS, _SHORT_OURS) for name in names)


def _portable(part: str) -> str:
    """`part` without what Windows reads as a device, a stream or a folder."""
    part = part.replace(":", "%3A").replace("\\", "%5C")
    if any(_DEVICE.fullmatch(name.rstrip(" .")) for name in (part, _folded(part))):
        return f"%{ord(part[0]):02X}{part[1:]}"
    return part


def _folded(part: str) -> str:
    folded = unicodedata.normalize("NFKC", part)
    return "".join(char for char in folded if unicodedata.category(char) != "Cf")


def _bytes(part: str) -> bytes:
    return part.encode("utf-8", "surrogateescape")
