"""What a writer takes at its word, and what it reads again before it relies on it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from mfv.ids import BlobId, PackId
from mfv.odb.aligner import Older
from mfv.odb.database import Database
from mfv.odb.packindex import key_of, list_packs, read_index
from mfv.odb.verified import Verified
from mfv.odb.writer import Writer
from mfv.storage.local import LocalBackend
from mfv.storage.memory import MemoryBackend

DATA = random.Random(1).randbytes(3_000_000)
CHANGED = DATA[:1_000_000] + b"changed" + DATA[1_000_000:]


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / ".mfv")


def put(backend: LocalBackend, data: bytes, older: bytes | None = None) -> set[PackId]:
    """Stores `data`, by a process of its own as it were; the packs written."""
    writer = Writer(Database(backend))
    path = (lambda: Older((BlobId.of(older),))) if older is not None else None
    writer.add_blob(data, None, path)
    return {receipt.pack for receipt in writer.flush().receipts}


def read_again(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls by which a writer looks at data that is there."""
    seen: list[str] = []
    verify = Database.verify

    def watched(self: Database, location: object) -> object:
        seen.append("verify")
        return verify(self, location)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "verify", watched)
    return seen


def flip(backend: LocalBackend, pack: PackId) -> None:
    """One bit of every object, and the times of the file put back as they were."""
    path = Path(backend.root, key_of(pack))
    before = path.stat()
    data = bytearray(path.read_bytes())
    for record in read_index(backend, pack):
        data[record.offset + record.stored // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_was_written_since_the_start_is_not_read_again(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(backend, DATA)
    seen = read_again(backend, monkeypatch)
    assert put(backend, DATA) == set()
    assert len(put(backend, CHANGED, DATA)) == 1
    assert seen == []


def test_a_pack_that_somebody_touched_is_read_again_and_damage_is_healed(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pack,) = put(backend, DATA)
    flip(backend, pack)
    seen = read_again(backend, monkeypatch)
    assert len(put(backend, DATA)) == 1
    assert seen
    assert bytes(Database(backend).read_blob(BlobId.of(DATA))) == DATA


def test_a_group_counts_only_if_the_packs_of_its_base_do(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"".join(b"%d," % n for n in range(300_000))
    changed = text.replace(b"77,", b"!!,")
    (base,) = put(backend, text)
    (group,) = put(backend, changed, text)
    assert any(record.depth for record in read_index(backend, group))
    flip(backend, base)
    assert len(put(backend, changed)) == 1
    Path(backend.root, key_of(base)).unlink()
    assert bytes(Database(backend).read_blob(BlobId.of(changed))) == changed


@pytest.mark.parametrize("notes", [None, b"", b"torn", b"x" * 320])
def test_without_the_notes_or_with_wrong_ones_all_is_read_again(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch, notes: bytes | None
) -> None:
    (pack,) = put(backend, DATA)
    (path,) = Path(backend.root, "cache", "verified").iterdir()
    path.unlink()
    if notes is not None:
        path.write_bytes(notes)
    assert not Verified(backend).trusts(pack)
    seen = read_again(backend, monkeypatch)
    assert put(backend, DATA) == set()
    assert seen


def test_another_start_of_the_machine_trusts_nothing_written_before(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pack,) = put(backend, DATA)
    assert Verified(backend).trusts(pack)
    monkeypatch.setattr(LocalBackend, "start_id", lambda _: b"another")
    assert not Verified(backend).trusts(pack)
    os.utime(
        Path(
            backend.root,
            "cache",
            "verified",
            os.listdir(Path(backend.root, "cache", "verified"))[0],
        ),
        (0, 0),
    )
    put(backend, CHANGED)
    assert len(os.listdir(Path(backend.root, "cache", "verified"))) == 1


def test_where_starts_cannot_be_told_nothing_is_noted(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalBackend, "start_id", lambda _: b"")
    (pack,) = put(backend, DATA)
    assert not Verified(backend).trusts(pack)
    assert not Path(backend.root, "cache", "verified").exists()


def test_another_backend_has_no_notes() -> None:
    backend = MemoryBackend()
    writer = Writer(Database(backend))
    writer.add_blob(DATA)
    writer.flush()
    assert not any(map(Verified(backend).trusts, list_packs(backend)))


def test_a_copied_repository_is_read_again(backend: LocalBackend, tmp_path: Path) -> None:
    import shutil

    (pack,) = put(backend, DATA)
    shutil.copytree(backend.root, tmp_path / "copy")
    assert not Verified(LocalBackend(tmp_path / "copy")).trusts(pack)


def test_notes_are_begun_anew_before_they_grow_without_end(backend: LocalBackend) -> None:
    for number in range(10):
        backend.append("cache/verified/x", bytes([number]) * 32, largest=64)
    assert backend.get("cache/verified/x") == b"\x08" * 32 + b"\x09" * 32


def test_what_a_blob_needs_is_told_and_relied_on_later_without_reading(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Writer(Database(backend))
    small, large = first.add_blob(b"small"), first.add_blob(DATA)
    needed = first.needed(small)
    (receipt,) = first.flush().receipts
    assert needed == {receipt.pack}
    assert first.needed(large) is None  # of a blob in many chunks not before it is looked up
    seen = read_again(backend, monkeypatch)
    second = Writer(Database(backend))
    assert second.rely_on(needed)
    assert second.flush().relied == needed
    third = Writer(Database(backend))
    third.add_blob(DATA)
    assert third.needed(large) == {receipt.pack}
    assert seen == []


def test_packs_that_were_touched_are_gone_or_are_condemned_are_not_relied_on(
    backend: LocalBackend,
) -> None:
    (pack,) = put(backend, b"small")
    (other,) = put(backend, b"other")
    condemned = Writer(Database(backend), avoid={pack})
    assert not condemned.rely_on(frozenset({pack, other}))
    flip(backend, pack)
    touched = Writer(Database(backend))
    assert not touched.rely_on(frozenset({pack, other}))
    Path(backend.root, key_of(pack)).unlink()
    gone = Writer(Database(backend))
    assert not gone.rely_on(frozenset({pack, other}))
    assert not any(one.flush().relied for one in (condemned, touched, gone))
