"""Inert nodes as an outline."""

from __future__ import annotations

from typing import Any

from mfv.outline import arrow, frames, tensors
from mfv.outline.arrays import block_of
from mfv.outline.nodes import Keyed, Listed, Opaque, Outline
from mfv.serde.inert import Away, Bag, Made, Named, Pairs, Raw

_DEEPEST = 100  # levels; deeper is told as opaque
_MOST = 200_000  # parts of one value
# Classes that are dicts and lists in all but name.
_DICTS = ("collections.OrderedDict", "collections.defaultdict", "collections.Counter")


def outline_of(node: Any) -> Outline:
    """What a node (`mfv.serde.inert.read`) would make, as an outline. Never raises for content."""
    return _Reader().read(node, 0)


class _Reader:
    def __init__(self) -> None:
        self._left = _MOST
        self._open: set[int] = set()  # nodes that are being looked at: one may hold itself

    def read(self, node: Any, depth: int) -> Outline:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            return Opaque("...", why="it is too large to be told part by part")
        if id(node) in self._open:
            return Opaque("...", why="it holds itself")
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        if isinstance(node, Raw):
            return bytes(node.data)
        if isinstance(node, Away):
            return Opaque("bytes", identity=node.blob)
        if isinstance(node, Named):
            return Opaque(node.name, identity=node.name)
        self._open.add(id(node))
        try:
            return self._compound(node, depth + 1)
        finally:
            self._open.discard(id(node))

    def _compound(self, node: Any, depth: int) -> Outline:
        if isinstance(node, Pairs):
            return self._dict("dict", node.items, depth)
        if isinstance(node, (list, tuple)):
            kind = type(node).__name__
            return Listed(kind, [self.read(one, depth) for one in node])
        if isinstance(node, Bag):
            items = sorted((self.read(one, depth) for one in node.items), key=repr)
            return Listed("frozenset" if node.frozen else "set", items)
        if isinstance(node, Made):
            return self._made(node, depth)
        return Opaque(type(node).__name__)

    def _made(self, node: Made, depth: int) -> Outline:
        for known in (block_of, tensors.tensor_of, frames.table_of, arrow.table_of):
            found: Outline = known(node)
            if found is not None:
                return found
        name = class_name(node)
        if name in _DICTS and node.updated:
            return self._dict(name.rpartition(".")[2], node.updated, depth)
        if name in ("builtins.set", "builtins.frozenset", "builtins.list", "collections.deque"):
            inner = node.extended or (node.arguments[0] if node.arguments else [])
            items = inner.items if isinstance(inner, Bag) else inner
            if isinstance(items, (list, tuple)):
                return Listed(name.rpartition(".")[2], [self.read(one, depth) for one in items])
        return self._object(name, node, depth)

    def _object(self, name: str, node: Made, depth: int) -> Outline:
        """An object by its fields; what it was called with stands under numbers."""
        items: dict[str, Outline] = {}
        arguments = node.arguments if isinstance(node.arguments, (list, tuple)) else ()
        for place, argument in enumerate(arguments):
            if not (isinstance(argument, Named) and argument.name == name):
                items[f"({place})"] = self.read(argument, depth)
        for state in node.state:
            halves = state if isinstance(state, tuple) and len(state) == 2 else (state,)
            for half in halves:
                if isinstance(half, Pairs):
                    fields = self._dict("", half.items, depth)
                    items |= {key.strip("'"): value for key, value in fields.items.items()}
                elif half is not None:
                    items[f"state{len(items)}"] = self.read(half, depth)
        for place, one in enumerate(node.extended):
            items[f"[{place}]"] = self.read(one, depth)
        items |= self._dict("", node.updated, depth).items
        return Keyed(name, items)

    def _dict(self, kind: str, pairs: Any, depth: int) -> Keyed:
        return Keyed(kind, {self._key(key, depth): self.read(one, depth) for key, one in pairs})

    def _key(self, node: Any, depth: int) -> str:
        found = self.read(node, depth)
        if isinstance(found, Listed):
            return "(" + ", ".join(map(repr, found.items)) + ")"
        return repr(found) if isinstance(found, (str, int, float, bytes)) else str(found)


def class_name(node: Made) -> str:
    """The class of what a node would make, as far as it says."""
    call = node.call
    if isinstance(call, Named):
        name = call.name
        if name.startswith("copyreg.") and isinstance(node.arguments, tuple):
            classes = [one.name for one in node.arguments if isinstance(one, Named)]
            return classes[0] if classes else name
        return name
    return class_name(call) if isinstance(call, Made) else "object"
