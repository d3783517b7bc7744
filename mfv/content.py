"""Introduces artifacts to comparison by what they hold. Nothing is unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from mfv.diff.code import hunks_of
from mfv.diff.content import ContentDiff, PartChange
from mfv.diff.runs import ValueChange
from mfv.errors import CorruptError
from mfv.manifest.artifact import BYTES, FILE, PICKLE, SCALAR, TEXT, Artifact, Frame
from mfv.odb.database import Database
from mfv.outline.comparing import compare
from mfv.outline.nodes import Outline
from mfv.outline.reading import outline_of
from mfv.serde.frame import Buffer
from mfv.serde.inert import LARGEST, Away, OpaqueError, read_stream

_LONGEST_TEXT = 1 << 20  # bytes; a longer one is not compared by lines
_TEXTUAL = (TEXT, BYTES, FILE)


def look_inside(change: ValueChange, databases: tuple[Database, Database]) -> ValueChange:
    """`change` with what differs inside the artifact, where both sides are there and have bytes."""
    one, other = change.before, change.after
    if one is None or other is None:
        return change
    if isinstance(one.value, str) and isinstance(other.value, str):
        if "\n" not in one.value + other.value:
            return change
        hunks = hunks_of(
            *(text.encode("utf-8", "surrogatepass") for text in (one.value, other.value))
        )
        return msgspec.structs.replace(change, content=ContentDiff(hunks=tuple(hunks)))
    if not (one.frames and other.frames):
        return change
    return msgspec.structs.replace(change, content=content_diff(one, other, databases))


def content_diff(
    one: Artifact, other: Artifact, databases: tuple[Database, Database]
) -> ContentDiff:
    """What differs inside two artifacts; what cannot be told is said in `unknown`."""
    try:
        if one.serializer in _TEXTUAL and other.serializer in _TEXTUAL:
            return _texts(one, other, databases)
        before, after = outline(databases[0], one), outline(databases[1], other)
        return compare(before, after)
    except (OpaqueError, CorruptError) as error:
        return ContentDiff(unknown=error.message)


def outline(database: Database, artifact: Artifact) -> Outline:
    """What an artifact holds; blocks are read when they are looked at.

    Raises OpaqueError for what is not understood without loading it, CorruptError.
    """
    if artifact.serializer == SCALAR:
        return artifact.value
    if artifact.serializer != PICKLE or not artifact.frames:
        raise OpaqueError(f"it is stored as {artifact.serializer}")
    stream, *others = artifact.frames
    buffers: list[Buffer | Away] = [
        Away(frame.blob, frame.size, partial(_pieces, database, frame)) for frame in others
    ]
    return outline_of(read_stream(database.read_blob(stream.id, largest=LARGEST), buffers))


def _pieces(database: Database, frame: Frame) -> Iterator[Buffer]:
    return database.stream_blob(frame.id, largest=frame.size)


def _texts(one: Artifact, other: Artifact, databases: tuple[Database, Database]) -> ContentDiff:
    sides = []
    for artifact, database in zip((one, other), databases, strict=True):
        if artifact.size > _LONGEST_TEXT:
            return ContentDiff(unknown="it is too long to be compared by lines")
        whole = (database.read_blob(frame.id, largest=_LONGEST_TEXT) for frame in artifact.frames)
        data = b"".join(map(bytes, whole))
        sides.append(data)
    before, after = sides
    sizes = _picture_size(before), _picture_size(after)
    if sizes[0] and sizes[1]:
        old, new = (f"{wide} x {high}" for wide, high in (sizes[0], sizes[1]))
        changed = () if old == new else (PartChange("pixels", old, new),)
        return ContentDiff(changed, same=not changed)
    if b"\0" in before or b"\0" in after or not (_is_text(before) and _is_text(after)):
        return ContentDiff(unknown="it is no text")
    return ContentDiff(hunks=tuple(hunks_of(before, after)))


def _picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, by its header."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
