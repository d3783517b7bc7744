"""What lies where, of all that runs need: how full each pack is, and which copy of many counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from mfv.errors import NotFoundError
from mfv.ids import PackId
from mfv.maintain.marks import Marks
from mfv.odb.codec import Codec
from mfv.odb.packindex import Location, key_of, list_packs
from mfv.odb.ranges import range_of
from mfv.repo.repository import Repository
from mfv.storage.base import Stat

# Two packs of less than this are made one. A pack that was made of others is soon larger, and is
# not copied again while runs come and go.
SMALL = 16 << 20  # bytes


_LOOSE = (Codec.ZSTD, Codec.GROUP)


class PackFacts(NamedTuple):
    """One pack."""

    pack: PackId
    size: int  # bytes
    modified: float  # seconds since 1970, for an order that keeps neighbours together
    payload: int  # bytes of its objects as stored
    kept: int  # bytes of those of them that are the copy that counts of something needed
    loose: int  # bytes of these that a repack may compress harder, if it did not already
    live: bool  # whether any copy of anything needed lies in it


# Sorts the copies of an object: the one that counts comes first.
Prefer = Callable[[Location], tuple[int, bool, float, bytes]]


def preference(small: Container[PackId], ages: Mapping[PackId, Stat]) -> Prefer:
    """Of several copies the least deep counts, so that whatever builds on it still can.

    Among those, one that lies in none of the `small` packs, and so need not be copied; then that
    in the oldest pack, so that none is needed that a writer may be about to name.
    """

    def prefer(copy: Location) -> tuple[int, bool, float, bytes]:
        pack = copy.pack
        modified = ages[pack].modified if pack in ages else 0.0
        return copy.record.depth, pack in small, modified, pack

    return prefer


def survey(repository: Repository, marks: Marks) -> list[PackFacts]:
    """How all packs stand that are not condemned and were there when `marks` caught up.

    The oldest comes first.
    """
    stats = _stats(repository)
    prefer = preference({pack for pack, stat in stats.items() if stat.size < SMALL}, stats)
    counts: dict[tuple[bytes, int], Location] = {}
    ranges: dict[PackId, dict[tuple[PackId, int, bytes], int]] = {pack: {} for pack in stats}
    live: set[PackId] = set()
    for location in repository.database.index:
        pack, record = location
        if pack not in stats:
            continue
        ranges[pack][range_of(location)] = record.stored
        if record.id not in marks.objects:
            continue
        live.add(pack)
        key = (record.id, record.kind)
        if key not in counts or prefer(location) < prefer(counts[key]):
            counts[key] = location
    kept: dict[PackId, set[tuple[PackId, int, bytes]]] = {pack: set() for pack in stats}
    loose: dict[PackId, int] = dict.fromkeys(stats, 0)
    for location in counts.values():
        kept[location.pack].add(range_of(location))
        record = location.record
        if record.codec in _LOOSE and not record.within:
            loose[location.pack] += record.stored
    packs = [
        PackFacts(
            pack,
            stat.size,
            stat.modified,
            sum(ranges[pack].values()),
            sum(ranges[pack][one] for one in kept[pack]),
            loose[pack],
            pack in live,
        )
        for pack, stat in stats.items()
    ]
    return sorted(packs, key=lambda one: (one.modified, one.pack))


def _stats(repository: Repository) -> dict[PackId, Stat]:
    backend, condemned = repository.backend, repository.log.state.condemned
    stats = {}
    for pack in list_packs(backend):
        if pack not in condemned:
            with contextlib.suppress(NotFoundError):  # another gc was here
                stats[pack] = backend.stat(key_of(pack))
    return stats
