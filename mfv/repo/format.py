"""The file `format`: which version, which repository, how it hashes and cuts; sealed."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from mfv.errors import ConflictError, CorruptError, FormatTooNewError, NotFoundError
from mfv.ids import PackId, Seal
from mfv.storage.base import Backend

KEY = "format"
VERSION = 1
_TITLE = "mfv repository"
_HASH = "blake3-256"
_CHUNKS = "fastcdc-2020 65536"
_LARGEST = 64 << 10  # bytes that are read of it


class Format(NamedTuple):
    """What a repository says of itself."""

    version: int
    repository: bytes  # 16 bytes, random: the origin of the runs made here


def create(backend: Backend) -> bool:
    """Writes `format` with a new repository id; False where it exists already."""
    with contextlib.suppress(NotFoundError):
        backend.stat(KEY)
        return False  # every run asks, and one on a full disk is to say so of what it records
    try:
        backend.create(KEY, [encode(os.urandom(16))])
    except ConflictError:
        return False  # of another process, at the same moment or long ago: both use that one
    return True


def encode(repository: bytes) -> bytes:
    """The bytes of the file for a repository of that id."""
    body = (
        f"{_TITLE}\nversion {VERSION}\nid {repository.hex()}\nhash {_HASH}\nchunks {_CHUNKS}\n"
    ).encode()
    return body + f"seal {Seal.of(body)}\n".encode()


def read(backend: Backend) -> Format:
    """The format of a repository.

    Raises NotFoundError where there is none, FormatTooNewError for a later version, CorruptError
    where the file is damaged.
    """
    try:
        text = backend.get(KEY, 0, _LARGEST)
    except NotFoundError:
        raise NotFoundError(
            "this folder holds no mfv repository", hint="`mfv init` makes one"
        ) from None
    body, mark, seal = text.rpartition(b"seal ")
    lines = text.decode("ascii", "replace").splitlines()
    fields = dict(line.partition(" ")[::2] for line in lines)
    number = fields.get("version", "")
    newer = number.isdecimal() and len(number) < 9 and int(number) > VERSION
    if newer and text.startswith(_TITLE.encode()):
        raise FormatTooNewError(
            f"this repository has format {number}, and this mfv knows formats up to {VERSION}",
            hint="install a newer mfv-store; nothing was changed",
        )
    sealed = mark and seal == f"{Seal.of(body)}\n".encode()
    repository = PackId.parse(fields.get("id", ""))
    if not sealed or number != str(VERSION) or repository is None:
        raise CorruptError(
            "the repository's `format` file is damaged",
            hint="restore it from a copy of the repository; nothing else was touched",
        )
    return Format(VERSION, bytes(repository))
