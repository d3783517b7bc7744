"""Making layers: out of packs' own indexes, and out of layers.

By numpy where there is much to do and numpy is there (it comes with pcodec): ten million objects
are merged in about a second. Without it Python does what it can do in half a second, and leaves
the rest in several layers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mfv.ids import PackId
from mfv.odb.layer import KEY_BYTES, LEAST_BITS, Layer, assemble, bits_for, blank, finish
from mfv.odb.pack import RECORD

if TYPE_CHECKING:
    from types import ModuleType

# Python takes 1.5 µs an object, numpy a tenth of a second to be imported.
_NUMPY_FROM = 1 << 16  # objects
PYTHON_MOST = 1 << 18  # objects
_MOST = 0xFFFF_FFFF  # objects of all packs of a layer, for they are numbered

_FIRST_BYTES = 1 << LEAST_BITS


class Kept(NamedTuple):
    """What becomes of a layer's packs in a merged one."""

    layer: Layer
    shift: list[int | None]  # to be added to the numbers of each pack's records; None: dropped


def fits(objects: int) -> bool:
    """Whether so many objects can be made one layer here."""
    return objects <= PYTHON_MOST or (objects <= _MOST and _numpy() is not None)


def build(indexes: Sequence[tuple[PackId, bytes]]) -> Layer:
    """A layer of packs whose raw, sealed indexes are given."""
    packs = [(pack, len(raw) // RECORD.size) for pack, raw in indexes]
    total = sum(records for _, records in packs)
    raws = (raw for _, raw in indexes)
    if total >= _NUMPY_FROM and _numpy() is not None:
        return _build_fast(packs, total, raws)
    keys = [raw[at : at + KEY_BYTES] for raw in raws for at in range(0, len(raw), RECORD.size)]
    return _arrange(packs, zip(keys, range(total), strict=True), total)


def merge(layers: Sequence[Layer], unwanted: Container[PackId] = ()) -> Layer:
    """One layer for all, without `unwanted` packs, and each pack once.

    Their bodies must be whole; ValueError or IndexError for what only a forger writes.
    """
    packs: list[tuple[PackId, int]] = []
    seen: set[PackId] = set()
    sources = []
    total = 0
    for layer in layers:
        shift: list[int | None] = []
        for place, pack in enumerate(layer.packs()):
            start, end = layer.starts[place], layer.starts[place + 1]
            if pack in seen or pack in unwanted:
                shift.append(None)
                continue
            seen.add(pack)
            packs.append((pack, end - start))
            shift.append(total - start)
            total += end - start
        sources.append(Kept(layer, shift))
    if len(layers) == 1 and None not in sources[0].shift:
        return layers[0]
    if total >= _NUMPY_FROM and _numpy() is not None:
        return _merge_fast(packs, total, sources)
    return _arrange(packs, (entry for kept in sources for entry in _entries(kept)), total)


def _arrange(
    packs: list[tuple[PackId, int]], entries: Iterable[tuple[bytes, int]], total: int
) -> Layer:
    """A layer out of (first bytes of an id, number) in any order."""
    ordered = sorted(entries)
    if len(ordered) != total:
        raise ValueError("a layer has not the objects of its packs")
    bits = bits_for(total)
    buckets = array("I", bytes(4 * (1 << bits)))
    shift = 32 - bits
    for key, _ in ordered:
        buckets[int.from_bytes(key[:4], "big") >> shift] += 1
    fan, begin = array("I", [0]), 0
    for size in buckets:
        begin += size
        fan.append(begin)
    tails = b"".join([key[1:] for key, _ in ordered])
    numbers = array("I", [number for _, number in ordered])
    return assemble(packs, bits, fan.tobytes(), tails, numbers.tobytes())


def _entries(kept: Kept) -> Iterator[tuple[bytes, int]]:
    layer, shifts = kept
    for first in range(_FIRST_BYTES):
        low, high = _range_of(layer, first)
        tails, one = layer.tails[low:high].tobytes(), bytes([first])
        for place, number in enumerate(layer.numbers[low:high]):
            shift = shifts[bisect_right(layer.starts, number) - 1]
            if shift is not None:
                yield one + tails[4 * place : 4 * place + 4], number + shift


def _range_of(layer: Layer, first: int) -> tuple[int, int]:
    """Where the objects begin and end whose ids begin with the byte `first`."""
    wide = layer.bits - LEAST_BITS
    return layer.fan[first << wide], layer.fan[(first + 1) << wide]


@cache
def _numpy() -> ModuleType | None:
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def _build_fast(packs: list[tuple[PackId, int]], total: int, raws: Iterable[bytes]) -> Layer:
    numpy: Any = _numpy()
    keys = numpy.empty((total, 8), "u1")
    keys[:, :3] = 0
    at = 0
    for raw in raws:
        rows = numpy.frombuffer(raw, "u1").reshape(-1, RECORD.size)
        keys[at : at + len(rows), 8 - KEY_BYTES :] = rows[:, :KEY_BYTES]
        at += len(rows)
    wide = keys.view(">u8").ravel().astype("u8")
    # Timsort: packs are sorted in themselves.
    numbers = numpy.argsort(wide, kind="stable")
    wide = wide[numbers]
    bits = bits_for(total)
    edges = numpy.arange((1 << bits) + 1, dtype="u8") << (8 * KEY_BYTES - bits)
    fan = numpy.searchsorted(wide, edges).astype("u4")
    tails, numbers = wide.astype(">u4"), numbers.astype("u4")
    return assemble(packs, bits, fan.tobytes(), tails.tobytes(), numbers.tobytes())


def _merge_fast(packs: list[tuple[PackId, int]], total: int, sources: list[Kept]) -> Layer:
    """As `_arrange`, one first byte after another, in place: little is held beside the result."""
    numpy: Any = _numpy()
    bits = bits_for(total)
    inner = bits - LEAST_BITS
    edges = numpy.arange(1 << inner, dtype="u8") << (32 - inner)
    made = blank(packs, bits, total)
    fan = numpy.frombuffer(made.fan, "u4")
    tails, numbers = numpy.frombuffer(made.tails, ">u4"), numpy.frombuffer(made.numbers, "u4")
    remaps = [_remap(numpy, kept) for kept in sources]
    done = 0
    for first in range(_FIRST_BYTES):
        pieces = [
            _piece(numpy, kept.layer, first, remap)
            for kept, remap in zip(sources, remaps, strict=True)
        ]
        tail = numpy.concatenate([piece[0] for piece in pieces])
        number = numpy.concatenate([piece[1] for piece in pieces])
        order = numpy.argsort(tail, kind="stable")
        tail = tail[order]
        fan[first << inner : (first + 1) << inner] = numpy.searchsorted(tail, edges) + done
        tails[done : done + len(tail)] = tail
        numbers[done : done + len(tail)] = number[order]
        done += len(tail)
    if done != total:
        raise ValueError("a layer has not the objects of its packs")
    fan[-1] = done
    return finish(made)


def _remap(numpy: Any, kept: Kept) -> tuple[Any, Any, Any] | int:
    """What to add to the numbers of a layer: one figure, or starts, shifts and what is kept."""
    shifts = set(kept.shift)
    if len(shifts) == 1 and (one := shifts.pop()) is not None:
        return one
    starts = numpy.array(kept.layer.starts, "u4")
    shift = numpy.array([shift or 0 for shift in kept.shift], "i8")
    wanted = numpy.array([shift is not None for shift in kept.shift], "?")
    return starts, shift, wanted


def _piece(
    numpy: Any, layer: Layer, first: int, remap: tuple[Any, Any, Any] | int
) -> tuple[Any, Any]:
    """Tails and new numbers of the objects whose ids begin with the byte `first`."""
    low, high = _range_of(layer, first)
    tails = numpy.frombuffer(layer.tails[low:high], ">u4").astype("u4")
    numbers = numpy.frombuffer(layer.numbers[low:high], "u4").astype("i8")
    if isinstance(remap, int):
        return tails, numbers + remap
    starts, shift, wanted = remap
    pack = numpy.searchsorted(starts, numbers, "right") - 1
    keep = wanted[pack]
    return tails[keep], (numbers + shift[pack])[keep]
