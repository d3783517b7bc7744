"""The files of a project, and which of them an import means."""

from __future__ import annotations

import posixpath
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping

from mfv.code.parts import Module

_COMPILED = (".so", ".pyd", ".pyx")


class Project:
    """Source files by path, read and parsed when they are asked for."""

    def __init__(
        self,
        files: Mapping[str, str],
        read: Callable[[str], bytes],
        script: str,
        modules: dict[tuple[str, str], Module] | None = None,
    ) -> None:
        """`files`: what tells the content of each from any other, by path; `read`: the content.

        `modules`: files that are taken apart already, by path and content; more are put there.
        """
        self.files, self.script = files, script
        self._read = read
        self._folder = posixpath.dirname(script)
        self._modules = {} if modules is None else modules
        self._found: dict[str, tuple[str, ...]] = {}
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in files:
            name = posixpath.basename(path)
            if name == "__init__.py":
                self._by_stem[posixpath.basename(posixpath.dirname(path))].append(path)
            elif name.endswith((".py", *_COMPILED)):
                self._by_stem[name.partition(".")[0]].append(path)

    def module(self, path: str) -> Module:
        """The file at `path`, taken apart."""
        key = path, self.files[path]
        if key not in self._modules:
            is_compiled = path.endswith(_COMPILED)
            source = f"{self.files[path]!r}()".encode() if is_compiled else self._read(path)
            self._modules[key] = Module(path, source)
        return self._modules[key]

    @property
    def sources(self) -> list[str]:
        """The paths of all Python files."""
        return [path for path in self.files if path.endswith(".py")]

    @property
    def is_ambiguous(self) -> bool:
        """Whether what was looked for so far is found in several places."""
        return any(len(paths) > 1 for paths in self._found.values())

    def find(self, name: str, level: int = 0, near: str = "") -> tuple[str, ...]:
        """The files that `import name` may mean; none if it is from outside of the project.

        `level` and `near`: of a relative import, its dots, and the path of the file that it is in.
        More than one where it cannot be told which: all of them count.
        """
        if level:
            folder = posixpath.dirname(near)
            for _ in range(level - 1):
                folder = posixpath.dirname(folder)
            return self._in(folder, name.replace(".", "/"))
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def _in(self, folder: str, name: str) -> tuple[str, ...]:
        """As a module or a package in a folder."""
        base = posixpath.join(folder, name) if name else folder
        tried = [posixpath.join(base, "__init__.py"), *([f"{base}.py"] if name else [])]
        found = tuple(path for path in tried if path in self.files)
        if found or not name:
            return found[:1]
        stem = posixpath.basename(base)
        return tuple(
            path
            for path in self._by_stem.get(stem, ())
            if path.endswith(_COMPILED) and path.startswith(f"{base}.")
        )

    def _search(self, name: str) -> tuple[str, ...]:
        relative = name.replace(".", "/")
        # Python looks beside the script first.
        beside = self._in(self._folder, relative)
        top = name.partition(".")[0]
        if beside or top in sys.stdlib_module_names:
            return beside
        if "." in name and self._in(self._folder, top):
            return ()  # the package is there, and has no such module
        # Anywhere else it depends on where Python looks, so every place counts.
        wanted = f"/{relative}"
        found = []
        for path in self._by_stem.get(posixpath.basename(relative), ()):
            stem = path.removesuffix("/__init__.py")
            if stem == path:
                folder, _, file = path.rpartition("/")
                stem = posixpath.join(folder, file.partition(".")[0])
            if f"/{stem}".endswith(wanted):
                found.append(path)
        return tuple(sorted(found))
