"""The order of writing as a law over traces: what must be on the disk before what.

A trace tells what one command did to one repository, in all its processes. Times are ordered as
far as they do not overlap: what has to be before must have ended before the other begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from faulting import Call

from mfv.repo.entries import Body, Condemn, Entry, OpenRun, Repack, SealRun

WRITING = ("write", "pwrite", "writev", "pwritev", "copy_file_range", "sendfile", "ftruncate")
_ENTRY = re.compile(r"log/(\d{8,})")
_PACK = re.compile(r"packs/([0-9a-f]{32})\.pack")
# May be lost or torn: whoever reads them checks them and does without.
_HINT = re.compile(r"tip|log/checkpoint-\d+|cache/.*")


class Order:
    """One trace, and the entries of the log by number; says what broke which law."""

    def __init__(
        self, trace: Iterable[Call], store: Path, entries: dict[int, Entry], *, durable: bool = True
    ) -> None:
        """`durable`: whether syncs are asked for, or only the order."""
        self._store, self._entries, self._durable = store, entries, durable
        self._calls = [call for call in trace if call.worked]

    def faults(self) -> list[str]:
        """Every breach, in words."""
        found = [*self._unsynced_files(), *self._written_later(), *self._entries_too_soon()]
        found += [*self._said_too_soon(), *self._deleted_too_soon(), *self._lost_folders()]
        if not self._durable:
            found += [
                f"{call.path} was synced" for call in self._syncs() if not self._is_cache(call.path)
            ]
        return found

    def _key(self, path: str) -> str:
        """`path` below the repository; that of another file is absolute."""
        root = f"{self._store}/"
        return path.removeprefix(root) if path.startswith(root) else path

    def _is_cache(self, path: str) -> bool:
        return self._key(path).startswith("cache")

    def _named(self) -> Iterator[tuple[Call, str]]:
        """Every file that got its final name, and the key."""
        for call in self._calls:
            if call.name in ("link", "rename") and call.second.startswith(f"{self._store}/"):
                yield call, self._key(call.second)

    def _syncs(self, path: str | None = None) -> list[Call]:
        return [
            call
            for call in self._calls
            if call.name in ("fsync", "fdatasync") and path in (None, call.path)
        ]

    def _is_settled(self, folder: str, since: Call, before: Call | None) -> bool:
        """Whether `folder` was synced after the one call, and before the other if there is one."""
        if not self._durable:
            return before is None or since.ended < before.begun
        return any(
            since.ended < sync.begun and (before is None or sync.ended < before.begun)
            for sync in self._syncs(folder)
        )

    def _unsynced_files(self) -> Iterator[str]:
        """A file is on the disk with all its bytes before it gets its name."""
        for named, key in self._named():
            written = [one for one in self._writes(named.file) if one.begun < named.begun]
            if any(one.ended > named.begun for one in written):
                yield f"{key} got its name while it was written"
            if _HINT.fullmatch(key) or not self._durable:
                continue
            last = max((one.ended for one in written), default=0)
            if not any(
                sync.file == named.file and last < sync.begun and sync.ended < named.begun
                for sync in self._syncs()
            ):
                yield f"{key} got its name before its bytes were synced"

    def _writes(self, file: str) -> list[Call]:
        return [call for call in self._calls if call.name in WRITING and call.file == file]

    def _written_later(self) -> Iterator[str]:
        """What has its name is never written to; inodes of deleted files are used again."""
        for named, key in self._named():
            if _HINT.fullmatch(key):
                continue
            again = [
                one.begun
                for one in self._calls
                if one.name == "open"
                and one.file == named.file
                and one.begun > named.ended
                and one.path != named.second
            ]
            until = min(again, default=1 << 62)
            if any(
                named.ended < one.ended and one.begun < until
                for one in self._writes(named.file)
                if one.begun > named.begun
            ):
                yield f"{key} was written to after it had its name"

    def _entries_too_soon(self) -> Iterator[str]:
        """The packs that an entry names are on the disk, and their folder, before it is there.

        Before the first one, so are the repository and what it says of itself.
        """
        packs = {key: call for call, key in self._named() if _PACK.fullmatch(key)}
        folder = f"{self._store}/packs"
        for named, number in self._appended():
            body = self._entries[number].body
            made = {one.pack for one in getattr(body, "packs", ())}
            for pack in made | _relied(body):
                came = packs.get(f"packs/{pack.hex()}.pack")
                if came is None and pack in made:
                    yield f"entry {number} brings a pack that did not come with it"
                elif came is not None and not self._is_settled(folder, came, named):
                    yield f"entry {number} came before the pack {pack.hex()} was settled"
            if number == 1:
                for call, key in self._named():
                    root = str(self._store)
                    if key == "format" and not self._is_settled(root, call, named):
                        yield "entry 1 came before the format was settled"

    def _appended(self) -> Iterator[tuple[Call, int]]:
        for call, key in self._named():
            entry = _ENTRY.fullmatch(key)
            if entry is not None:
                yield call, int(entry[1])

    def _said_too_soon(self) -> Iterator[str]:
        """Between an entry, or an archive, and the sync of its folder nothing is told."""
        said = [call for call in self._calls if not call.path.startswith(f"{self._store.parent}/")]
        for named, key in self._named():
            if not key.startswith("log/") or _HINT.fullmatch(key):
                continue
            if not self._is_settled(f"{self._store}/log", named, None):
                yield f"{key} was never settled"
            for call in said:
                if call.begun > named.ended:
                    if not self._is_settled(f"{self._store}/log", named, call):
                        yield f"something was said before {key} was settled"
                    break

    def _deleted_too_soon(self) -> Iterator[str]:
        """A pack goes when the entry that condemns it is settled, an entry when its archive is."""
        came = {key: call for call, key in self._named()}
        log = f"{self._store}/log"
        for call in self._calls:
            key = self._key(call.path)
            if call.name != "unlink":
                continue
            pack, entry = _PACK.fullmatch(key), _ENTRY.fullmatch(key)
            if pack is not None:
                number = self._condemned(bytes.fromhex(pack[1]))
                if number is None:
                    yield f"{key} was deleted and no entry condemns it"
                    continue
                first = came.get(f"log/{number:08d}")
                since = first or self._beginning()
                if not self._is_settled(log, since, call):
                    yield f"{key} was deleted before entry {number} was settled"
            elif entry is not None:
                archives = [one for name, one in came.items() if _holds(name, int(entry[1]))]
                since = archives[0] if archives else self._beginning()
                if not self._is_settled(log, since, call):
                    yield f"{key} was deleted before its archive was settled"

    @staticmethod
    def _beginning() -> Call:
        """For what an earlier process left, which may not have come to its sync."""
        return Call(-2, -1, 0, "", 0, "", "", "")

    def _condemned(self, pack: bytes) -> int | None:
        for number, entry in self._entries.items():
            if isinstance(entry.body, (Condemn, Repack)) and pack in entry.body.condemned:
                return number
        return None

    def _lost_folders(self) -> Iterator[str]:
        """A folder that was made is settled before anything is said to lie in it."""
        for call in self._calls:
            key = self._key(call.path)
            if call.name != "mkdir" or key.startswith(("cache", "tmp")):
                continue
            above = str(Path(call.path).parent)
            for named, number in self._appended():
                if named.begun > call.ended:
                    if not self._is_settled(above, call, named):
                        yield f"the folder {key} was not settled before entry {number}"
                    break


def _relied(body: Body) -> set[bytes]:
    """The packs that an entry points into, whoever wrote them."""
    pointed = {ref.pack for ref in getattr(body, "tasks", ())}
    return pointed | ({body.pack} if isinstance(body, (OpenRun, SealRun)) else set())


def joined(first: Iterable[Call], then: Iterable[Call]) -> list[Call]:
    """The traces of two commands, one after the other, as one."""
    before = list(first)
    end = max((call.ended for call in before), default=-1) + 1
    return before + [call._replace(begun=call.begun + end, ended=call.ended + end) for call in then]


def _holds(key: str, number: int) -> bool:
    """Whether the file at `key` is an archive with this entry."""
    found = re.fullmatch(r"log/archive-(\d+)-(\d+)", key)
    return found is not None and int(found[1]) <= number <= int(found[2])
