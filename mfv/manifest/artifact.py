"""An artifact as recorded: how it is stored, and what can be told of it without loading it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mfv.ids import ArtifactId, BlobId

Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Scalar = None | bool | int | float | str

SCALAR = "scalar"  # the value stands in the record itself
PICKLE = "pickle5"  # frames: the pickle stream, then its out-of-band buffers
BYTES = "bytes"  # one frame: the bytes themselves
TEXT = "text"  # one frame: UTF-8
FILE = "file"  # one frame: the content of a file; the value says how it is given back


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One contiguous buffer of a serialized artifact."""

    blob: Hash
    size: int  # bytes

    @property
    def id(self) -> BlobId:
        return BlobId(self.blob)


class Column(msgspec.Struct, frozen=True, array_like=True):
    """One column of a table, or one entry of a mapping: its name and what it holds."""

    name: str
    kind: str


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `show` and `diff` print of a value; taken while it was stored, never trusted.

    Of numbers, `low`, `high` and `mean` leave out NaN, and `nulls` counts them.
    """

    text: str = ""  # a short repr
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    length: int | None = None
    columns: tuple[Column, ...] = ()
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    nulls: int | None = None
    media: str | None = None  # MIME type of bytes that are a picture or a document


class Artifact(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named value of one task: a scalar in place, or frames in the object database."""

    name: str
    type: str  # dotted name of its class, builtins without module
    serializer: str = SCALAR
    value: Scalar = None
    frames: tuple[Frame, ...] = ()
    summary: Summary = Summary()
    path: str = ""  # of a file: where it was; a hint, to be believed only if its bytes are right
    transient: bool = False  # once its run has succeeded, nothing keeps its frames

    @property
    def size(self) -> int:
        """Bytes of the value as serialized."""
        if self.serializer == SCALAR:
            return len(msgspec.msgpack.encode(self.value))
        return sum(frame.size for frame in self.frames)

    @property
    def id(self) -> ArtifactId:
        """The same for equal stored values whatever their name, run or flow."""
        content = (self.serializer, self.value, [frame.blob for frame in self.frames])
        return ArtifactId.of(msgspec.msgpack.encode(content))

    @property
    def is_number(self) -> bool:
        """Whether it is an inline int or float, which `log` and `diff` treat as a metric."""
        return isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
