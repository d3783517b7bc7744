"""What the log says of a run, as the index keeps it: SQLite has no checksums, so each has one."""

from __future__ import annotations

from zlib import crc32

import msgspec

from mfv.index.errors import UnusableError
from mfv.repo.names import RunState

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(RunState)
_SUM = 4  # bytes


def data_of(state: RunState) -> bytes:
    """The value of the column `state`."""
    data = _ENCODER.encode(state)
    return data + crc32(data).to_bytes(_SUM, "big")


def state_of(data: bytes) -> RunState:
    """What `data_of` made; UnusableError if it is damaged."""
    body, checksum = data[:-_SUM], data[-_SUM:]
    if crc32(body).to_bytes(_SUM, "big") != checksum:
        raise UnusableError
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnusableError from None
