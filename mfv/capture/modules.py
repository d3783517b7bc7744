"""The user's own modules: where Python found them, and what of them lies outside the run's folder.

A flow may import from an editable install, from a folder of PYTHONPATH or from wherever it put on
`sys.path`. What is installed is known by its version; these are code that is edited, like the
script. Asked are the modules that are loaded, and the import statements of those that belong to
the user, so that an import inside of a step counts before the step runs. Nothing is imported here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple

MODULES_FOLDER = ".mfv-modules"
"""Where a snapshot keeps modules from outside: a folder to import from, as of a clone's root."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_MOST_SCANNED = 2000  # files whose imports are looked at
_LARGEST_SCANNED = 1 << 20  # bytes
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)[\w. \t]*import\b|import[ \t]+([\w., \t]+))", re.M)


class Outside(NamedTuple):
    """One top-level module or package that is no part of the run's folder."""

    name: str  # in MODULES_FOLDER: `tools`, or `tools.py`
    place: str  # absolute, of its folder or file


class UserModules(NamedTuple):
    """What a clone needs beside the run's folder, and how it finds modules."""

    outside: tuple[Outside, ...] = ()  # each name once, but for the parts of a namespace package
    # Folders to import from beside the script's own, in order, relative to the run's folder.
    search: tuple[str, ...] = ()
    above: tuple[str, ...] = ()  # packages that hold the run's folder: they cannot be kept


NO_MODULES = UserModules()


def find_modules(
    root: str,
    script: str,
    *,
    loaded: Mapping[str, object] | None = None,
    path: Sequence[str] | None = None,
) -> UserModules:
    """The user's modules that the script imports; `root` and `script` absolute, links resolved.

    `loaded` and `path` are by default `sys.modules` and `sys.path`.
    """
    search = _Search(root, sys.path if path is None else path)
    for name, module in list((sys.modules if loaded is None else loaded).items()):
        if name in ("__main__", "__mp_main__"):
            continue
        facts = getattr(module, "__dict__", None) or {}
        file = facts.get("__file__")
        if isinstance(file, str):
            search.add(name, file, is_package="__path__" in facts)
    search.add_imports_of(script)
    search.scan()
    return search.result(os.path.dirname(script))


class _Search:
    def __init__(self, root: str, path: Sequence[str]) -> None:
        self._root = root
        self._order = {os.path.realpath(folder or "."): at for at, folder in enumerate(path)}
        self._not_ours = _not_ours()
        self._bases: dict[str, bool] = {}  # by whether the user's own code lies there
        # By the folder that is imported from and the name in it: the module's file or folder.
        self._found: dict[tuple[str, str], str] = {}
        self._files: list[str] = []  # of the user, not yet scanned
        self._asked: set[str] = set()  # top-level names

    def add(self, name: str, file: str, *, is_package: bool) -> None:
        """Takes note of a module in `file`, if that is the user's."""
        folder, _ = os.path.split(file)
        ours = self._bases.get(folder)
        if ours is None:
            ours = self._bases[folder] = self._is_ours(folder)
        if not ours:
            return
        base = _base(name, file, is_package=is_package)
        if base is not None:
            top = name.partition(".")[0]
            is_file = top == name and not is_package
            place = os.path.abspath(file) if is_file else os.path.join(base, top)
            self._found.setdefault((os.path.realpath(base), top), os.path.realpath(place))
            self.add_imports_of(file)

    def add_imports_of(self, file: str) -> None:
        if file.endswith(".py") and len(self._files) < _MOST_SCANNED:
            self._files.append(file)

    def scan(self) -> None:
        """Follows the import statements of the user's files."""
        known = {top for _, top in self._found}
        for file in self._files:  # it grows meanwhile
            for top in _imports(file) - self._asked:
                self._asked.add(top)
                if top in known or top in sys.stdlib_module_names or top == "mfv":
                    continue
                self._locate(top)

    def _locate(self, top: str) -> None:
        try:
            spec = find_spec(top)
        except Exception:
            return  # a finder of the user's own may raise anything
        if spec is None:
            return
        places = spec.submodule_search_locations
        if spec.origin is not None and spec.has_location:
            self.add(top, spec.origin, is_package=places is not None)
        elif places is not None:  # a namespace package has no file
            for place in places:
                if self._is_ours(place) and os.path.basename(place) == top:
                    real = os.path.realpath(place)
                    self._found.setdefault((os.path.realpath(os.path.dirname(place)), top), real)

    def result(self, script_folder: str) -> UserModules:
        outside: dict[Outside, None] = {}
        bases: dict[str, int] = {}
        above: dict[str, None] = {}
        last = len(self._order)
        for base, top in sorted(self._found, key=lambda one: (self._order.get(one[0], last), one)):
            place = self._found[base, top]
            if self._root == place or self._root.startswith(place + os.sep):
                if base != script_folder:
                    above[top] = None
            elif _is_below(place, self._root) and not self._in_environment(place):
                if base != script_folder and _is_below(base, self._root):
                    bases.setdefault(os.path.relpath(base, self._root), 0)
            elif os.path.exists(place):
                name = top if os.path.isdir(place) else top + _ending(place)
                outside[Outside(name, place)] = None
                bases.setdefault(MODULES_FOLDER, 0)
        return UserModules(tuple(outside), tuple(bases), tuple(above))

    def _in_environment(self, place: str) -> bool:
        """Whether `place`, below the root, lies where no snapshot looks: in an environment."""
        while place != self._root:
            place = os.path.dirname(place)
            if os.path.isfile(os.path.join(place, "pyvenv.cfg")):
                return True
        return False

    def _is_ours(self, folder: str) -> bool:
        """Whether what lies in `folder` is neither Python's, nor mfv's, nor installed."""
        real = os.path.realpath(folder)
        if not _INSTALLED.isdisjoint(real.split(os.sep)):
            return False
        return not any(real == one or real.startswith(one + os.sep) for one in self._not_ours)


def _not_ours() -> tuple[str, ...]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = (
        os.path.dirname(os.__file__),
        os.path.join(sys.base_exec_prefix, sys.platlibdir, version),
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    )
    return tuple({os.path.realpath(path) for path in found})


def _base(name: str, file: str, *, is_package: bool) -> str | None:
    """The folder that `name` is imported from; None if its file lies as no import finds it."""
    parts = name.split(".")
    place = os.path.dirname(os.path.abspath(file))
    if not is_package:
        stem = os.path.basename(file).partition(".")[0]
        if stem != parts.pop():
            return None
    for part in reversed(parts):
        place, folder = os.path.split(place)
        if folder != part:
            return None
    return place


def _ending(file: str) -> str:
    """`.py`, or all of `.cpython-311-x86_64-linux-gnu.so`."""
    _, dot, ending = os.path.basename(file).partition(".")
    return dot + ending


def _imports(file: str) -> set[str]:
    """The first parts of all names that `file` imports, and of some that only look like it."""
    try:
        if os.stat(file).st_size > _LARGEST_SCANNED:
            return set()
        with open(file, encoding="utf-8", errors="replace") as source:
            return set(_names(source.read()))
    except OSError:
        return set()


def _names(source: str) -> Iterator[str]:
    for origin, names in _IMPORT.findall(source):
        if origin:
            yield origin
        for name in names.split(","):
            words = re.split(r"[\s.]", name.strip(), maxsplit=1)
            if words[0].isidentifier():
                yield words[0]


def _is_below(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder.rstrip(os.sep) + os.sep)
