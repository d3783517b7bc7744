"""Which of the chunks that were seen is most like another, by a few features of each.

A chunk is cut by its content into pieces of about a kilobyte, and the smallest of their checksums
are its features: two chunks that have much in common share some of them. The oldest are forgotten,
so memory is bounded.
"""

from __future__ import annotations

import zlib
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mfv.ids import ChunkId

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

_PIECE = 1024  # bytes, on average
_FEATURES = 6  # of a chunk that are kept
_LIKE = 2  # so many must be shared
_REMEMBERED = 1 << 17  # features before the older half is forgotten


class Seen(NamedTuple):
    """One chunk."""

    id: ChunkId
    size: int  # bytes raw
    depth: int  # at which a group may count on it


@cache
def _cutter() -> FastCDC:
    from pyfastcdc import FastCDC

    return FastCDC(avg_size=_PIECE, min_size=_PIECE // 4, max_size=_PIECE * 4)


def features_of(data: memoryview) -> list[int]:
    """The features of a chunk."""
    pieces = _cutter().cut_buf(data)
    sums = {zlib.crc32(data[one.offset : one.offset + one.length]) for one in pieces}
    return sorted(sums)[:_FEATURES]


class Likeness:
    """Remembers chunks, in the order in which they lie."""

    def __init__(self) -> None:
        self._places: list[dict[int, int]] = [{}, {}]  # feature -> number: older and newer ones
        self._seen: list[dict[int, Seen]] = [{}, {}]  # number -> chunk, likewise
        self._next = 0

    def learn(self, chunk: Seen, features: list[int]) -> None:
        """Remembers a chunk that lies behind the one that was learned last."""
        if len(self._places[1]) >= _REMEMBERED:
            self._places = [self._places[1], {}]
            self._seen = [self._seen[1], {}]
        self._seen[1][self._next] = chunk
        for feature in features:
            self._places[1][feature] = self._next
        self._next += 1

    def like(self, features: list[int]) -> list[Seen]:
        """The chunk that shares most with one of these features, and what lies behind it.

        Empty if none is like it.
        """
        votes = Counter(number for one in features if (number := self._number(one)) is not None)
        if not votes:
            return []
        number, count = votes.most_common(1)[0]
        if count < min(_LIKE, len(features)):
            return []
        return [seen for at in (number, number + 1) if (seen := self._chunk(at)) is not None]

    def _number(self, feature: int) -> int | None:
        newer = self._places[1].get(feature)
        return newer if newer is not None else self._places[0].get(feature)

    def _chunk(self, number: int) -> Seen | None:
        return self._seen[1].get(number) or self._seen[0].get(number)
