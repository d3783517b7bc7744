"""The entries of a damaged archive: each has its own seal, and the table only says where it lies.

Where the table is damaged, the entries before the first wrong length are found from the front,
those behind the last from the end, and what lies between is one entry or lost.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from mfv.errors import CorruptError
from mfv.ids import ID_BYTES
from mfv.maintain.onebit import mended
from mfv.repo.archive import archive_key, head_of, open_archive
from mfv.repo.log import decode_entry
from mfv.storage.base import Backend

_HEAD_BYTES = len(head_of(1, ())) - ID_BYTES
_LENGTH_BYTES = 4


class ArchiveFound(NamedTuple):
    """What is right of one archive."""

    entries: list[bytes | None]  # in order; None: lost
    mended: tuple[int, ...]  # numbers of those in which one bit was turned back
    is_whole: bool  # nothing is wrong with the file


def entries(backend: Backend, first: int, last: int) -> ArchiveFound:
    """All entries of the archive of `first` to `last` that can be found; NotFoundError."""
    trouble = open_archive(backend, first, last).trouble
    data = backend.get(archive_key(first, last))
    count = last - first + 1
    table = data[_HEAD_BYTES : _HEAD_BYTES + count * _LENGTH_BYTES]
    begin = _HEAD_BYTES + count * _LENGTH_BYTES + ID_BYTES
    lengths = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    found: list[bytes | None] = [None] * count
    ends: dict[int, int] = {-1: begin}  # where entries end, by place
    begins: dict[int, int] = {count: len(data)}
    at = begin
    for place, length in enumerate(lengths):
        piece = data[at : at + length]
        if is_entry(first + place, piece):
            found[place], begins[place], ends[place] = piece, at, at + length
        at += length
    at = len(data)
    for place in range(len(lengths) - 1, -1, -1):
        length = lengths[place]
        piece = data[at - length : at] if 0 < length <= at else b""
        if found[place] is None and is_entry(first + place, piece):
            found[place], begins[place], ends[place] = piece, at - length, at
        at = begins.get(place, at - length)
    turned = []
    for place in range(count):
        if found[place] is None and place - 1 in ends and place + 1 in begins:
            piece = data[ends[place - 1] : begins[place + 1]]
            if not is_entry(first + place, piece):
                number = first + place
                again = mended(piece, lambda tried, number=number: is_entry(number, tried))  # type: ignore[misc]
                if again is None:
                    continue
                turned.append(number)
                piece = again
            found[place], begins[place] = piece, ends[place - 1]
            ends[place] = begins[place + 1]
    is_whole = not trouble and not turned and None not in found
    return ArchiveFound(found, tuple(turned), is_whole)


def is_entry(number: int, data: bytes) -> bool:
    """Whether `data` is entry `number`, sealed and whole."""
    try:
        decode_entry(number, data)
    except CorruptError:
        return False
    return True
