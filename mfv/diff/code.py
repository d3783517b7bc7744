"""What changed between two code snapshots: files, and lines of text."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from mfv.manifest.records import Tree, TreeFile

FileStatus = Literal["added", "removed", "changed", "mode"]

LARGEST = 2 * 1024 * 1024  # bytes; a larger file is compared as a whole
_MISSING_END = "\\ No newline at end of file"


class FileChange(msgspec.Struct, frozen=True):
    """One file that differs."""

    path: bytes
    status: FileStatus
    before: TreeFile | None
    after: TreeFile | None
    hunks: tuple[str, ...] = ()  # unified diff without its two head lines; empty for binary files
    text: bool = True  # False: binary, or too large to be told by lines

    def inverse(self) -> FileChange:
        """The same change the other way round."""
        turned: dict[FileStatus, FileStatus] = {"added": "removed", "removed": "added"}
        status = turned.get(self.status, self.status)
        hunks = tuple(turn_hunks(self.hunks))
        return FileChange(self.path, status, self.after, self.before, hunks, self.text)

    @property
    def added(self) -> int:
        """Lines that came."""
        return sum(line.startswith("+") for line in self.hunks)

    @property
    def removed(self) -> int:
        """Lines that went."""
        return sum(line.startswith("-") for line in self.hunks)


class _Pair(NamedTuple):
    path: bytes
    before: TreeFile | None
    after: TreeFile | None


def differing(before: Tree, after: Tree) -> list[_Pair]:
    """The files that are not the same in both, by path."""
    old = {file.path: file for file in before.files}
    new = {file.path: file for file in after.files}
    paths = sorted(old.keys() | new.keys())
    return [
        _Pair(path, old.get(path), new.get(path))
        for path in paths
        if old.get(path) != new.get(path)
    ]


def needed_blobs(before: Tree, after: Tree) -> set[bytes]:
    """The blobs whose content `diff_trees` wants to see."""
    files = (file for pair in differing(before, after) for file in (pair.before, pair.after))
    return {file.blob for file in files if file is not None and file.size <= LARGEST}


def diff_trees(
    before: Tree, after: Tree, contents: Mapping[bytes, bytes]
) -> tuple[FileChange, ...]:
    """Every file that differs, with its lines where both sides are text.

    `contents`: the bytes of each blob that `needed_blobs` named; one that is missing counts as
    binary.
    """
    return tuple(_change(pair, contents) for pair in differing(before, after))


def _change(pair: _Pair, contents: Mapping[bytes, bytes]) -> FileChange:
    path, before, after = pair
    if before is None or after is None:
        status: FileStatus = "removed" if after is None else "added"
    else:
        status = "mode" if before.blob == after.blob else "changed"
    old, new = _text(before, contents), _text(after, contents)
    if old is None or new is None:
        return FileChange(path, status, before, after, text=False)
    return FileChange(path, status, before, after, tuple(_hunks(old, new)))


def _text(file: TreeFile | None, contents: Mapping[bytes, bytes]) -> list[str] | None:
    """The lines of a file with their ends; None if it is not text."""
    if file is None:
        return []
    data = contents.get(file.blob)
    if data is None or b"\0" in data:
        return None
    return _lines(data)


def hunks_of(old: bytes, new: bytes) -> list[str]:
    """How one text became another: a unified diff without its two head lines."""
    return _hunks(_lines(old), _lines(new))


def _lines(data: bytes) -> list[str]:
    """The lines of a text with their ends.

    Each byte that is not UTF-8 stays one character, so that a patch gives the same bytes back.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")  # form feeds end no line of code
    ended = [f"{line}\n" for line in lines[:-1]]
    return [*ended, lines[-1]] if lines[-1] else ended


def _hunks(old: list[str], new: list[str]) -> list[str]:
    # difflib finds other matches from the other side. Always comparing from the same one makes
    # `diff(b, a)` the inverse of `diff(a, b)`.
    if new < old:
        return turn_hunks(_hunks(new, old))
    lines: list[str] = []
    for line in list(difflib.unified_diff(old, new))[2:]:
        if line.endswith("\n"):
            lines.append(line[:-1])
        else:
            lines.extend((line, _MISSING_END))
    return lines


def turn_hunks(hunks: Sequence[str]) -> list[str]:
    """The hunks of the inverse change, removed lines first as always."""
    turned: list[str] = []
    gone: list[str] = []
    came: list[str] = []
    last = turned  # where a remark on a missing line end belongs
    for line in hunks:
        if line.startswith("\\"):
            last.append(line)
            continue
        if line[:1] not in ("+", "-"):
            turned += [*gone, *came]
            gone, came = [], []
            turned.append(_turned_head(line) if line.startswith("@@") else line)
            last = turned
        else:
            last = gone if line.startswith("+") else came
            last.append(("-" if line.startswith("+") else "+") + line[1:])
    return [*turned, *gone, *came]


def _turned_head(line: str) -> str:
    mark, old, new, end = line.split(" ", 3)
    return f"{mark} -{new[1:]} +{old[1:]} {end}"
