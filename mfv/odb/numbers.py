"""Numbers as `pcodec` writes them: for integers, times, and floats of few digits.

Stored: the type of the numbers (1 byte, see `TYPES`), then a whole pcodec file in its standalone
form. `pcodec` and the numpy that it works on are imported when a chunk is to be tried or read,
never before: whoever stores numbers has numpy loaded already, most readers will load it.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from mfv.errors import CorruptError, FormatTooNewError
from mfv.odb.item import FLOAT, SIGNED, UNSIGNED, Item

if TYPE_CHECKING:
    from types import ModuleType

Buffer = bytes | bytearray | memoryview

# Types as numbered in `docs/format.md`; never renumbered.
TYPES: dict[int, Item] = {
    1: (UNSIGNED, 1),
    2: (SIGNED, 1),
    3: (UNSIGNED, 2),
    4: (SIGNED, 2),
    5: (FLOAT, 2),
    6: (UNSIGNED, 4),
    7: (SIGNED, 4),
    8: (FLOAT, 4),
    9: (UNSIGNED, 8),
    10: (SIGNED, 8),
    11: (FLOAT, 8),
}
_NUMBER = {item: number for number, item in TYPES.items()}

# Level 8, the package's own default, takes two to three times as long for one part in fifty.
_LEVEL = 4


class MissingCodecError(FormatTooNewError):
    """An object is written by a package that is not installed here; nothing is wrong with it."""

    code = "missing-codec"


def is_available() -> bool:
    """Whether the packages are there; looked for once, and imported only when they are used."""
    return _found()


@cache
def _found() -> bool:
    if "pcodec" in sys.modules:
        return _libraries() is not None
    import importlib.util

    return all(importlib.util.find_spec(name) is not None for name in ("numpy", "pcodec"))


def type_of(item: Item | None) -> int | None:
    """The number of an item's type; None if there is none, or nothing here can write it."""
    number = _NUMBER.get(item) if item is not None else None
    if number is None or _libraries() is None:
        return None
    return number


def encode(data: Buffer, number: int) -> bytes | None:
    """`data` as numbers of the type `number`; None where it is no whole number of them."""
    libraries = _libraries()
    if libraries is None or not len(data) or len(data) % TYPES[number][1]:
        return None
    numpy, pcodec = libraries
    values = numpy.frombuffer(data, _dtype(number))
    config = pcodec.ChunkConfig(compression_level=_LEVEL, enable_8_bit=TYPES[number][1] == 1)
    packed: bytes = pcodec.standalone.simple_compress(values, config)
    return bytes([number]) + packed


def decode(stored: Buffer, size: int) -> memoryview:
    """The `size` bytes behind `stored`, CorruptError where it does not hold exactly them.

    Raises MissingCodecError where `pcodec` is not installed. Takes no more than `size` of memory
    and what `stored` takes.
    """
    number = stored[0] if len(stored) else 0
    if number not in TYPES:
        raise CorruptError(f"numbers of the unknown type {number}")
    count, rest = divmod(size, TYPES[number][1])
    if rest:
        raise CorruptError(f"{size} bytes are no whole number of numbers")
    libraries = _libraries()
    if libraries is None:
        raise MissingCodecError(
            "an object is written with codec 3, for which the package pcodec is missing here",
            hint="`pip install pcodec`, then repeat the command",
        )
    numpy, pcodec = libraries
    values = numpy.empty(count, _dtype(number))  # not zeros: pages are touched as they are filled
    try:
        done = pcodec.standalone.simple_decompress_into(bytes(stored[1:]), values)
    except Exception as error:
        raise CorruptError(f"numbers cannot be read: {error}") from None
    except BaseException as error:
        # What `pcodec` did not foresee comes as a panic, which is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise CorruptError(f"numbers cannot be read: {error}") from None
    if done.n_processed != count or not done.finished:
        raise CorruptError(f"numbers do not add up to the {size} bytes recorded for them")
    return memoryview(values.view("u1"))


def _dtype(number: int) -> str:
    kind, width = TYPES[number]
    return f"<{kind}{width}"


@cache
def _libraries() -> tuple[ModuleType, Any] | None:
    try:
        import numpy
        import pcodec
    except ImportError:
        return None
    return numpy, pcodec
