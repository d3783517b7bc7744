"""What can be told of a value without loading it again, taken while it is at hand.

Looks only at types whose library is loaded already, and imports none.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

_REPR_LIMIT = 160  # characters
_COLUMNS = 64  # columns or keys told at most
_STATISTICS_UP_TO = 32 * 1024 * 1024  # elements; beyond, a pass over them would be felt
_COPIES_UP_TO = 2 * 1024 * 1024  # elements, where a pass needs a copy


class _Short(reprlib.Repr):
    """Short reprs without memory addresses, so that equal values read alike."""

    def repr1(self, x: object, level: int) -> str:
        return _at_once(x) or super().repr1(x, level)

    def repr_bytes(self, x: bytes, level: int) -> str:
        # Of all of it would be four times as long as it is.
        return repr(x) if len(x) <= self.maxstring else f"{x[: self.maxstring]!r}..."

    def repr_bytearray(self, x: bytearray, level: int) -> str:
        return repr(x) if len(x) <= self.maxstring else f"{x[: self.maxstring]!r}..."

    def repr_instance(self, x: object, level: int) -> str:
        if _is_long_array(x):
            return brief(x)  # numpy takes a millisecond to print a hundred numbers
        x = _unwatched(x)
        try:
            text = repr(x)
        except Exception:
            text = _ADDRESS
        if _ADDRESS in text:
            return f"<{type_name(x)}>"
        return text if len(text) <= self.maxother else f"{text[: self.maxother - 3]}..."


_PLAIN = frozenset({type(None), bool, int, float, str})
_BUILTIN = frozenset({bytes, bytearray, dict, list, tuple, set, frozenset}) | _PLAIN
_PRINTED = 12  # elements of an array that are shown
_ADDRESS = " at 0x"
_LONG = 10**39  # its repr would be shortened
_short = _Short()
_short.maxstring = _short.maxother = 120
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 6
_short.maxlevel = 3

# What has rows and columns, by module and class.
_SHAPED = (
    ("pandas", "DataFrame"),
    ("polars", "DataFrame"),
    ("pyarrow", "Table", "RecordBatch"),
    ("scipy.sparse", "spmatrix", "sparray"),
)

_MEDIA = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"<svg", "image/svg+xml"),
)


class Facts(NamedTuple):
    """The fields of a summary; see `mfv.manifest.artifact.Summary` for what they mean."""

    text: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    length: int | None = None
    columns: tuple[tuple[str, str], ...] = ()
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    nulls: int | None = None
    media: str | None = None


def type_name(value: object) -> str:
    """The dotted name of the class of `value`, builtins without their module."""
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def summarize(value: object) -> Facts:
    """Facts about `value`; never raises, whatever its methods do."""
    try:
        return _summarize(value)
    except Exception:
        return Facts(text=f"<{type_name(value)}>")


def _summarize(value: Any) -> Facts:
    if type(value) in _BUILTIN:
        return _builtin(value)
    if _is(value, "numpy", "ndarray"):
        return _array(value)
    if _is(value, "pandas", "DataFrame"):
        return _frame(value)
    if _is(value, "pandas", "Series"):
        shape, dtype = tuple(map(int, value.shape)), str(value.dtype)
        return Facts(f"Series {value.name!r:.60}", shape=shape, dtype=dtype)
    if _is(value, "torch", "Tensor"):
        return _tensor(value)
    if _is(value, "scipy.sparse", "spmatrix", "sparray"):
        shape, dtype = tuple(map(int, value.shape)), str(value.dtype)
        return Facts(f"{value.format}, {int(value.nnz)} stored", shape=shape, dtype=dtype)
    if _is(value, "pyarrow", "Table", "RecordBatch"):
        columns = [(column.name, str(column.type)) for column in value.schema]
        nulls = sum(column.null_count for column in value.columns)
        return Facts("", shape=value.shape, columns=_named(columns), nulls=nulls)
    if _is(value, "pyarrow", "Array", "ChunkedArray"):
        return Facts("", shape=(len(value),), dtype=str(value.type), nulls=value.null_count)
    if _is(value, "polars", "DataFrame"):
        nulls = sum(column.null_count() for column in value.get_columns())
        return Facts("", shape=value.shape, columns=_named(value.schema.items()), nulls=nulls)
    if _is(value, "polars", "Series"):
        facts = Facts(f"Series {value.name!r:.60}", shape=value.shape, dtype=str(value.dtype))
        return facts._replace(nulls=value.null_count())
    if _is(value, "polars", "LazyFrame"):
        return Facts("a query")  # its columns may have to be read from a file
    return _builtin(value)


def _builtin(value: Any) -> Facts:
    if isinstance(value, (bytes, bytearray)):
        media = next((name for magic, name in _MEDIA if value.startswith(magic)), None)
        return Facts(_text(bytes(value[:24])), length=len(value), media=media)
    if isinstance(value, Mapping):
        pairs = [(str(key)[:100], brief(item)) for key, item in _first(value.items())]
        return Facts(_text(value), length=len(value), columns=tuple(pairs))
    if isinstance(value, (str, list, tuple, set, frozenset)):
        return Facts(_text(value), length=len(value))
    return Facts(_text(value))


def _at_once(value: object) -> str:
    """What `_short.repr` says of a value that needs no shortening; empty of any other.

    Most values are, and this is ten times as fast.
    """
    kind = type(value)
    if kind is float or kind is bool or value is None:
        return repr(value)
    if (kind is int and -_LONG < value < _LONG) or (  # type: ignore[operator]
        kind is str and len(value) <= _short.maxstring  # type: ignore[arg-type]
    ):
        text = repr(value)
        return text if len(text) <= _short.maxstring else ""
    return ""


def brief(value: object) -> str:
    """One short phrase for a value inside another: type, shape, or the value if it is small."""
    if type(value) in _PLAIN:  # most are, and need no look at what libraries there are
        return _text(value)[:60]
    if _is(value, "numpy", "ndarray") or _is(value, "torch", "Tensor"):
        dtype = str(value.dtype).removeprefix("torch.")  # type: ignore[attr-defined]
        return f"{dtype}{list(value.shape)}"  # type: ignore[attr-defined]
    if any(_is(value, *names) for names in _SHAPED):
        return f"{type_name(value)}{list(value.shape)}"  # type: ignore[attr-defined]
    if value is None or isinstance(value, (bool, int, float, str)):
        return _text(value)[:60]
    try:
        return f"{type_name(value)}[{len(value)}]"  # type: ignore[arg-type]
    except TypeError:
        return type_name(value)


def _array(value: Any) -> Facts:
    shape, dtype = tuple(map(int, value.shape)), str(value.dtype)
    facts = Facts(_text(value) if value.size <= _PRINTED else "", shape=shape, dtype=dtype)
    masked = _is(value, "numpy.ma", "MaskedArray")  # whose every statistic copies it
    most = _COPIES_UP_TO if masked else _STATISTICS_UP_TO
    if value.dtype.kind not in "biuf" or not 0 < value.size <= most:
        return facts
    if masked:
        value = _unwatched(value)
        if not value.count():
            return facts._replace(nulls=value.size)
    numpy = sys.modules["numpy"]
    with numpy.errstate(all="ignore"):  # infinities warn in the user's name
        low, high, nulls = value.min(), value.max(), 0
        if value.dtype.kind == "f" and numpy.isnan(low):
            good = ~numpy.isnan(value)
            nulls = value.size - numpy.count_nonzero(good)
            if nulls == value.size:
                return facts._replace(nulls=int(nulls))
            # Not of a copy without them, which may be as large as the array.
            low, high = numpy.fmin.reduce(value, None), numpy.fmax.reduce(value, None)
            mean = value.mean(dtype="f8", where=good)
        else:
            mean = value.mean(dtype="f8")
    return facts._replace(low=float(low), high=float(high), mean=float(mean), nulls=int(nulls))


def _tensor(value: Any) -> Facts:
    dtype = str(value.dtype).removeprefix("torch.")
    facts = Facts(f"tensor on {value.device}", shape=tuple(map(int, value.shape)), dtype=dtype)
    plain = str(value.layout) == "torch.strided" and value.device.type == "cpu"
    if not plain or value.is_quantized or not 0 < value.numel() <= _STATISTICS_UP_TO:
        return facts
    try:
        array = value.detach().numpy()
    except (RuntimeError, TypeError):
        return _numbers_of_torch(value, facts)
    told = _array(array)
    return told._replace(text=facts.text, dtype=dtype)


def _numbers_of_torch(value: Any, facts: Facts) -> Facts:
    """`facts` with statistics of a tensor that numpy cannot view: bfloat16, or no numpy at all."""
    if value.numel() > _COPIES_UP_TO or value.is_complex():
        return facts  # torch is slow at it, and copies what it adds up in another type
    torch = sys.modules["torch"]
    try:
        with torch.no_grad():
            numbers = value.detach().flatten().double()
            good = numbers[~numbers.isnan()]
            facts = facts._replace(nulls=numbers.numel() - good.numel())
            if not good.numel():
                return facts
            low, high = (float(end) for end in good.aminmax())
            return facts._replace(low=low, high=high, mean=float(good.mean()))
    except (RuntimeError, TypeError):
        return facts  # numbers that have no order, or no arithmetic


def _frame(value: Any) -> Facts:
    pairs = _named(value.dtypes.items())
    shape = tuple(map(int, value.shape))
    nulls = int(value.isna().to_numpy().sum()) if value.size <= _STATISTICS_UP_TO else None
    return Facts("", shape=shape, columns=pairs, nulls=nulls)


def _unwatched(value: Any) -> Any:
    """A masked array to look at: looking leaves a fill value in it, which would be stored."""
    return value.view() if _is(value, "numpy.ma", "MaskedArray") else value


def _is_long_array(value: object) -> bool:
    return _is(value, "numpy", "ndarray") and value.size > _PRINTED  # type: ignore[attr-defined]


def _is(value: object, module: str, *names: str) -> bool:
    loaded = sys.modules.get(module)
    kinds = (getattr(loaded, name, None) for name in names) if loaded is not None else ()
    return any(isinstance(kind, type) and isinstance(value, kind) for kind in kinds)


def _named(columns: Any) -> tuple[tuple[str, str], ...]:
    """The first columns, by name and type."""
    return tuple((str(name)[:100], str(kind)) for name, kind in _first(columns))


def _first(items: Any) -> list[tuple[Any, Any]]:
    return [pair for pair, _ in zip(items, range(_COLUMNS), strict=False)]


def _text(value: object) -> str:
    """A short repr on one line."""
    text = _at_once(value) or _short.repr(value)
    return " ".join(text.split())[:_REPR_LIMIT]
