"""Storing the code of a run. What was stored before, and not touched since, is not read again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from mfv.capture import snapshot as capture
from mfv.capture.snapshot import Snapshot, SourceFile, Stamp, source
from mfv.errors import CorruptError, MfvError
from mfv.ids import PackId, TreeId
from mfv.manifest.records import LeftOut, TreeFile
from mfv.manifest.text import printable
from mfv.odb.writer import Writer
from mfv.repo import trees
from mfv.repo.statcache import Known, StatCache
from mfv.storage.base import Backend

# Larger files are stored piece by piece.
_STREAM_FROM = 16 << 20  # bytes
_TRIES = 3
UNREADABLE = "unreadable"


class _Stored(NamedTuple):
    """One file of the snapshot, in the writer's hands or in the repository."""

    path: bytes
    mode: int
    stamp: Stamp
    content: Known
    was_read: bool  # the file, or what was stored of it


def store_tree(
    writer: Writer, snapshot: Snapshot, backend: Backend | None = None
) -> tuple[TreeId, tuple[LeftOut, ...]]:
    """Stores every file of `snapshot`; with `backend`, by what its cache knows of them.

    A file that cannot be read any more, or changes whenever it is read, is left out by name; the
    script itself is taken as it was read last.
    """
    left_out = [LeftOut(printable(f.path), f.reason, f.size) for f in snapshot.left_out]
    cache = StatCache(backend, snapshot.root) if backend is not None else None
    known = _Relying(writer, cache)
    stored: list[_Stored] = []
    for file in snapshot.files:
        one = known.find(file) or _store(writer, snapshot, file)
        if isinstance(one, _Stored):
            stored.append(one)
        else:
            left_out.append(LeftOut(printable(file.path), one, file.size))
    tree = trees.store(
        writer,
        [TreeFile(one.path, one.mode, bytes(one.content.blob), one.content.size) for one in stored],
    )
    if cache is not None and (len(stored) != len(cache) or any(one.was_read for one in stored)):
        _save(cache, writer, snapshot, stored, known.seen)
    return tree, tuple(left_out)


class _Relying:
    """What the cache knows and the writer can build on."""

    def __init__(self, writer: Writer, cache: StatCache | None) -> None:
        self._writer = writer
        self._cache = cache
        # The sets of packs that the writer builds on as they are, and of the others how they look
        # before anything in them is verified.
        self._whole: set[frozenset[PackId]] = set()
        self.seen: dict[frozenset[PackId], frozenset[bytes]] = {}
        for packs, seen in () if cache is None else cache.places:
            if packs and packs not in self._whole:
                if writer.rely_on(packs, seen):
                    self._whole.add(packs)
                else:
                    self.seen[packs] = writer.look_at(packs)

    def find(self, file: SourceFile) -> _Stored | None:
        """The file without reading it; None where it, or what was stored of it, has changed."""
        path = file.path.encode("utf-8", "surrogateescape")
        known = self._cache.find(path, file.stamp) if self._cache is not None else None
        if known is None:
            return None
        whole = known.packs in self._whole
        if not whole:
            try:
                self._writer.rely(known.blob)
            except CorruptError:
                return None
        return _Stored(path, file.mode, file.stamp, known, was_read=not whole)


def _store(writer: Writer, snapshot: Snapshot, file: SourceFile) -> _Stored | str:
    """Reads and stores one file; the reason why not, if it is to be left out."""
    path = file.path.encode("utf-8", "surrogateescape")
    for attempt in range(_TRIES):
        blob, data = None, b""
        try:
            with source(snapshot, file) as opened:
                if opened.stamp.size > _STREAM_FROM:
                    blob, size = writer.add_file(opened.read_at, opened.stamp.size)
                else:
                    data = opened.read()
                    size = len(data)
                still = opened.is_still(size)
        except MfvError:
            return UNREADABLE
        if not still and (attempt + 1 < _TRIES or file.path != snapshot.entry):
            continue
        if blob is None:
            blob = writer.add_blob(data)
        # Of what was not still, the time of the last change is not known: it is read again.
        stamp = opened.stamp if still else opened.stamp._replace(inode=-1)
        return _Stored(path, file.mode, stamp, Known(blob, size, frozenset()), was_read=True)
    return capture.CHANGING


def _save(
    cache: StatCache,
    writer: Writer,
    snapshot: Snapshot,
    stored: list[_Stored],
    seen: Mapping[frozenset[PackId], frozenset[bytes]],
) -> None:
    files = []
    for path, _, stamp, known, was_read in stored:
        if was_read:
            packs = writer.needed(known.blob) or frozenset()
            known = Known(known.blob, known.size, packs, seen.get(packs, frozenset()))
        files.append((path, stamp, known))
    cache.save(files, started=snapshot.started, now=time.time_ns())
