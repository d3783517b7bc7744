"""What a name in a file means, followed through the imports of a project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mfv.code.mentions import Binding, Chain
from mfv.code.parts import Part
from mfv.code.project import Project


class Target(NamedTuple):
    """What a name means: a part, with the attributes that follow; or a file as a whole."""

    part: Part | None
    rest: Chain
    whole: str = ""


class Names:
    """The names of all files of a project."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def resolve(self, path: str, chain: Chain, local: Iterable[Binding]) -> Iterator[Target]:
        """What a name in a file means, followed through imports."""
        seen: set[tuple[str, Chain]] = set()
        for binding in local:
            if binding.name == chain[0]:
                yield from self._imported(path, binding, chain[1:], seen)
            elif binding.name == "*":
                for found in self.project.find(binding.module, binding.level, path):
                    yield from self._named(found, chain, seen)
        yield from self._named(path, chain, seen)

    def definitions(self, part: Part, chain: Chain) -> Iterator[Part]:
        """The functions and classes of the project that a name in `part` means."""
        for target in self.resolve(part.path, chain, ()):
            if target.part is not None and target.part.is_definition and not target.rest:
                yield target.part

    def is_outside(self, path: str, chain: Chain, local: Iterable[Binding]) -> bool:
        """Whether a name is that of something imported from outside of the project."""
        given = [part.binding for part in self.project.module(path).parts.get(chain[0], ())]
        bound = [*given, *(one for one in local if one.name == chain[0])]
        return bool(bound) and all(
            one is not None
            and one.level == 0
            and not self.paths_of(one.module, 0, path)
            and not self.paths_of(f"{one.module}.{one.attribute}", 0, path)
            for one in bound
        )

    def paths_of(self, name: str, level: int, near: str) -> list[str]:
        """The files of a module and of the packages that it is in."""
        found = list(self.project.find(name, level, near))
        if level and not name:
            return found
        while "." in name:
            name = name.rpartition(".")[0]
            found += self.project.find(name, level, near)
        return found

    def _named(self, path: str, chain: Chain, seen: set[tuple[str, Chain]]) -> Iterator[Target]:
        if (path, chain) in seen:
            return
        seen.add((path, chain))
        module = self.project.module(path)
        parts = module.parts.get(chain[0], [])
        for part in parts:
            yield Target(part, chain[1:])
            if part.binding is not None:
                yield from self._imported(path, part.binding, chain[1:], seen)
        for star in module.stars:
            for found in self.project.find(star.module, star.level, path):
                yield from self._named(found, chain, seen)
        if not parts:
            for part in module.parts.get("__getattr__", ()):
                yield Target(part, ())

    def _imported(
        self, path: str, binding: Binding, rest: Chain, seen: set[tuple[str, Chain]]
    ) -> Iterator[Target]:
        if binding.attribute is not None:
            for found in self.project.find(binding.module, binding.level, path):
                yield from self._named(found, (binding.attribute, *rest), seen)
            module = binding.module
            name = f"{module}.{binding.attribute}" if module else binding.attribute
        else:
            name = binding.module
        # As far as the names go they may be modules in packages.
        for length in range(len(rest) + 1):
            dotted = ".".join((name, *rest[:length]))
            for found in self.project.find(dotted, binding.level, path):
                yield from self._in_module(found, dotted, rest[length:], binding, path, seen)

    def _in_module(
        self,
        found: str,
        dotted: str,
        rest: Chain,
        binding: Binding,
        path: str,
        seen: set[tuple[str, Chain]],
    ) -> Iterator[Target]:
        if not rest:
            yield Target(None, (), whole=found)
            return
        if rest[0].startswith("__") and rest[0].endswith("__"):
            return
        module = self.project.module(found)
        is_bound = rest[0] in module.parts or "__getattr__" in module.parts
        inner = self.project.find(f"{dotted}.{rest[0]}", binding.level, path)
        if is_bound or module.stars:
            yield from self._named(found, rest, seen)
        elif not inner:
            yield Target(None, (), whole=found)  # set by somebody, in a way that is not seen
