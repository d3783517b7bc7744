"""Everything that each step of a flow can reach, and what it is: a fingerprint with names."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from mfv.code.atimport import does_something
from mfv.code.flowclass import FlowClasses
from mfv.code.inputs import read_of_inputs
from mfv.code.mentions import Level
from mfv.code.names import Names
from mfv.code.parts import TOP, Function, Module, Part, digest_of, last_of
from mfv.code.project import Project
from mfv.code.walk import Key, Walk


class Reach(NamedTuple):
    """What one step depends on."""

    units: Mapping[Key, str]  # what tells each piece of code from what it was
    reads: frozenset[str] | None  # attributes of the flow; None where they cannot be known
    stored: frozenset[str]  # attributes that it may set
    reads_inputs: frozenset[str] | None  # of a join: attributes of its inputs; None as for `reads`
    splits: bool  # whether it may ask for its place in a foreach
    files: frozenset[str]  # files and folders that it may read, as they are written
    texts: frozenset[str]  # anything else in quotes
    any_file: bool  # whether it may read files of other names
    everything: bool  # whether it may use any file of the project as code

    def may_read(self, path: str) -> bool:
        """Whether the step may read the file, which is not imported."""
        if self.everything or self.any_file:
            return True
        name = path.rpartition("/")[2]
        if any(name in text for text in (*self.files, *self.texts)):
            return True
        return any(_is_in(path, name, text) for text in self.files)


def _is_in(path: str, name: str, text: str) -> bool:
    """Whether a path is in a folder, or meant by a pattern."""
    folder, star, _ = text.partition("*")
    folder = folder.rstrip("/") if not star else folder.rpartition("/")[0]
    folder = "/".join(part for part in folder.split("/") if part not in ("", ".", ".."))
    if star and not fnmatch.fnmatchcase(name, text.rpartition("/")[2]):
        return False
    return f"/{folder}/" in f"/{path}" if folder else bool(star)


class Code:
    """The code of a flow as one snapshot has it."""

    def __init__(
        self,
        files: Mapping[str, str],
        read: Callable[[str], bytes],
        script: str,
        flow: str,
        *,
        steps: Collection[str],
        constants: Collection[str] = (),
        parameters: Collection[str] = (),
        modules: dict[tuple[str, str], Module] | None = None,
    ) -> None:
        """`constants` and `parameters`: attributes whose values the caller compares itself.

        `modules`: as for `Project`.
        """
        self.project = Project(files, read, script, modules)
        self._steps = frozenset(steps)
        self._constants, self._parameters = frozenset(constants), frozenset(parameters)
        self.names = Names(self.project)
        self._reaches: dict[str, Reach] = {}
        self._closures: dict[Key, str] = {}
        self.flow = FlowClasses(self.names, script, flow)
        self._loaded: dict[str, Module] = {}
        self._effects: list[Part] = []
        self._is_known = bool(self.flow.heads)
        if self._is_known:
            try:
                self._load(script, self._loaded, self._effects)
            except RecursionError:  # an expression of thousands of terms
                self._is_known = False

    @property
    def loaded(self) -> Collection[str]:
        """The files that are imported when the script is run."""
        return self._loaded

    def reach(self, step: str) -> Reach:
        """What a step depends on, and the top level of every module that is imported."""
        if step not in self._reaches:
            try:
                self._reaches[step] = self._reach(step)
            except RecursionError:
                self._reaches[step] = self._all_files()
        return self._reaches[step]

    def definitions(self) -> Iterator[Part]:
        """The functions and classes that values of artifacts can lead to."""
        for module in list(self._loaded.values()):
            for parts in module.parts.values():
                for part in parts:
                    if part.is_definition and part not in self.flow:
                        yield part

    def closure(self, part: Part) -> str:
        """What tells a definition, and all that it can reach, from what it was."""
        key = part.path, part.name
        if key not in self._closures:
            walk = Walk(self)
            walk.add(part)
            try:
                walk.run()
                found = sorted(walk.units().items())
            except RecursionError:
                found = sorted(self._all_files().units.items())
            self._closures[key] = digest_of(repr(found).encode("utf-8", "surrogatepass"))
        return self._closures[key]

    def _reach(self, step: str) -> Reach:
        if not self._is_known or step not in self.flow.members:
            return self._all_files()
        walk = Walk(self)
        for part in self.flow.members[step]:
            walk.add(part)
        for part in self._effects:
            walk.add(part)
        walk.run()
        if walk.level is Level.EVERYTHING:
            return self._all_files()
        reads_inputs: frozenset[str] | None = frozenset()
        for part in self.flow.members[step]:
            node = part.nodes[0]
            if isinstance(node, Function) and len(node.args.args) + len(node.args.posonlyargs) > 1:
                names = read_of_inputs(node)
                if names is None or reads_inputs is None:
                    reads_inputs = None
                else:
                    reads_inputs |= names
        own = set(walk.own)
        known = not walk.escapes
        return Reach(
            walk.units(),
            frozenset(own) if known else None,
            frozenset(walk.stored),
            reads_inputs,
            not known or bool(own & {"input", "index", "foreach_stack"}),
            frozenset(walk.files),
            frozenset(walk.texts),
            walk.any_file,
            False,
        )

    def _all_files(self) -> Reach:
        units = {(path, TOP): self.project.files[path] for path in self.project.sources}
        nothing: frozenset[str] = frozenset()
        return Reach(units, None, nothing, None, True, nothing, nothing, True, True)

    # What the walk asks.

    def members(self, name: str) -> list[Part]:
        """The definitions of an attribute of the flow's classes, but for values that are known."""
        if name in self._constants:
            return []
        found = self.flow.members.get(name, [])
        if name in self._parameters:
            return [part for part in found if not _is_parameter(part)]
        return found

    def all_members(self) -> Iterator[Part]:
        """All of them that are no steps."""
        for name in self.flow.members:
            if name not in self._steps:
                yield from self.members(name)

    def is_step(self, name: str) -> bool:
        return name in self._steps

    def is_value(self, name: str) -> bool:
        """Whether it is a constant or a parameter whose value the caller compares."""
        return name in self._constants or name in self._parameters

    def whole(self, path: str) -> Iterator[Part]:
        """Everything of a file."""
        for part in self.project.module(path).everything():
            if part not in self.flow:
                yield part

    def whole_flow(self) -> Iterator[Part]:
        """All of the flow's classes, steps too."""
        for parts in self.flow.heads.values():
            yield from parts
        for name in self.flow.members:
            yield from self.members(name)

    def load(self, name: str, level: int, near: str) -> list[Part]:
        """What runs when a module is imported that was not imported with the script."""
        effects: list[Part] = []
        seen = dict(self._loaded)
        for path in self.names.paths_of(name, level, near):
            self._load(path, seen, effects)
        return effects

    def _load(self, path: str, seen: dict[str, Module], effects: list[Part]) -> None:
        todo = [path]
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            module = seen[path] = self.project.module(path)
            effects += module.effects
            for part in (one for parts in module.parts.values() for one in parts):
                if part in self.flow:
                    effects += self.flow.heads[id(part)]
                elif part.binding is None and does_something(self.names, part):
                    effects.append(part)
            for name, level in module.modules:
                todo += self.names.paths_of(name, level, path)


def _is_parameter(part: Part) -> bool:
    node = part.nodes[0]
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return isinstance(value, ast.Call) and last_of(value) == "Parameter"
