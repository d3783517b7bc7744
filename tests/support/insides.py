"""Values as they are stored, and what differs inside two of them, without a repository."""

from __future__ import annotations

from mfv.diff.content import ContentDiff
from mfv.outline.comparing import compare
from mfv.outline.nodes import Outline
from mfv.outline.reading import outline_of
from mfv.serde.inert import Away, read_stream
from mfv.serde.pickle5 import dump


def outline(value: object) -> Outline:
    """As of an artifact: what stands beside the stream is read when it is looked at."""
    frames = [bytes(memoryview(frame.data).cast("B")) for frame in dump(value, name="it")]
    away = [Away(bytes(data), len(data), lambda data=data: cut(data)) for data in frames[1:]]  # type: ignore[misc]
    return outline_of(read_stream(frames[0], away))


def cut(data: bytes) -> list[bytes]:
    """In pieces of odd lengths, as chunks are."""
    return [data[start : start + 1013] for start in range(0, len(data), 1013)]


def inside(before: object, after: object) -> ContentDiff:
    return compare(outline(before), outline(after))
