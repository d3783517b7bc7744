"""The stream that a pickle is written to, without the long bytes and texts in it.

Python's pickler lends out arrays, but puts `bytes`, `bytearray` and `str` into the stream, however
long. How it does so can be used: from 64 KiB up it first writes all that came before, with the
head of the long thing last, and then hands over the thing itself, uncopied. So the stream drops
that head, keeps the thing as an out-of-band buffer, and writes `bytes(next buffer)` in its place.
Memory stays at the object, and a file read into a dict is the blob that it would be by itself.
Any pickle module loads what comes of it.

A pickler that writes in another way is understood as writing nothing long: its bytes stay in.
"""

from __future__ import annotations

from collections.abc import Callable
from pickle import (
    BINBYTES,
    BINBYTES8,
    BINUNICODE,
    BINUNICODE8,
    BYTEARRAY8,
    FRAME,
    GLOBAL,
    NEXT_BUFFER,
    PROTO,
    REDUCE,
    SHORT_BINUNICODE,
    TUPLE1,
    TUPLE3,
    PickleBuffer,
)

LONG_FROM = 64 * 1024  # bytes; where CPython's pickler begins to hand over

_BYTES = GLOBAL + b"builtins\nbytes\n" + NEXT_BUFFER + TUPLE1 + REDUCE
_BYTEARRAY = GLOBAL + b"builtins\nbytearray\n" + NEXT_BUFFER + TUPLE1 + REDUCE
_STR = (
    *(GLOBAL + b"builtins\nstr\n", NEXT_BUFFER, SHORT_BINUNICODE + b"\x05utf-8"),
    *(SHORT_BINUNICODE + b"\x0dsurrogatepass", TUPLE3, REDUCE),
)
# The head of a long thing: an opcode and the length of what follows, in so many bytes.
_HEADS = {
    BINBYTES: (4, _BYTES),
    BINBYTES8: (8, _BYTES),
    BYTEARRAY8: (8, _BYTEARRAY),
    BINUNICODE: (4, b"".join(_STR)),
    BINUNICODE8: (8, b"".join(_STR)),
}
_FRAME_HEAD = 9  # bytes
_UNFRAMED = 4  # bytes; so few are written without a frame around them
_PROTO_HEAD = 2  # bytes


class Stream:
    """What `pickle.Pickler` writes to; `data` is the pickle once it is done."""

    def __init__(self, keep: Callable[[bytes | bytearray], None]) -> None:
        """`keep` takes each long thing, in order, between the buffers of arrays."""
        self.data = bytearray()
        self._keep = keep
        self._rest = b""  # what the last piece holds outside of frames

    def write(self, piece: bytes | bytearray | PickleBuffer) -> int:
        """Takes the next piece of the pickle."""
        if isinstance(piece, PickleBuffer):  # which was not lent, and so belongs in the stream
            piece = bytes(piece.raw())
            self.data += piece
            self._rest = b""
            return len(piece)
        if len(piece) >= LONG_FROM and self._taken(piece):
            self._rest = b""
        else:
            self._rest = _unframed(piece)
            self.data += piece
        return len(piece)

    def _taken(self, piece: bytes | bytearray) -> bool:
        """Whether `piece` is the long thing that was announced; if so, it is kept."""
        if type(piece) not in (bytes, bytearray):
            return False
        for opcode, (width, call) in _HEADS.items():
            head = opcode + len(piece).to_bytes(8, "little")[:width]
            if len(piece) < 1 << (8 * width) and self._rest.endswith(head):
                if len(self._rest) - len(head) >= _UNFRAMED:
                    return False
                del self.data[-len(head) :]
                self.data += call
                self._keep(piece)
                return True
        return False


def _unframed(piece: bytes | bytearray) -> bytes:
    """What follows the frame of `piece`: nothing, or the head of the long thing that comes next.

    Bytes inside a frame are never taken for a head, whatever they look like.
    """
    at = _PROTO_HEAD if piece[:1] == PROTO else 0
    if piece[at : at + 1] == FRAME:
        at += _FRAME_HEAD + int.from_bytes(piece[at + 1 : at + _FRAME_HEAD], "little")
    rest = piece[at : at + _FRAME_HEAD + _UNFRAMED + 1]
    return bytes(rest)
