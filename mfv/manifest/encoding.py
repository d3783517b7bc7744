"""One value, one encoding: canonical msgpack, checked when read.

A record decodes only from exactly the bytes that encoding it gives, so that there is one id for
one meaning, and so that duplicate keys, unknown fields, wrong types and trailing bytes are all
refused by the same comparison. Fields at their default are left out, so a record from before a
field existed stays canonical.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec

from mfv.errors import CorruptError, MfvError
from mfv.manifest.counting import holds_more_than

R = TypeVar("R", bound=msgspec.Struct)

LARGEST = 64 * 1024 * 1024  # bytes of one record
# Values in one record, keys included, so that reading one takes memory within bounds. A kind that
# lists much says so itself, by a class variable of this name in lower case.
MOST_VALUES = 500_000

_MAP_16 = b"\xde\x00"  # and the count in one more byte

_making_a_decoder = Lock()
_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type[msgspec.Struct], msgspec.msgpack.Decoder[msgspec.Struct]] = {}
_shapes: dict[type[msgspec.Struct], _Shape] = {}


class TooLargeError(MfvError):
    """A record would be larger than any reader takes; nothing was written."""

    code = "too-large"


def encode(record: msgspec.Struct) -> bytes:
    """The canonical bytes of `record`; TooLargeError."""
    data = _encoded(record)
    if is_too_large(type(record), data):
        kind = type(record).__name__
        raise TooLargeError(
            f"a {kind} record of {len(data)} bytes holds more than one may hold",
            hint="a run has at most 150,000 tasks, a task 50,000 artifacts; or do it in parts",
        )
    return data


def is_too_large(kind: type[msgspec.Struct], data: bytes) -> bool:
    """Whether no record of that kind may be as large as `data`."""
    most = getattr(kind, "most_values", MOST_VALUES)
    return len(data) > LARGEST or holds_more_than(data, most)


def _encoded(record: msgspec.Struct) -> bytes:
    data = _encoder.encode(_settled(record))
    # msgspec sizes a map's header for all fields of the record, also those that it leaves out.
    # Written so, one more field than 15 would change the bytes of every older record.
    if data[:2] == _MAP_16 and data[2] < 16:
        data = bytes((0x80 | data[2],)) + data[3:]
    return data


def decode(kind: type[R], data: bytes) -> R:
    """The record of type `kind` that `data` encodes; CorruptError unless canonical."""
    if is_too_large(kind, data):
        raise CorruptError(f"a record of {len(data)} bytes is larger than any may be")
    try:
        record = _decoder(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptError(f"a {kind.__name__} record cannot be read: {error}") from None
    if _encoded(record) != data:
        raise CorruptError(f"a {kind.__name__} record is not in canonical form")
    return record  # type: ignore[return-value]


def warm(*kinds: type[msgspec.Struct]) -> None:
    """Makes ready for decoding records of these kinds: processes forked after this need not."""
    for kind in kinds:
        _decoder(kind)


def _decoder(kind: type[msgspec.Struct]) -> msgspec.msgpack.Decoder[msgspec.Struct]:
    decoder = _decoders.get(kind)
    if decoder is None:
        # msgspec crashes the interpreter where two threads make the decoder of one type at once.
        with _making_a_decoder:
            decoder = _decoders.setdefault(kind, msgspec.msgpack.Decoder(kind))
    return decoder


def _settled(record: R) -> R:
    """`record` with the default itself in every field whose value equals it.

    msgspec leaves a field out only where it holds the very object that is its default, and would
    give one value two encodings. Rows (`array_like`) hold no records and are not looked into.
    """
    changed: dict[str, Any] = {}
    shape = _shapes.get(type(record)) or _shape_of(type(record))
    for name in shape.holders:
        value = kept = getattr(record, name)
        if isinstance(value, (tuple, list)):
            for one in value:
                if _settled(one) is not one:
                    kept = type(value)(map(_settled, value))
                    break
        elif value is not None:
            kept = _settled(value)
        if kept is not value:
            changed[name] = kept
    for name, default in shape.defaults:
        value = changed.get(name) or getattr(record, name)
        if value is not default and value == default:
            changed[name] = default
    return msgspec.structs.replace(record, **changed) if changed else record


class _Shape(NamedTuple):
    """What has to be looked at of a kind of records."""

    holders: tuple[str, ...]  # fields that hold a record, or several
    defaults: tuple[tuple[str, object], ...]  # left out, and not one object for all equal values


def _shape_of(kind: type[msgspec.Struct]) -> _Shape:
    hints = get_type_hints(kind)
    holders = tuple(name for name in kind.__struct_fields__ if _holds_records(hints[name]))
    names, values = kind.__struct_fields__, kind.__struct_defaults__
    pairs = zip(names[len(names) - len(values) :], values, strict=True)
    leaves_out = kind.__struct_config__.omit_defaults
    defaults = tuple(pair for pair in pairs if leaves_out and not _is_one_object(pair[1]))
    return _shapes.setdefault(kind, _Shape(holders, defaults))


def _holds_records(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return not hint.__struct_config__.array_like
    return any(map(_holds_records, get_args(hint)))


def _is_one_object(default: object) -> bool:
    """Whether every value that equals `default`, and has its type, is this very object."""
    if isinstance(default, int):
        return default in (0, 1)
    return default is None or (isinstance(default, (str, bytes, tuple)) and not default)
