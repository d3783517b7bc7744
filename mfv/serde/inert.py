"""Pickles read without being run: what a stream says, as inert nodes.

A stream is a program for a small machine, which calls whatever it names. Here the same program is
followed, and a call becomes a node that names what would be called. Nothing is imported and
nothing is called, so a stream from anybody can be looked at.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mfv.errors import MfvError
from mfv.serde.frame import Buffer

LARGEST = 64 << 20  # bytes of one stream; a longer one takes minutes


class OpaqueError(MfvError):
    """A stream is not understood without running it."""

    code = "opaque"


class Named:
    """A function or class by its name; never imported."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name  # `module.qualified_name`


class Raw:
    """Bytes, in the stream or a frame beside it."""

    __slots__ = ("data",)

    def __init__(self, data: Buffer) -> None:
        self.data = data


class Away:
    """Bytes of a frame beside the stream, read when they are asked for, each time anew.

    `pieces` gives them one after the other, so that they need not all be held.
    """

    __slots__ = ("blob", "pieces", "size")

    def __init__(self, blob: bytes, size: int, pieces: Callable[[], Iterator[Buffer]]) -> None:
        self.blob, self.size, self.pieces = blob, size, pieces

    def load(self) -> bytes:
        """All of them."""
        return b"".join(self.pieces())


class Pairs:
    """A dict: keys and values in the order in which they were set."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[tuple[Any, Any]] = []


class Bag:
    """A set or frozenset, in the order of the stream, which means nothing."""

    __slots__ = ("frozen", "items")

    def __init__(self, items: list[Any], frozen: bool) -> None:
        self.items, self.frozen = items, frozen


class Made:
    """What a call would make, and what is done to it after that."""

    __slots__ = ("arguments", "call", "extended", "keywords", "state", "updated")

    def __init__(self, call: Any, arguments: Any, keywords: Any = None) -> None:
        self.call, self.arguments, self.keywords = call, arguments, keywords
        self.state: list[Any] = []  # in the order in which it is set
        self.extended: list[Any] = []  # appended or added
        self.updated: list[tuple[Any, Any]] = []  # set by key


_MARK = object()
_PLAIN = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    )
)
_BYTES = frozenset(
    (
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    )
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_IGNORED = frozenset(("PROTO", "FRAME", "READONLY_BUFFER"))
_PUT = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GET = frozenset(("GET", "BINGET", "LONG_BINGET"))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

# What a stream makes is bounded as well as the stream: an empty list is one byte there, and sixty
# here. Counted in about that many bytes, by the name of the opcode.
_ROOM = 3_000_000
_COST = {
    **dict.fromkeys(_PUT | {"MEMOIZE"} | _BYTES, 4),
    **dict.fromkeys(("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), 2),
    **dict.fromkeys(("EMPTY_LIST", "LIST", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"), 2),
    **dict.fromkeys(("EMPTY_DICT", "DICT", "EMPTY_SET", "FROZENSET"), 4),
    **dict.fromkeys(("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "GLOBAL"), 8),
}

_OUTSIDE = frozenset(("FRAME", "NEXT_BUFFER", "READONLY_BUFFER"))
_OPCODES = 10_000_000  # of a stream that is made one with its buffers


def read(frames: Sequence[Buffer]) -> Any:
    """The value behind frames as `mfv.serde.pickle5.dump` makes them, as nodes.

    Numbers, text, None, lists and tuples are themselves; a list or dict may hold itself. Raises
    OpaqueError.
    """
    return read_stream(frames[0], frames[1:])


def read_stream(stream: Buffer, buffers: Sequence[Buffer | Away]) -> Any:
    """The same, where the frames beside the stream may be away."""
    view = memoryview(stream)
    if view.nbytes > LARGEST:
        raise OpaqueError(f"its stream of {view.nbytes} bytes is too long to be looked through")
    try:
        return _Machine(buffers).follow(bytes(view))
    except OpaqueError:
        raise
    except Exception as error:  # whatever a malformed stream leads to
        raise OpaqueError(f"its stream is malformed: {error}") from None


def joined(frames: Sequence[Buffer]) -> Iterator[Buffer]:
    """The same pickle as one stream that any Python reads, its buffers in place. Runs nothing.

    Raises OpaqueError.
    """
    stream = bytes(memoryview(frames[0]))
    buffers = iter(frames[1:])
    start = 0
    for name, at, end, fixed in _left_out(stream):
        yield stream[start:at]
        if name == "NEXT_BUFFER":
            data = memoryview(next(buffers, b"")).cast("B")
            yield (b"\x8e" if fixed else b"\x96") + data.nbytes.to_bytes(8, "little")
            yield data
        start = end
    yield stream[start:]


def _left_out(stream: bytes) -> list[tuple[str, int, int, bool]]:
    """What of a stream has no place in one of its own: each opcode, where it is and ends.

    Last whether the buffer that it takes is read-only.
    """
    found: list[tuple[str, int, int, bool]] = []
    before: tuple[str, int] | None = None
    room = _OPCODES
    try:
        for opcode, _, at in pickletools.genops(stream):
            place = at or 0
            if before is not None:
                fixed = opcode.name == "READONLY_BUFFER"
                found.append((*before, place, fixed))
            before = (opcode.name, place) if opcode.name in _OUTSIDE else None
            room -= 1
            if room < 0:
                raise OpaqueError("its stream is too long to be made one with its buffers")
    except OpaqueError:
        raise
    except Exception as error:
        raise OpaqueError(f"its stream is malformed: {error}") from None
    return found


class _Machine:
    """The stack and the memo of one stream."""

    def __init__(self, buffers: Sequence[Buffer | Away]) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._buffers = iter(buffers)

    def follow(self, stream: bytes) -> Any:
        room = _ROOM
        for opcode, argument, at in pickletools.genops(io.BytesIO(stream)):
            room -= _COST.get(opcode.name, 1)
            if room < 0:
                raise OpaqueError("its stream makes too much to be looked through")
            if opcode.name == "STOP":
                if (at or 0) + 1 != len(stream) or len(self._stack) != 1:
                    raise OpaqueError("there is more behind the end of its stream")
                return self._stack[0]
            self._do(opcode.name, argument)
        raise OpaqueError("its stream has no end")

    def _do(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _PLAIN:
            stack.append(argument)
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in _GET:
            stack.append(self._memo[int(argument)])
        elif name in _PUT:
            self._memo[int(argument)] = stack[-1]
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _BYTES:
            # A bytearray stays one: who makes values again of nodes can tell.
            stack.append(Raw(argument.encode("latin-1") if isinstance(argument, str) else argument))
        elif name == "NEXT_BUFFER":
            buffer: Any = next(self._buffers)
            if not isinstance(buffer, Away):
                buffer = Raw(memoryview(buffer).cast("B"))
            stack.append(buffer)
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name not in _IGNORED:
            getattr(self, f"_{name.lower()}", self._unknown)(argument)

    def _unknown(self, argument: Any) -> None:
        raise OpaqueError("its stream does what mfv never writes")

    def _mark(self, argument: Any) -> None:
        self._stack.append(_MARK)

    def _since_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
        found = self._stack[place + 1 :]
        del self._stack[place:]
        return found

    def _pop(self, argument: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, argument: Any) -> None:
        self._since_mark()

    def _dup(self, argument: Any) -> None:
        self._stack.append(self._stack[-1])

    def _empty_list(self, argument: Any) -> None:
        self._stack.append([])

    def _list(self, argument: Any) -> None:
        self._stack.append(self._since_mark())

    def _append(self, argument: Any) -> None:
        value = self._stack.pop()
        self._extend([value])

    def _appends(self, argument: Any) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        (target.extended if isinstance(target, Made) else target).extend(values)

    def _empty_tuple(self, argument: Any) -> None:
        self._stack.append(())

    def _tuple(self, argument: Any) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _empty_dict(self, argument: Any) -> None:
        self._stack.append(Pairs())

    def _dict(self, argument: Any) -> None:
        values = self._since_mark()
        self._stack.append(Pairs())
        self._update(values)

    def _setitem(self, argument: Any) -> None:
        values = self._stack[-2:]
        del self._stack[-2:]
        self._update(values)

    def _setitems(self, argument: Any) -> None:
        self._update(self._since_mark())

    def _update(self, values: list[Any]) -> None:
        target = self._stack[-1]
        items = target.updated if isinstance(target, Made) else target.items
        items.extend(zip(values[::2], values[1::2], strict=True))

    def _empty_set(self, argument: Any) -> None:
        self._stack.append(Bag([], frozen=False))

    def _additems(self, argument: Any) -> None:
        values = self._since_mark()
        target = self._stack[-1]
        (target.extended if isinstance(target, Made) else target.items).extend(values)

    def _frozenset(self, argument: Any) -> None:
        self._stack.append(Bag(self._since_mark(), frozen=True))

    def _global(self, argument: Any) -> None:
        self._stack.append(Named(str(argument).replace(" ", ".", 1)))

    def _stack_global(self, argument: Any) -> None:
        module, name = self._stack[-2:]
        if not isinstance(module, str) or not isinstance(name, str):
            raise OpaqueError("its stream names something by what is no text")
        self._stack[-2:] = [Named(f"{module}.{name}")]

    def _reduce(self, argument: Any) -> None:
        self._call(2)

    def _newobj(self, argument: Any) -> None:
        self._call(2)

    def _newobj_ex(self, argument: Any) -> None:
        self._call(3)

    def _call(self, count: int) -> None:
        self._stack[-count:] = [Made(*self._stack[-count:])]

    def _obj(self, argument: Any) -> None:
        call, *arguments = self._since_mark()
        self._stack.append(Made(call, tuple(arguments)))

    def _inst(self, argument: Any) -> None:
        name = Named(str(argument).replace(" ", ".", 1))
        self._stack.append(Made(name, tuple(self._since_mark())))

    def _build(self, argument: Any) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if not isinstance(target, Made):
            raise OpaqueError("its stream gives a state to what has none")
        target.state.append(state)
