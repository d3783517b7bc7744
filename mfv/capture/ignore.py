"""Rules of ignore files (`.mfvignore`, `.gitignore`) as git reads them, where git is not asked.

Paths are bytes relative to one root, `/`-separated. Only the glob of a single name is pathspec's:
it takes a rule on a folder for one on all that is below, so that `!keep/` would bring back files
in `keep` that another rule of the same file leaves out, which git does not.
"""

from __future__ import annotations

import os
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class _Rule(NamedTuple):
    ignores: bool
    only_folders: bool
    anchored: bool  # to the ignore file's folder; otherwise any last name may match
    names: tuple[str | GitIgnoreSpec, ...]  # plain text, "**", or a glob of one name


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
                data = file.read()
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
            verdict = _verdict(rules, _text(relative).split("/"), is_folder)
            if verdict is not None:
                return verdict
        return False


def _verdict(rules: list[_Rule], parts: list[str], is_folder: bool) -> bool | None:
    """What the last rule that matches says; None where none does."""
    for rule in reversed(rules):
        if rule.only_folders and not is_folder:
            continue
        if _match(rule.names, parts if rule.anchored else parts[-1:]):
            return rule.ignores
    return None


def _match(names: tuple[str | GitIgnoreSpec, ...], parts: list[str]) -> bool:
    if not names or not parts:
        return not names and not parts
    first, rest = names[0], names[1:]
    if first == "**":
        return not rest or any(_match(rest, parts[start:]) for start in range(len(parts)))
    part = parts[0]
    matches = first == part if isinstance(first, str) else first.match_file(part)
    return matches and _match(rest, parts[1:])


def _parse(data: bytes) -> list[_Rule]:
    rules = []
    for line in _text(data).removeprefix("\ufeff").split("\n"):
        rule = _parse_line(line.removesuffix("\r"))
        if rule is not None:
            rules.append(rule)
    return rules


def _parse_line(line: str) -> _Rule | None:
    """The rule of one line; None for comments, and for what makes no sense, as git does."""
    if line.startswith("#"):
        return None
    stripped = line.rstrip(" ")
    if stripped.endswith("\\") and len(stripped) < len(line):
        stripped += " "  # the first of the trailing spaces is escaped, so it counts
    ignores = not stripped.startswith("!")
    pattern = stripped if ignores else stripped[1:]
    only_folders = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    anchored = "/" in pattern
    names = pattern.removeprefix("/").split("/")
    if not all(names):
        return None
    try:
        return _Rule(
            ignores, only_folders, anchored, tuple(_name(name, anchored) for name in names)
        )
    except (ValueError, re.error):  # pathspec lets through what `re` thinks of a [z-a]
        return None


def _name(name: str, anchored: bool) -> str | GitIgnoreSpec:
    if name == "**" and anchored:
        return name
    if not any(special in name for special in "*?[\\"):
        return name
    from pathspec import GitIgnoreSpec

    # The slash keeps a leading ! or # from meaning anything, the backslash a trailing space.
    if name.endswith(" ") and not name.endswith("\\ "):
        name = name[:-1] + "\\ "
    while "**" in name:
        name = name.replace("**", "*")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python to come, about a [[ that means nothing here
        return GitIgnoreSpec.from_lines(["/" + name])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
