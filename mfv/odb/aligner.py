"""Which bytes of an older version stand where the new bytes of a blob are.

A chunk that two versions hold is an anchor. What stands between two anchors in one most probably
came of what stands between the same two in the other. Versions that are far apart share few
chunks, while each shares many with the next: so places are followed from version to version.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from mfv.ids import BlobId, ChunkId
from mfv.odb.delta import BASE, GROUP, MAX_DEPTH

# How far the bytes looked for may lie from where they are looked for: rows come and go between
# two anchors.
_SLACK = 2 << 20  # bytes, at most
_LEAST_SLACK = 64 << 10  # bytes


class Older(NamedTuple):
    """Earlier versions of a blob, newest first, and which of them to build on."""

    path: tuple[BlobId, ...]
    base: int = 0  # into `path`; where it will not do, the next older one


class Old(NamedTuple):
    """One chunk of an older version."""

    id: ChunkId
    size: int  # bytes raw
    depth: int


class New(NamedTuple):
    """One chunk of the blob that is being written."""

    id: ChunkId
    size: int  # bytes raw
    known: bool  # it is stored already


class Span(NamedTuple):
    """Neighbouring new chunks, and the old ones that stand in their place, if any do."""

    first: int  # into the chunks given
    end: int
    base: list[Old]
    probable: range  # of `base`: where the middle of the span most probably was


class _Anchor(NamedTuple):
    """Offsets in bytes that stand opposite each other."""

    new: int
    old: int


class _Reach(NamedTuple):
    """Where some bytes of a newer version were; offsets in bytes."""

    low: int  # where they began if all that was put in since was put in behind them …
    high: int  # … and where they ended if it was put in before them
    least: int  # they do not leave what lies between two anchors
    most: int

    def between(self, left: _Anchor, right: _Anchor) -> _Reach:
        """The reach in an older version whose anchors around this one are `left` and `right`."""
        low, high = self.low - left.new + left.old, self.high - left.new + left.old
        if not left.old <= right.old <= left.old + BASE + right.new - left.new:
            return _Reach(low, high, 0, high + _SLACK)  # moved about: one anchor must do
        shift = (right.old - left.old) - (right.new - left.new)
        return _Reach(low + min(shift, 0), high + max(shift, 0), left.old, right.old)


class _Version:
    """One older version, and how it stands to the next older one."""

    def __init__(self, chunks: Sequence[Old]) -> None:
        self.chunks = chunks
        self.ends = list(accumulate(chunk.size for chunk in chunks))
        self._places: dict[bytes, list[int]] = {}
        for place, chunk in enumerate(chunks):
            self._places.setdefault(chunk.id, []).append(place)
        self._anchors: list[_Anchor] = []  # the ends of chunks that the next older one has too
        self._anchor_ends: list[int] = []
        self._sizes: list[int] = []

    @property
    def size(self) -> int:
        return self.ends[-1] if self.ends else 0

    def find(self, chunk: ChunkId, expected: int) -> int | None:
        """The place of a chunk: of equal ones the first from `expected` on, or the last."""
        places = self._places.get(chunk)
        if not places:
            return None
        later = bisect_left(places, expected)
        return places[later] if later < len(places) else places[-1]

    def follow(self, older: _Version) -> None:
        """Finds the anchors between this version and `older`."""
        expected = 0
        for place, chunk in enumerate(self.chunks):
            found = older.find(chunk.id, expected)
            if found is not None:
                expected = found + 1
                self._anchors.append(_Anchor(self.ends[place], older.ends[found]))
                self._sizes.append(chunk.size)
        self._anchor_ends = [anchor.new for anchor in self._anchors]
        self._last = _Anchor(self.size, older.size)

    def project(self, reach: _Reach) -> _Reach:
        """Where the bytes of `reach` were in the older version that this one follows."""
        before = bisect_right(self._anchor_ends, reach.low) - 1
        left = self._anchors[before] if before >= 0 else _Anchor(0, 0)
        after = bisect_left(self._anchor_ends, reach.high)
        # The first anchor that begins, not only ends, behind the reach.
        while after < len(self._anchors) and self._begin(after).new < reach.high:
            after += 1
        right = self._begin(after) if after < len(self._anchors) else self._last
        return reach.between(left, right)

    def _begin(self, anchor: int) -> _Anchor:
        new, old = self._anchors[anchor]
        return _Anchor(new - self._sizes[anchor], old - self._sizes[anchor])

    def within(self, low: int, high: int) -> range:
        """The places of the chunks that hold any of the bytes from `low` to `high`."""
        if high <= low:
            return range(0)
        last = min(bisect_left(self.ends, high) + 1, len(self.chunks))
        return range(bisect_right(self.ends, low), last)


class Aligner:
    """Goes along a blob beside older versions of it."""

    def __init__(self, versions: Sequence[Sequence[Old]], base: int, size: int) -> None:
        """`versions`: newest first, at least one; `base`: the one to build on, or older ones.

        `size`: bytes of the blob.
        """
        self._versions = [_Version(chunks) for chunks in versions]
        for newer, older in zip(self._versions, self._versions[1:], strict=False):
            newer.follow(older)
        self._base = base
        self._last = _Anchor(0, 0)
        self._offset = 0  # of the blob, to where it was followed
        # The ends stand opposite each other as well, if nothing better is in sight.
        self._end = _Anchor(size, self._versions[0].size)

    def spans(self, chunks: Sequence[New]) -> Iterator[Span]:
        """The new ones among the next `chunks` of the blob, in spans of bounded size."""
        starts = list(accumulate((chunk.size for chunk in chunks), initial=self._offset))
        anchors = self._anchors(chunks, starts)
        place = 0
        while place < len(chunks):
            if chunks[place].known:
                self._last = anchors.get(place, self._last)
                place += 1
                continue
            end = place + 1
            while (
                end < len(chunks)
                and not chunks[end].known
                and starts[end + 1] - starts[place] <= GROUP
            ):
                end += 1
            right = self._end
            known = next((k for k in range(end, len(chunks)) if k in anchors), None)
            if known is not None:
                right = _Anchor(starts[known], anchors[known].old - chunks[known].size)
            reach = _Reach(starts[place], starts[end], 0, 0).between(self._last, right)
            yield self._span(place, end, starts[end] - starts[place], reach)
            place = end
        self._offset = starts[-1]

    def _anchors(self, chunks: Sequence[New], starts: Sequence[int]) -> dict[int, _Anchor]:
        """By place in `chunks`: where the anchors among them end, in both versions."""
        newest = self._versions[0]
        anchors: dict[int, _Anchor] = {}
        expected = bisect_right(newest.ends, self._last.old)
        for place, chunk in enumerate(chunks):
            found = newest.find(chunk.id, expected) if chunk.known else None
            if found is not None:
                anchors[place] = _Anchor(starts[place + 1], newest.ends[found])
                expected = found + 1
        return anchors

    def _span(self, first: int, end: int, size: int, reach: _Reach) -> Span:
        """The span of `size` bytes with the first base for it that is not too deep."""
        for place, version in enumerate(self._versions):
            if place >= self._base:
                base, probable = _around(version, reach, size)
                if base and max(old.depth for old in base) < MAX_DEPTH:
                    return Span(first, end, base, probable)
            if place + 1 < len(self._versions):
                reach = version.project(reach)
        return Span(first, end, [], range(0))


def _around(version: _Version, reach: _Reach, size: int) -> tuple[list[Old], range]:
    """The chunks of `version` from which `size` new bytes may have come, and for their middle."""
    slack = min(_SLACK, size // 2)
    low = max(reach.low - slack, reach.least)
    base = version.within(low, min(reach.high + slack, reach.most, low + BASE))
    # Far from its ends one is least sure of what a span came.
    middle = version.within(
        max(reach.low + size // 2 - _LEAST_SLACK, reach.least),
        min(reach.high - size // 2 + _LEAST_SLACK, reach.most),
    )
    near, far = max(middle.start, base.start), min(middle.stop, base.stop)
    return list(version.chunks[base.start : base.stop]), range(near - base.start, far - base.start)
