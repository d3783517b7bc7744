"""Storing code: what is read again, what is stored anew, and what the cache may not break."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from mfv.capture import snapshot as capture
from mfv.capture.snapshot import Snapshot, SourceFile, take
from mfv.capture.source import Source
from mfv.ids import BlobId, ChunkId, PackId, TreeId
from mfv.manifest.records import LeftOut, Tree
from mfv.odb.database import Database
from mfv.odb.packindex import Location, key_of, list_packs, read_index
from mfv.odb.writer import Writer
from mfv.repo import snapshots, trees
from mfv.repo.repository import Repository
from mfv.storage.local import LocalBackend

HOUR = 3600 * 10**9  # ns


class Project:
    """A folder of code, its repository, and what of it was read lately."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.code = place / "code"
        self.code.mkdir()
        self.store = place / ".mfv"
        Repository.create(self.store)
        self.opened: list[str] = []
        self.while_open: Callable[[], object] = lambda: None
        source = capture.source

        @contextmanager
        def watched(snapshot: Snapshot, file: SourceFile) -> Iterator[Source]:
            self.opened.append(file.path)
            with source(snapshot, file) as found:
                self.while_open()
                yield found

        monkeypatch.setattr(snapshots, "source", watched)
        self.write("run.py", "print()\n")

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def take(self, *, at_rest: bool = True) -> Snapshot:
        """The code as it is; `at_rest`: as if nobody had touched it for an hour."""
        shot = take(self.code / "run.py")
        return msgspec.structs.replace(shot, started=shot.started + HOUR) if at_rest else shot

    def snap(
        self, shot: Snapshot | None = None, *, at_rest: bool = True
    ) -> tuple[Tree, tuple[LeftOut, ...]]:
        """Takes and stores the code, as a process of its own would; what is read back."""
        self.opened.clear()
        repository = Repository.open(self.store)
        writer = Writer(repository.database)
        shot = shot or self.take(at_rest=at_rest)
        self.tree, left_out = snapshots.store_tree(writer, shot, repository.backend)
        self.outcome = writer.flush()
        for path in (self.store / "cache" / "code").iterdir() if at_rest else ():
            os.utime(path, ns=(shot.started, shot.started))
        database = Repository.open(self.store).database
        found = trees.read(database, self.tree)
        for file in found.files:
            assert BlobId.of(database.read_blob(BlobId(file.blob))) == file.blob
        return found, left_out

    def content(self, tree: Tree) -> dict[bytes, bytes]:
        database = Repository.open(self.store).database
        return {f.path: bytes(database.read_blob(BlobId(f.blob))) for f in tree.files}

    def on_disk(self) -> int:
        return sum(path.stat().st_size for path in (self.store / "packs").iterdir())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, monkeypatch)


class TestASecondSnapshot:
    def test_reads_only_what_changed(self, project: Project) -> None:
        for name in ("a.py", "pkg/b.py", "pkg/c.py"):
            project.write(name, name)
        (project.code / "link").symlink_to("a.py")
        first, _ = project.snap()
        assert len(project.opened) == 5
        assert project.snap()[0] == first
        assert project.opened == []
        project.write("pkg/b.py", "another")
        second, _ = project.snap()
        assert project.opened == ["pkg/b.py"]
        assert project.content(second)[b"pkg/b.py"] == b"another"

    def test_knows_names_that_are_no_text(self, project: Project) -> None:
        try:
            with open(os.fsencode(project.code) + b"/caf\xe9.py", "wb") as file:
                file.write(b"latin")
        except OSError:
            return  # a file system of text names has no such file
        project.snap()
        tree, _ = project.snap()
        assert project.opened == []
        assert project.content(tree)[b"caf\xe9.py"] == b"latin"

    def test_leaves_out_what_may_not_be_read_any_more(self, project: Project) -> None:
        path = project.write("a.py", "x\n")
        project.snap()
        path.unlink()
        os.mkfifo(path)
        tree, left_out = project.snap()
        assert [file.path for file in tree.files] == [b"run.py"]
        assert [(one.path, one.reason) for one in left_out] == [("a.py", "special file")]

    @pytest.mark.parametrize("kept", ["size", "size and times"])
    def test_sees_a_change_of_nothing_but_the_bytes(self, project: Project, kept: str) -> None:
        path = project.write("a.py", "x = 1\n")
        project.snap()
        before = path.stat()
        path.write_text("x = 2\n")
        if kept != "size":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        # By the time of change, which no program sets back.
        assert project.content(project.snap()[0])[b"a.py"] == b"x = 2\n"

    def test_sees_a_file_that_was_put_in_the_place_of_another(self, project: Project) -> None:
        path = project.write("a.py", "x = 1\n")
        other = project.write("b.py", "x = 2\n")
        project.snap()
        os.replace(other, path)
        assert project.content(project.snap()[0])[b"a.py"] == b"x = 2\n"

    def test_sees_a_mode_that_changed_without_storing_the_bytes_again(
        self, project: Project
    ) -> None:
        path = project.write("tool", "#!/bin/sh\n")
        project.snap()
        path.chmod(0o755)
        tree, _ = project.snap()
        assert {f.path: f.mode for f in tree.files}[b"tool"] == 0o100755
        assert project.content(tree)[b"tool"] == b"#!/bin/sh\n"

    def test_reads_again_what_was_touched_while_the_first_was_taken(self, project: Project) -> None:
        # Another change in the same tick of the clock would leave no trace.
        project.snap(at_rest=False)
        project.snap(at_rest=False)
        assert project.opened == ["run.py"]

    def test_has_the_same_id_with_and_without_the_cache(self, project: Project) -> None:
        for number in range(300):
            project.write(f"m{number}.py", f"x = {number}\n")
        project.snap()
        with_cache = (project.snap(), project.tree)
        for path in (project.store / "cache" / "code").iterdir():
            path.unlink()
        assert (project.snap(), project.tree) == with_cache
        assert len(project.opened) == 301

    @pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "noise", "folder"])
    def test_is_right_with_a_damaged_cache_and_mends_it(
        self, project: Project, damage: str
    ) -> None:
        first, _ = project.snap()
        (path,) = (project.store / "cache" / "code").iterdir()
        data = bytearray(path.read_bytes())
        if damage == "flipped":
            data[-3] ^= 1
        elif damage == "folder":
            path.unlink()
            path.mkdir()
            assert project.snap()[0] == first
            return
        others = {"cut": bytes(data[:40]), "empty": b"", "noise": b"x" * 500}
        path.write_bytes(others.get(damage, bytes(data)))
        assert project.snap()[0] == first
        assert project.opened == ["run.py"]
        project.snap()
        assert project.opened == []


class TestWhatTheCacheKnows:
    def test_is_stored_anew_if_its_pack_is_gone(self, project: Project) -> None:
        first, _ = project.snap()
        for pack in list_packs(Repository.open(project.store).backend):
            (project.store / key_of(pack)).unlink()
        assert project.snap()[0] == first  # and every blob of it reads back
        assert project.opened == ["run.py"]

    def test_is_stored_anew_if_it_was_damaged(self, project: Project) -> None:
        project.write("a.py", "x" * 1000)
        first, _ = project.snap()
        backend = Repository.open(project.store).backend
        (pack,) = list_packs(backend)
        path = project.store / key_of(pack)
        data = bytearray(path.read_bytes())
        for record in read_index(backend, pack):
            data[record.offset + record.stored // 2] ^= 1
        path.chmod(0o600)
        path.write_bytes(data)
        assert project.snap()[0] == first

    def test_is_stored_anew_if_a_gc_has_condemned_its_pack(self, project: Project) -> None:
        project.snap()
        repository = Repository.open(project.store)
        condemned = set(list_packs(repository.backend))
        repository.database.leave(set(map(bytes, condemned)))
        writer = Writer(repository.database, avoid=condemned)
        snapshots.store_tree(writer, project.take(), repository.backend)
        outcome = writer.flush()
        assert outcome.receipts
        assert not outcome.relied & condemned

    def test_is_relied_on_by_the_names_of_its_packs(self, project: Project) -> None:
        project.snap()
        packs = {receipt.pack for receipt in project.outcome.receipts}
        project.snap()
        assert project.outcome.receipts == []
        assert project.outcome.relied == packs

    def test_is_verified_once_after_a_start_of_the_machine(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.write("a.py", "x" * 1000)
        first, _ = project.snap()
        monkeypatch.setattr(LocalBackend, "start_id", lambda self: b"another start")
        verified: list[object] = []
        verify = Database.verify

        def watched(self: Database, location: Location) -> frozenset[PackId]:
            if location.record.kind == ChunkId.kind:
                verified.append(location.record.id)
            return verify(self, location)

        monkeypatch.setattr(Database, "verify", watched)
        assert project.snap()[0] == first
        assert len(verified) == 2
        assert project.snap()[0] == first
        assert len(verified) == 2
        assert project.opened == []
        # But not once anybody has touched it since.
        (pack,) = list_packs(Repository.open(project.store).backend)
        (project.store / key_of(pack)).chmod(0o600)
        assert project.snap()[0] == first
        assert len(verified) == 4

    def test_of_a_snapshot_that_was_never_written_is_not_believed(self, project: Project) -> None:
        repository = Repository.open(project.store)
        writer = Writer(repository.database)
        snapshots.store_tree(writer, project.take(), repository.backend)
        writer.abandon()
        for path in (project.store / "cache" / "code").iterdir():
            os.utime(path, ns=(2**62, 2**62))
        project.snap()
        assert project.opened == ["run.py"]

    def test_is_bounded_however_many_folders_there_are(self, project: Project) -> None:
        for number in range(12):
            project.code = project.store.parent / f"copy{number}"
            project.write("run.py", "x\n")
            project.snap()
        assert len(list((project.store / "cache" / "code").iterdir())) == 8

    def test_is_right_when_many_take_snapshots_at_once(self, project: Project) -> None:
        for number in range(50):
            project.write(f"m{number}.py", f"x = {number}\n")
        first, _ = project.snap()
        failed: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(5):
                    repository = Repository.open(project.store)
                    writer = Writer(repository.database)
                    tree, _ = snapshots.store_tree(writer, project.take(), repository.backend)
                    writer.flush()
                    assert tree == project.tree
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert project.snap()[0] == first


class TestAFileThatChangesWhileItIsRead:
    def test_is_read_again_until_it_is_still(self, project: Project) -> None:
        path = project.write("a.py", "first\n")
        project.while_open = lambda: (
            path.write_text("second!\n") if project.opened.count("a.py") == 1 else None
        )
        tree, left_out = project.snap()
        assert project.opened.count("a.py") == 2
        assert project.content(tree)[b"a.py"] == b"second!\n"
        assert left_out == ()

    def test_is_left_out_by_name_if_it_never_is(self, project: Project) -> None:
        path = project.write("a.log", "line\n")

        def grow() -> None:
            with path.open("a") as file:
                file.write("more\n")

        project.while_open = grow
        tree, left_out = project.snap()
        assert [file.path for file in tree.files] == [b"run.py"]
        assert [(one.path, one.reason) for one in left_out] == [("a.log", capture.CHANGING)]

    def test_is_in_all_the_same_if_it_is_the_script(self, project: Project) -> None:
        path = project.code / "run.py"

        def grow() -> None:
            with path.open("a") as file:
                file.write("#\n")

        project.while_open = grow
        tree, left_out = project.snap()
        assert [file.path for file in tree.files] == [b"run.py"]
        assert left_out == ()
        project.while_open = lambda: None
        tree, _ = project.snap()
        assert project.content(tree)[b"run.py"] == path.read_bytes()

    @pytest.mark.parametrize("becomes", ["nothing", "a pipe", "a folder", "a link"])
    def test_is_left_out_if_it_became_something_else(self, project: Project, becomes: str) -> None:
        path = project.write("a.py", "x\n")
        shot = project.take()
        path.unlink()
        if becomes == "a pipe":
            os.mkfifo(path)
        elif becomes == "a folder":
            path.mkdir()
        elif becomes == "a link":
            path.symlink_to("run.py")
        tree, left_out = project.snap(shot)
        assert [file.path for file in tree.files] == [b"run.py"]
        assert [(one.path, one.reason) for one in left_out] == [("a.py", "unreadable")]


def test_a_large_file_is_stored_piece_by_piece(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_STREAM_FROM", 1000)
    data = os.urandom(300_000)
    project.write("table.bin", data)
    monkeypatch.setattr(
        Source,
        "read",
        lambda self: pytest.fail("read whole") if self.path == "table.bin" else b"print()\n",
    )
    tree, _ = project.snap()
    assert project.content(tree)[b"table.bin"] == data
    project.snap()
    project.snap()
    assert project.opened == []


class TestALargeTree:
    def test_costs_one_part_where_one_file_changes(self, project: Project) -> None:
        for number in range(2000):
            project.write(f"pkg{number % 17}/module_{number}.py", f"x = {number}\n")
        first, _ = project.snap()
        before = project.on_disk()
        project.write("pkg3/module_3.py", "x = 'three'\n")
        project.write("pkg3/module_new.py", "x = 'new'\n")
        second, _ = project.snap()
        assert project.on_disk() - before < 20_000
        assert project.opened == ["pkg3/module_3.py", "pkg3/module_new.py"]
        assert len(second.files) == len(first.files) + 1
        assert list(second.files) == sorted(second.files, key=lambda file: file.path)

    def test_of_some_files_is_one_record(self, project: Project) -> None:
        for number in range(trees.WHOLE - 1):
            project.write(f"m{number}.py", "")
        project.snap()
        assert list(trees.ids(Repository.open(project.store).database, project.tree)) == [
            project.tree
        ]
        project.write("one more.py", "")
        project.snap()
        ids = list(trees.ids(Repository.open(project.store).database, project.tree))
        assert ids[0] == project.tree
        assert len(ids) > 2
        assert all(isinstance(one, TreeId) for one in ids)
