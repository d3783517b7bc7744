"""Which paths out of a repository may be written to a folder. Refused ones are never repaired."""

from __future__ import annotations

import re
import unicodedata

from mfv.errors import CorruptError
from mfv.manifest.records import Tree

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_OURS = re.compile(r"\.(mfv|git|mfv-clone)[. ]*", re.IGNORECASE)
_SHORT_OURS = re.compile(r"(mfv|git)~\d+", re.IGNORECASE)
_LONGEST_PART, _LONGEST = 255, 4096  # bytes


def check_path(path: bytes) -> str:
    """`path` as text (undecodable bytes by surrogateescape) if it stays below where it is put.

    Raises CorruptError for absolute, climbing, empty, device, control-character and repository
    paths, on every platform alike.
    """
    text = path.decode("utf-8", "surrogateescape")
    parts = text.split("/")
    if len(path) > _LONGEST or any(not _is_safe(part) for part in parts):
        raise CorruptError(
            f"the snapshot holds the path {text[:200]!r}, which mfv writes nowhere",
            hint="do not trust where this repository comes from",
        )
    return text


def check_tree(tree: Tree) -> list[str]:
    """Every path of a snapshot, checked, and that no file stands where another wants a folder."""
    paths = [check_path(file.path) for file in tree.files]
    files = set(paths)
    if len(files) != len(paths):
        raise CorruptError("the snapshot holds one path twice")
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in files:
                raise CorruptError(f"the snapshot holds {path!r} below a file")
    return paths


def _is_safe(part: str) -> bool:
    if part in ("", ".", "..") or len(part.encode("utf-8", "surrogateescape")) > _LONGEST_PART:
        return False
    # Some file systems fold case, forms and ignorable characters: look at the folded name too.
    folded = unicodedata.normalize("NFKC", part)
    bare = "".join(char for char in folded if unicodedata.category(char) != "Cf")
    if any(
        pattern.fullmatch(name)
        for pattern in (_OURS, _SHORT_OURS, _DEVICES)
        for name in (part, bare)
    ):
        return False
    return "\\" not in part and ":" not in part and not any(ord(char) < 32 for char in part)
