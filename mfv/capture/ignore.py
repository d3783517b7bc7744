"""Rules of ignore files (`.mfvignore`, `.gitignore`) as git reads them, where git is not asked.

Paths are bytes relative to one root, `/`-separated.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from mfv.capture.wildmatch import Steps, compile_pattern

_BOM = b"\xef\xbb\xbf"
_LARGEST = 1 << 20  # bytes of a file that are read


class _Rule(NamedTuple):
    ignores: bool
    only_folders: bool
    anchored: bool  # to the ignore file's folder; otherwise any last name may match
    pattern: re.Pattern[bytes] | Steps


class IgnoreRules:
    """The rules of all files of one name below a root, each loaded when its folder is entered."""

    def __init__(self, root: bytes, file_name: bytes) -> None:
        self._root = root
        self._file_name = file_name
        self._by_folder: dict[bytes, list[_Rule]] = {}

    def enter(self, folder: bytes) -> None:
        """Learn the rules of `folder` (b"" is the root); an unreadable file has none."""
        inside = folder + b"/" if folder else b""
        path = self._root + b"/" + inside + self._file_name
        if not os.access(path, os.R_OK):  # far cheaper than a failing open, and most fail
            return
        try:
            # Without O_NONBLOCK, a pipe of that name would be waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                data = file.read(_LARGEST)
        except OSError:
            return
        self._by_folder[folder] = _parse(data)

    def ignores(self, path: bytes, *, is_folder: bool = False) -> bool:
        """Whether the rules leave out `path`, given that they left out no folder above it."""
        if not self._by_folder:
            return False
        folder = path
        while folder:
            folder = folder.rpartition(b"/")[0]
            rules = self._by_folder.get(folder)
            if rules is None:
                continue
            relative = path[len(folder) + 1 :] if folder else path
            # The deepest file that says anything decides, as in git.
            verdict = _verdict(rules, relative, is_folder)
            if verdict is not None:
                return verdict
        return False


def _verdict(rules: list[_Rule], path: bytes, is_folder: bool) -> bool | None:
    """What the last rule that matches says; None where none does."""
    name = path.rpartition(b"/")[2]
    for rule in reversed(rules):
        if rule.only_folders and not is_folder:
            continue
        if rule.pattern.fullmatch(path if rule.anchored else name):
            return rule.ignores
    return None


def _parse(data: bytes) -> list[_Rule]:
    rules = []
    for line in data.removeprefix(_BOM).split(b"\n"):
        # As git has it, what follows a NUL byte in a line is nothing.
        rule = _parse_line(line.removesuffix(b"\r").partition(b"\0")[0])
        if rule is not None:
            rules.append(rule)
    return rules


def _parse_line(line: bytes) -> _Rule | None:
    """The rule of one line; None for comments, and for what nothing can match."""
    if line.startswith(b"#"):
        return None
    pattern = line[: _end(line)]
    ignores = not pattern.startswith(b"!")
    if not ignores:
        pattern = pattern[1:]
    only_folders = pattern.endswith(b"/")
    pattern = pattern.removesuffix(b"/")
    anchored = b"/" in pattern
    compiled = compile_pattern(pattern.removeprefix(b"/")) if pattern else None
    return None if compiled is None else _Rule(ignores, only_folders, anchored, compiled)


def _end(line: bytes) -> int:
    """Where the spaces at the end of a line begin that are not escaped."""
    end: int | None = None
    at = 0
    while at < len(line):
        if line[at] != ord(" "):
            end = None
            if line[at] == ord("\\"):
                at += 1
                if at == len(line):
                    return at
        elif end is None:
            end = at
        at += 1
    return at if end is None else end
