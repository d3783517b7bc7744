"""Which codec pays for a segment: found out on a sample of it, never by type name alone."""

from __future__ import annotations

from mfv.odb import numbers, planes, zframe
from mfv.odb.codec import PLAIN, SMALLEST, WORTH, Codec, Plan
from mfv.odb.item import FLOAT, Item
from mfv.odb.numbers import TYPES

# One decision holds for so much. Arrays are alike throughout; in bytes, anything may follow.
NUMBERS_SEGMENT = 16 << 20  # bytes
BYTES_SEGMENT = 2 << 20  # bytes

# A sample is several slices, for a segment may change half way.
_SAMPLE = 32 * 1024  # bytes at most
_SHARE = 128  # at most one part in so many of a segment
_SLICE = 4 * 1024  # bytes at least
_UNIT = 64  # bytes; slices begin and end at multiples of it

# Of raw, for items of eight bytes: doubles whose mantissas are noise would shrink to 0.85, at
# three times the cost of writing them raw, and could not be mapped when they are read.
_WORTH_OF_EIGHT = 0.8

# Of raw, where loading is to be fast: zstd gives back what it saves where it saves so much.
_WORTH_OF_FAST = 0.7

_LARGE = 1 << 20  # bytes
_BLIND = 16 << 10  # bytes; looking for numbers in so few of unknown kind costs more than it saves
_FEW_DIGITS = 0.9  # of raw: zstd goes below on floats of up to four digits

_PLANES_FOR_ZSTD = 1.05  # planes are written and read faster: they win unless they cost more
_NUMBERS_FOR_REST = 0.85  # written at 100 to 400 MB/s: they win where they save


def segment_size(item: Item | None) -> int:
    """Bytes of a frame of such items for which one decision holds."""
    return NUMBERS_SEGMENT if item is not None and item[1] > 1 else BYTES_SEGMENT


def choose(segment: memoryview, item: Item | None = None, *, fast: bool = False) -> Plan:
    """How to write the chunks of `segment`, whose bytes are items of `item` where that is known.

    `fast`: raw unless zstd pays well, so that it is mapped when it is read.
    """
    if len(segment) < SMALLEST:
        return PLAIN
    width = item[1] if item is not None else 1
    if width == 1 and len(segment) < _BLIND and not fast:
        return Plan(Codec.ZSTD)  # tried on all of it, and left raw where it saves nothing
    sample = _sample(segment)
    plain = len(zframe.compress_quickly(sample)) / len(sample)
    if fast:
        return Plan(Codec.ZSTD) if plain < _WORTH_OF_FAST else PLAIN
    best, cost = Plan(Codec.ZSTD), plain
    shares = _shares(sample, width) if width in planes.WIDTHS else _shares(sample, 8)
    if width not in planes.WIDTHS:
        width = _period(shares)
    planed = sum(shares) / len(shares)
    if width and planed < cost * _PLANES_FOR_ZSTD:
        best, cost = Plan(Codec.PLANES, width), planed
    number = numbers.type_of(item)
    # pcodec's trial is the dearest. Where no plane of the numbers shrinks at all they are noise to
    # it too. Floats of five digits and more look like noise to all but pcodec: a small segment
    # does without, for there the trial would take longer than the rest.
    dear = len(segment) < _LARGE and plain > _FEW_DIGITS
    if number is not None and min(shares) < WORTH and not (dear and TYPES[number][0] == FLOAT):
        packed = numbers.encode(sample, number)
        if packed is not None and len(packed) / len(sample) < cost * _NUMBERS_FOR_REST:
            best, cost = Plan(Codec.PCODEC, number), len(packed) / len(sample)
    return best if cost < (_WORTH_OF_EIGHT if width == 8 else WORTH) else PLAIN


def _sample(segment: memoryview) -> bytes:
    """Slices from all over `segment`; numbers of up to eight bytes stay whole in them."""
    size = min(_SAMPLE, max(_SLICE, len(segment) // _SHARE))
    if size >= len(segment):
        return bytes(segment)
    count = max(1, size // (2 * _SLICE))
    step, length = len(segment) // count, size // count // _UNIT * _UNIT
    starts = (place * step + (step - length) // 2 for place in range(count))
    return b"".join(segment[at - at % _UNIT :][:length] for at in starts)


def _shares(sample: bytes, width: int) -> list[float]:
    """What each plane of `sample` takes, of its own size."""
    return [
        min(1.0, len(zframe.compress_bytewise(plane)) / max(1, len(plane)))
        for plane in planes.split(memoryview(sample), width)
    ]


def _period(shares: list[float]) -> int:
    """The width of items that would give planes such `shares`; 0 where they look like bytes.

    In bytes of unknown kind (a file of weights, a tensor's storage) numbers betray themselves by
    the places that shrink: of eight, each second, fourth or eighth.
    """
    shrink = [share < WORTH for share in shares]
    if all(shrink) or not any(shrink):
        return 0
    return next(w for w in planes.WIDTHS if shrink == shrink[:w] * (len(shrink) // w))
