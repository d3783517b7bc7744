"""From a piece of code to all that it can use."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mfv.code.mentions import Chain, Level
from mfv.code.names import Target
from mfv.code.parts import Part

if TYPE_CHECKING:
    from mfv.code.reach import Code

Key = tuple[str, str]  # path, and the name in it; the name is TOP for what runs at import


class Walk:
    """One closure: from some parts to all that they can use."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._parts: dict[int, Part] = {}
        self._as_value: set[int] = set()  # parts whose docstring may be read
        self._todo: list[Part] = []
        self._wholes: set[str] = set()
        self.own: set[str] = set()
        self.stored: set[str] = set()
        self.texts: set[str] = set()
        self.files: set[str] = set()
        self.any_file = self.escapes = self._docs = False
        self.level = Level.KNOWN
        self._loaded_all = False

    def add(self, part: Part, *, as_value: bool = False) -> None:
        if as_value:
            self._as_value.add(id(part))
        if id(part) not in self._parts:
            self._parts[id(part)] = part
            self._todo.append(part)

    def run(self) -> None:
        while self._todo:
            self._take(self._todo.pop())
            if not self._todo and self.level is Level.LOADED and not self._loaded_all:
                self._loaded_all = True
                for path in list(self._code.loaded):
                    self._whole(path)

    def units(self) -> dict[Key, str]:
        """What was reached, each with what tells it from what it was."""
        found: dict[Key, list[str]] = defaultdict(list)
        for one, part in self._parts.items():
            found[part.path, part.name].append(part.digest(self._docs or one in self._as_value))
        return {
            key: digests[0] if len(digests) == 1 else "|".join(self._ordered(key, digests))
            for key, digests in found.items()
        }

    def _ordered(self, key: Key, digests: list[str]) -> list[str]:
        """In the order of the file where that matters."""
        module = self._code.project.module(key[0])
        order = {id(part): n for n, part in enumerate(module.everything())}
        ids = [one for one, part in self._parts.items() if (part.path, part.name) == key]
        pairs = sorted(zip(ids, digests, strict=True), key=lambda pair: order.get(pair[0], -1))
        return [digest for _, digest in pairs]

    def _take(self, part: Part) -> None:
        code, found = self._code, part.mentions
        self.texts |= found.texts
        for called, file in found.readers:
            if called is None or not self._is_ours(part, called):
                self.files |= {file} if file is not None else set()
                self.any_file = self.any_file or file is None
        self._docs = self._docs or found.reads_docs
        self.level = max(self.level, found.level)
        if part.binding is not None:
            return
        for name, level in found.modules:
            for effect in code.load(name, level, part.path):
                self.add(effect)
        for chains, as_value in ((found.values, True), (found.calls, False)):
            for chain in chains:
                for target in code.names.resolve(part.path, chain, found.bindings):
                    self._reach(part, target, as_value=as_value)
        for object_ in found.computed:
            if object_ is not None and code.names.is_outside(part.path, object_, found.bindings):
                continue
            if part.me is None and object_ is not None and object_[0] in ("self", "cls"):
                continue  # of a class that is there as a whole
            self.level = max(self.level, Level.LOADED)
        if part.me is not None:
            self._take_own(part)
        if part.at_class is not None:
            self.stored |= part.at_class.mentions.texts  # `@catch(var="...")`
            for chain in part.at_class.mentions.values | part.at_class.mentions.calls:
                if code.members(chain[0]) or code.is_value(chain[0]):
                    self._own(chain[0])

    def _is_ours(self, part: Part, chain: Chain) -> bool:
        """Whether what is called is of the project, so that what it does itself is seen."""
        if chain[0] == part.me:
            return len(chain) == 2 and bool(self._code.members(chain[1]))
        targets = self._code.names.resolve(part.path, chain, part.mentions.bindings)
        return any(
            target.part is not None and target.part.is_definition and not target.rest
            for target in targets
        )

    def _take_own(self, part: Part) -> None:
        found = part.mentions
        self.stored |= found.stored
        for name in found.own:
            self._own(name)
        if found.escapes and not self.escapes:
            self.escapes = True
            for member in self._code.all_members():
                self.add(member, as_value=True)

    def _own(self, name: str) -> None:
        self.own.add(name)
        for member in self._code.members(name):
            self.add(member)

    def _reach(self, source: Part, target: Target, *, as_value: bool) -> None:
        if target.part is None:
            self._whole(target.whole)
        elif target.part not in self._code.flow:
            self.add(target.part, as_value=as_value and not target.rest)
        elif target.rest:
            if self._code.is_step(target.rest[0]):
                for part in self._code.whole_flow():
                    self.add(part)
            self._own(target.rest[0])
        elif as_value and not source.is_at_class:
            # The flow's own class is in somebody's hands.
            for part in self._code.whole_flow():
                self.add(part, as_value=True)

    def _whole(self, path: str) -> None:
        if path in self._wholes:
            return
        self._wholes.add(path)
        for part in self._code.whole(path):
            self.add(part, as_value=True)
        if path == self._code.project.script:
            for part in self._code.whole_flow():
                self.add(part, as_value=True)
