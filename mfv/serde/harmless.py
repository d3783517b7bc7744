"""Values made again from a pickle that nobody vouches for, without running what it names.

The stream is read as inert nodes, and of those a value is made by the functions that stand here,
one for each name on the list, each of which checks what it is given. No unpickler runs, nothing is
imported by name, and what is not on the list is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mfv.errors import UntrustedError
from mfv.serde import inert
from mfv.serde.frame import Buffer
from mfv.serde.harmlesstypes import MAKERS, TYPES, getattr_of
from mfv.serde.inert import Away, Bag, Made, Named, Pairs, Raw

_LARGEST_KEY = 10_000  # values in one key of a dict or set: its hash visits each as often as met


def load(frames: Sequence[Buffer]) -> object:
    """The value behind `frames`, if it is made of nothing but what is harmless.

    Raises UntrustedError, which names the first that is not.
    """
    try:
        node = inert.read(frames)
    except inert.OpaqueError as error:
        raise UntrustedError(error.message) from None
    try:
        return _Reviver().value(node)
    except RecursionError:
        raise UntrustedError("its values are nested too deeply") from None


class _Reviver:
    """Makes each node once, so that what was shared, or held itself, does so again."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}
        self._kept: list[Any] = []  # so that no id is given twice

    def value(self, node: Any) -> Any:
        """The value of a node."""
        if node is None or type(node) in (bool, int, float, str):
            return node
        if id(node) in self._known:
            return self._known[id(node)]
        self._kept.append(node)
        if type(node) is list:
            made: Any = []
            self._known[id(node)] = made
            made.extend(self.value(one) for one in node)
        elif type(node) is Pairs:
            made = {}
            self._known[id(node)] = made
            self._fill(made, node.items)
        elif type(node) is Bag:
            made = set()
            self._known[id(node)] = made
            made.update(self._key(one) for one in node.items)
            if node.frozen:
                made = frozenset(made)
        elif type(node) is tuple:
            made = tuple(self.value(one) for one in node)
        elif type(node) is Raw:
            made = (bytearray if type(node.data) is bytearray else bytes)(node.data)
        elif type(node) is Made:
            made = self._made(node)
        elif type(node) is Named:
            if node.name not in TYPES:
                raise refused(node.name)
            made = TYPES[node.name]
        else:
            assert not isinstance(node, Away)
            raise UntrustedError("its stream does what mfv never writes")
        self._known[id(node)] = made
        return made

    def _made(self, node: Made) -> Any:
        name = _called(node.call)
        maker = MAKERS.get(name)
        if maker is None:
            raise refused(name)
        if node.keywords is not None and node.keywords != () and _is_filled(node.keywords):
            raise UntrustedError(f"it calls {name} in a way that mfv never writes")
        arguments = node.arguments
        if type(arguments) is not tuple:
            raise UntrustedError(f"it calls {name} in a way that mfv never writes")
        if maker.by_node:
            given: tuple[Any, ...] = (node,)
        else:
            given = tuple(self.value(one) for one in (*arguments, *node.state))
        try:
            made = maker.make(*given)
        except Exception as error:  # whatever a maker or a type says to what does not fit
            why = str(error) or type(error).__name__
            raise UntrustedError(f"what it gives to {name} is refused: {why[:200]}") from None
        if maker.by_node:
            return made
        self._known[id(node)] = made
        if node.extended:
            self._extend(made, name, [self.value(one) for one in node.extended])
        if node.updated:
            if not isinstance(made, dict):
                raise UntrustedError(f"it sets keys of {name}, which has none")
            self._fill(made, node.updated)
        return made

    def _extend(self, made: Any, name: str, values: list[Any]) -> None:
        extend: Callable[[list[Any]], object] | None = getattr(made, "extend", None)
        if name != "collections.deque" or extend is None:
            raise UntrustedError(f"it adds to {name}, which takes nothing")
        extend(values)

    def _fill(self, target: dict[Any, Any], items: Sequence[tuple[Any, Any]]) -> None:
        for key, value in items:
            target[self._key(key)] = self.value(value)

    def _key(self, node: Any) -> Any:
        _count(node, _LARGEST_KEY)
        key = self.value(node)
        try:
            hash(key)
        except TypeError:
            raise UntrustedError("it has a key that can be none") from None
        return key


def refused(name: str) -> UntrustedError:
    """That `name` is not on the list."""
    return UntrustedError(f"it names {name[:200]}, which is not among what is known to be harmless")


def _called(call: Any) -> str:
    """The name of what a node calls; of a method the class with it."""
    if isinstance(call, Named):
        return call.name
    if isinstance(call, Made):
        return getattr_of(call) or _called(call.call)
    raise UntrustedError("its stream calls what has no name")


def _is_filled(node: Any) -> bool:
    return not isinstance(node, Pairs) or bool(node.items)


def _count(node: Any, left: int) -> int:
    """`left` less all values in a key; a tuple that holds another many times counts it so often."""
    left -= 1
    if left < 0:
        raise UntrustedError("it has a key of too many values")
    parts = node if type(node) is tuple else node.items if type(node) is Bag else ()
    for part in parts:
        left = _count(part, left)
    return left
