"""The parts of an outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mfv.serde.inert import Away, Raw


class Block(NamedTuple):
    """An array or tensor of plain numbers, dates or fixed texts."""

    kind: str  # `array`, `tensor`
    dtype: str  # as its library calls it: `float32`, `bfloat16`
    code: str | None  # as numpy reads its bytes: `<f4`; None where numpy knows no such number
    shape: tuple[int, ...]
    data: Raw | Away
    offset: int = 0  # bytes into `data`
    order: str = "C"

    @property
    def numbers(self) -> int:
        """How many it holds."""
        found = 1
        for size in self.shape:
            found *= size
        return found

    @property
    def identity(self) -> object:
        """Equal for blocks with the same content; the bytes are not read for it."""
        return self.dtype, self.shape, self.order, self.offset, identity_of(self.data)


class Column(NamedTuple):
    """One column of a table."""

    kind: str  # `int64`, `float64`, `text`, `category`, `datetime64[ns]`, `object`, …
    parts: tuple[object, ...]  # equal for columns with the same content, unread
    load: Callable[[], Any]  # an array of numpy of one dimension; None marks what is missing


class Table(NamedTuple):
    """A table of pandas, polars or pyarrow."""

    kind: str  # `pandas.DataFrame`
    rows: int
    columns: dict[str, Column]
    labels: Column | None = None  # of the rows; None: they are numbered


class Keyed(NamedTuple):
    """A dict, or the fields of an object."""

    kind: str  # `dict`, or the name of a class
    items: dict[str, Any]  # keys as they are written: `'conv.weight'`, `3`; fields as they are


class Listed(NamedTuple):
    """A list or tuple."""

    kind: str
    items: Sequence[Any]


class Opaque(NamedTuple):
    """What is not understood without running it."""

    kind: str
    identity: object = None  # equal for equal ones, where that is known
    why: str = ""


Scalar = None | bool | int | float | str
Outline = Scalar | bytes | Block | Table | Keyed | Listed | Opaque


def identity_of(data: Raw | Away) -> object:
    """Equal for equal bytes; bytes beside the stream are told by their id."""
    return data.blob if isinstance(data, Away) else bytes(data.data)
