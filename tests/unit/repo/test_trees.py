"""Trees in parts: what they read back to, what gc keeps of them, and what is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import memory_repository, opening_of

from mfv.errors import CorruptError
from mfv.ids import BlobId, TreeId
from mfv.maintain.fsck import fsck
from mfv.maintain.marks import Marks
from mfv.manifest.records import Opening, Tree, TreeFile
from mfv.odb.writer import Writer
from mfv.repo import trees
from mfv.repo.publish import add_record
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.view import RunView


def files(count: int, content: bytes = b"x\n") -> list[TreeFile]:
    blob = bytes(BlobId.of(content))
    return [TreeFile(b"pkg/%05d.py" % n, 0o100644, blob, len(content)) for n in range(count)]


def stored(repository: Repository, *records: Tree) -> list[bytes]:
    writer = Writer(repository.database)
    found = [bytes(add_record(writer, TreeId, record)[0]) for record in records]
    writer.flush()
    return found


@settings(max_examples=30, deadline=None)
@given(st.sets(st.binary(min_size=1, max_size=6), max_size=1500), st.data())
def test_any_files_come_back_and_a_change_leaves_most_parts_alone(
    paths: set[bytes], data: st.DataObject
) -> None:
    blob = bytes(BlobId.of(b""))
    listed = [TreeFile(path, 0o100644, blob, 0) for path in sorted(paths)]
    repository = memory_repository()
    writer = Writer(repository.database)
    first = trees.store(writer, listed)
    changed = list(listed)
    if changed:
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = TreeFile(changed[at].path, 0o100755, blob, 0)
    second = trees.store(writer, changed)
    writer.flush()
    assert trees.read(repository.database, first) == Tree(tuple(listed))
    assert trees.read(repository.database, second) == Tree(tuple(changed))
    before = set(trees.ids(repository.database, first))
    after = set(trees.ids(repository.database, second))
    assert len(after - before) <= 2  # the part, and the list of parts


def test_a_file_that_comes_first_moves_no_part() -> None:
    repository = memory_repository()
    writer = Writer(repository.database)
    first = trees.store(writer, files(3000))
    new = TreeFile(b"a.py", 0o100644, bytes(BlobId.of(b"")), 0)
    second = trees.store(writer, [new, *files(3000)])
    writer.flush()
    before, after = (list(trees.ids(repository.database, one)) for one in (first, second))
    assert before[2:] == after[2:]


def run_of(repository: Repository, tree: Tree) -> RunRecorder:
    def make(writer: Writer) -> Opening:
        writer.add_blob(b"x\n")
        tree_id = trees.store(writer, tree.files)
        return msgspec.structs.replace(opening_of()(writer), tree=bytes(tree_id))

    return RunRecorder(repository, make)


def test_gc_keeps_all_parts_and_fsck_looks_at_them() -> None:
    repository = memory_repository()
    run_of(repository, Tree(tuple(files(1000)))).seal("ok", ended=1)
    state = repository.state.find("TrainFlow", 1)
    assert state is not None
    view = RunView(repository, state)
    assert len(view.tree.files) == 1000
    marks = Marks(repository)
    marks.catch_up()
    ids = list(trees.ids(repository.database, TreeId(view.opening.tree)))
    assert len(ids) > 5
    assert marks.objects.issuperset(ids)
    assert not fsck(repository).findings


@pytest.mark.parametrize("wrong", ["parts of parts", "one part twice", "files beside parts"])
def test_what_no_writer_makes_is_refused(wrong: str) -> None:
    repository = memory_repository()
    (part,) = stored(repository, Tree(tuple(files(3))))
    (nested,) = stored(repository, Tree((), (part,)))
    bad = {
        "parts of parts": Tree((), (nested,)),
        "one part twice": Tree((), (part, part)),
        "files beside parts": Tree(tuple(files(1)), (part,)),
    }[wrong]
    (tree,) = stored(repository, bad)
    with pytest.raises(CorruptError):
        trees.read(repository.database, TreeId(tree))


def test_a_part_that_is_missing_is_damage() -> None:
    repository = memory_repository()
    (tree,) = stored(repository, Tree((), (bytes(TreeId.of(b"gone")),)))
    with pytest.raises(CorruptError):
        trees.read(repository.database, TreeId(tree))
