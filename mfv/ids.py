"""Typed object ids: the only place that hashes.

A blob and a chunk are named by the plain BLAKE3-256 of their bytes, so that `b3sum` prints what
mfv prints. Records hash under a BLAKE3 key-derivation context of their own, so that the bytes of
a file can never pose as a record, nor one kind of record as another.
"""

from __future__ import annotations

import os
from typing import ClassVar, Self

from blake3 import blake3

from mfv.errors import CorruptError

ID_BYTES = 32
PACK_ID_BYTES = 16
Buffer = bytes | bytearray | memoryview

# Below this size the threads of BLAKE3 cost more than they bring.
_THREADS_FROM = 1 << 20  # bytes


class ObjectId(bytes):
    """32 bytes that name one object; subclasses say which kind of object.

    Equal to plain `bytes` of the same value, so ids read from a record compare and hash alike.
    """

    __slots__ = ()
    context: ClassVar[str | None] = None
    kind: ClassVar[int] = 0  # the number of this kind of object in a pack; 0: not in packs

    @classmethod
    def of(cls, data: Buffer) -> Self:
        """The id of `data`; releases the GIL."""
        threads = blake3.AUTO if len(data) >= _THREADS_FROM else 1
        if cls.context is None:
            return cls(blake3(data, max_threads=threads).digest())
        hasher = blake3(data, derive_key_context=cls.context, max_threads=threads)
        return cls(hasher.digest())

    @classmethod
    def checked(cls, raw: bytes) -> Self:
        """`raw` as an id; CorruptError unless it has the length of one."""
        if len(raw) != ID_BYTES:
            raise CorruptError(f"a {cls.__name__} of {len(raw)} bytes instead of {ID_BYTES}")
        return cls(raw)

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()[:12]})"

    @property
    def short(self) -> str:
        """The first 8 hex digits, for people."""
        return self.hex()[:8]


class ChunkId(ObjectId):
    """One content-cut slice of a blob. A blob of one chunk has that chunk's id."""

    kind = 1


class BlobId(ObjectId):
    """One contiguous byte string: a frame, a code file, a log.

    In a pack it is a chunk, or, where it was cut, a recipe: the list of its chunks.
    """

    kind = 2

    @staticmethod
    def hasher(threads: int = blake3.AUTO) -> blake3:
        """For bytes that come in turn, much at a time: `update` it; the id is its `digest`."""
        return blake3(max_threads=threads)


class TreeId(ObjectId):
    context = "mfv v1 tree"
    kind = 16


class EnvironmentId(ObjectId):
    context = "mfv v1 environment"
    kind = 17


class OpeningId(ObjectId):
    context = "mfv v1 opening"
    kind = 18


class TaskId(ObjectId):
    context = "mfv v1 task manifest"
    kind = 19


class RunId(ObjectId):
    """The id of a sealed run's manifest: the run's true name."""

    context = "mfv v1 run manifest"
    kind = 20


class ArtifactId(ObjectId):
    """The id of a value as stored: its serializer and frames, or its inline scalar."""

    context = "mfv v1 artifact"


class EntryId(ObjectId):
    """The seal of one log entry, to which the next entry is chained."""

    context = "mfv v1 log entry"


class Seal(ObjectId):
    """The hash that closes a file of ours: a pack's index, a checkpoint, the format file."""

    context = "mfv v1 seal"


class PackId(bytes):
    """16 random bytes; a pack's name says nothing of its content and is never used again."""

    __slots__ = ()

    @classmethod
    def new(cls) -> Self:
        return cls(os.urandom(PACK_ID_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The id that `text` (32 lower-case hex digits) spells, or None."""
        if len(text) != 2 * PACK_ID_BYTES or text.strip("0123456789abcdef"):
            return None
        return cls(bytes.fromhex(text))

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"PackId({self.hex()[:12]})"


# Records are the objects whose id hashes their own bytes under a context, by number of kind.
RECORD_TYPES: dict[int, type[ObjectId]] = {
    kind.kind: kind for kind in (TreeId, EnvironmentId, OpeningId, TaskId, RunId)
}
