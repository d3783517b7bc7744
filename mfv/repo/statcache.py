"""What the files of a folder held when they were last looked at, so that they need not be read.

As git's index has it: a file with the same size, times, inode and mode has the same content. One
that was touched when it was looked at, or after, may have changed once more without a trace in its
times; it is read again. The cache is advice: lost or damaged, it costs a reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from mfv.capture.snapshot import Stamp
from mfv.errors import MfvError, NotFoundError
from mfv.ids import ID_BYTES, BlobId, PackId, Seal
from mfv.storage.base import Backend

_FOLDER = "cache/code/"
_VERSION = 1
_FOLDERS = 8  # whose caches are kept
_LARGEST = 128 << 20  # bytes; 100,000 files with long paths are a tenth of it
# The kernel stamps files with a clock that moves in steps, some file systems in whole seconds.
_STEP = 20_000_000  # ns
_SECONDS = 2_000_000_000  # ns


class Known(NamedTuple):
    """A file's content, and all packs that it lay in: none where that was not known."""

    blob: BlobId
    size: int  # bytes
    packs: frozenset[PackId]
    seen: frozenset[bytes] = frozenset()  # how the packs were when the blob was verified


class _Entry(msgspec.Struct, array_like=True, gc=False):
    path: bytes
    mtime: int  # ns, as all times
    ctime: int
    inode: int
    mode: int
    size: int  # bytes
    blob: bytes
    place: int  # of its packs in the list of them


class _Saved(msgspec.Struct, array_like=True):
    version: int
    root: bytes
    started: int  # before the first file was looked at
    took: int  # from then until this was written
    places: list[tuple[list[bytes], list[bytes]]]  # packs, and how they were seen
    entries: list[_Entry]


class StatCache:
    """The cache of one folder, as of when it was opened."""

    def __init__(self, backend: Backend, root: str) -> None:
        """Reads what there is; what is damaged, or of another version, is as if it were not."""
        self._backend = backend
        self._root = root.encode("utf-8", "surrogateescape")
        self._key = f"{_FOLDER}{Seal.of(self._root).hex()[:32]}"
        self._limit = 0  # a file that was touched then or later has to be read
        self._entries: dict[bytes, _Entry] = {}
        self.places: list[tuple[frozenset[PackId], frozenset[bytes]]] = []
        try:
            self._is_new = False
            saved = _decode(backend.get(self._key, 0, _LARGEST))
            written = int(backend.stat(self._key).modified * 1e9)
        except NotFoundError:
            self._is_new = True
            return
        except (MfvError, msgspec.MsgspecError, ValueError):
            return
        if saved.version == _VERSION and saved.root == self._root:
            # By the file system's own clock too, which may be behind ours.
            self._limit = min(saved.started, written - saved.took)
            self.places = [
                (frozenset(map(PackId, packs)), frozenset(seen)) for packs, seen in saved.places
            ]
            self._entries = {entry.path: entry for entry in saved.entries}

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, path: bytes, stamp: Stamp) -> Known | None:
        """What the file at `path` holds if it is as it was; None if it must be read."""
        entry = self._entries.get(path)
        if (
            entry is None
            or (entry.mtime, entry.ctime, entry.inode, entry.mode, entry.size) != stamp
            or self._is_racy(stamp)
        ):
            return None
        return Known(BlobId(entry.blob), entry.size, *self.places[entry.place])

    def save(self, files: Iterable[tuple[bytes, Stamp, Known]], *, started: int, now: int) -> None:
        """Puts `files` in place of all that was known; does nothing where that cannot be.

        `started`: ns since 1970, before the first of them was looked at.
        """
        places: dict[tuple[frozenset[PackId], frozenset[bytes]], int] = {}
        entries = []
        for path, stamp, known in files:
            place = places.setdefault((known.packs, known.seen), len(places))
            entries.append(_Entry(path, *stamp, bytes(known.blob), place))
        listed = [([bytes(one) for one in sorted(packs)], sorted(seen)) for packs, seen in places]
        took = max(0, now - started)
        body = msgspec.msgpack.encode(_Saved(_VERSION, self._root, started, took, listed, entries))
        try:
            if self._is_new:
                self._drop_oldest()
            self._backend.put(self._key, [Seal.of(body), body], sync=False)
        except MfvError:
            return

    def _is_racy(self, stamp: Stamp) -> bool:
        slack = _STEP if stamp.mtime % 1_000_000_000 else _SECONDS
        return max(stamp.mtime, stamp.ctime) >= self._limit - slack

    def _drop_oldest(self) -> None:
        keys = list(self._backend.list(_FOLDER))
        if len(keys) >= _FOLDERS:
            keys.sort(key=lambda key: self._backend.stat(key).modified)
            for key in keys[: len(keys) - _FOLDERS + 1]:
                self._backend.delete(key)


def _decode(data: bytes) -> _Saved:
    """ValueError or MsgspecError for what was not written here, whole."""
    body = memoryview(data)[ID_BYTES:]
    if Seal.of(body) != data[:ID_BYTES]:
        raise ValueError("damaged")
    return msgspec.msgpack.decode(body, type=_Saved)
