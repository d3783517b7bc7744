"""What one Arrow array is made of, and how little of its buffers it needs.

By the columnar format: https://arrow.apache.org/docs/format/Columnar.html. A layout that is not
known here is left to pyarrow, which keeps its buffers whole.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mfv.serde.frame import Item


class Data(NamedTuple):
    """An array as pyarrow takes it apart, with the items of its buffers."""

    type: Any
    length: int
    nulls: int  # -1: not counted
    offset: int
    buffers: list[Any]
    items: list[Item | None]
    children: list[Data]
    dictionary: Data | None


class _UnknownLayoutError(Exception):
    """Raised for a type whose buffers are not told below."""


_OFFSETS = {
    **dict.fromkeys(("string", "binary", "list", "map"), 4),
    **dict.fromkeys(("large_string", "large_binary", "large_list"), 8),
}
_BITS = 8  # a bitmap is cut at whole bytes


def trimmed(parts: tuple[Any, ...]) -> Data | None:
    """The array of which pyarrow's `__reduce__` gave `parts`, with no more bytes than it needs.

    Nothing is copied but the offsets of a slice of texts or lists. None for an unknown layout.
    """
    try:
        return _trimmed(parts, 0, None)
    except (_UnknownLayoutError, TypeError, ValueError):
        return None


def _trimmed(parts: tuple[Any, ...], skip: int, length: int | None) -> Data:
    """`length` rows of an array from row `skip` on."""
    kind, whole, _, offset, buffers, children, dictionary = parts
    length = whole - skip if length is None else length
    offset += skip
    first = offset - offset % _BITS  # from here on rows are kept
    offset -= first
    rows = offset + length
    storage = getattr(kind, "storage_type", kind)  # of an extension
    name = str(storage).partition("<")[0].partition("[")[0].partition("(")[0]
    if name == "null":
        return Data(kind, length, length, 0, [None], [None], [], None)
    valid = _cut(buffers[0], first // _BITS, -(-rows // _BITS))
    nulls = 0 if valid is None else -1
    below = None if dictionary is None else _trimmed(dictionary, 0, None)
    if name in _OFFSETS:
        return _of_offsets(
            kind, name, (length, nulls, offset, first, rows), valid, buffers, children
        )
    if name in ("struct", "fixed_size_list"):
        each = storage.list_size if name == "fixed_size_list" else 1
        inner = [_trimmed(child, first * each, rows * each) for child in children]
        return Data(kind, length, nulls, offset, [valid], [None], inner, None)
    if storage.num_buffers != 2 or children:
        raise _UnknownLayoutError
    index = storage.index_type if dictionary is not None else storage
    if index.bit_width == 1:
        values, item = _cut(buffers[1], first // _BITS, -(-rows // _BITS)), None
    else:
        width = index.bit_width // 8
        values, item = _cut(buffers[1], first * width, rows * width), _item(index, width)
    return Data(kind, length, nulls, offset, [valid, values], [None, item], [], below)


def _of_offsets(
    kind: Any,
    name: str,
    place: tuple[int, int, int, int, int],
    valid: Any,
    buffers: list[Any],
    children: list[tuple[Any, ...]],
) -> Data:
    """Texts, bytes, lists and maps: rows are where their offsets say."""
    length, nulls, offset, first, rows = place
    width = _OFFSETS[name]
    item = Item("i", width)
    offsets = _cut(buffers[1], first * width, (rows + 1) * width)
    if offsets is None or offsets.size == 0:  # an array of no rows may do without
        start = end = 0
    else:
        numbers = memoryview(offsets).cast("B").cast("i" if width == 4 else "q")
        start, end = numbers[0], numbers[rows]
        if start:
            offsets = _moved(offsets, width, start)
    if children:
        inner = [_trimmed(child, start, end - start) for child in children]
        return Data(kind, length, nulls, offset, [valid, offsets], [None, item], inner, None)
    data = _cut(buffers[2], start, end - start)
    return Data(kind, length, nulls, offset, [valid, offsets, data], [None, item, None], [], None)


def _moved(offsets: Any, width: int, start: int) -> Any:
    """A copy of `offsets` that begins at 0."""
    import pyarrow
    import pyarrow.compute

    kind = pyarrow.int32() if width == 4 else pyarrow.int64()
    array = pyarrow.Array.from_buffers(kind, offsets.size // width, [None, offsets])
    return pyarrow.compute.subtract(array, pyarrow.scalar(start, kind)).buffers()[1]


def _cut(buffer: Any, start: int, size: int) -> Any:
    """`size` bytes of `buffer` from `start` on."""
    if buffer is None:
        return None
    if start + size > buffer.size:
        raise _UnknownLayoutError
    return buffer if buffer.size == size else buffer.slice(start, size)


def _item(kind: Any, width: int) -> Item | None:
    """What the values of a type of fixed width are; dates and times are whole numbers."""
    name = str(kind)
    if name in ("float", "double", "halffloat"):
        return Item("f", width)
    if name.startswith(("int", "date", "time", "duration")):
        return Item("i", width)
    if width == 1:
        return None
    return Item("u" if name.startswith("uint") else "V", width)
