"""One value, one encoding: canonical msgpack, checked when read.

A record decodes only from exactly the bytes that encoding it gives, so that there is one id for
one meaning, and so that duplicate keys, unknown fields, wrong types and trailing bytes are all
refused by the same comparison. Fields at their default are left out, so a record from before a
field existed stays canonical.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from mfv.errors import CorruptError

R = TypeVar("R", bound=msgspec.Struct)

LARGEST = 64 * 1024 * 1024  # bytes of one record

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type[msgspec.Struct], msgspec.msgpack.Decoder[msgspec.Struct]] = {}


def encode(record: msgspec.Struct) -> bytes:
    """The canonical bytes of `record`."""
    return _encoder.encode(record)


def decode(kind: type[R], data: bytes) -> R:
    """The record of type `kind` that `data` encodes; CorruptError unless canonical."""
    if len(data) > LARGEST:
        raise CorruptError(f"a record of {len(data)} bytes is larger than any may be")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        record = decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorruptError(f"a {kind.__name__} record cannot be read: {error}") from None
    if _encoder.encode(record) != data:
        raise CorruptError(f"a {kind.__name__} record is not in canonical form")
    return record  # type: ignore[return-value]
