"""Code snapshots as records: small ones as one, larger ones as a list of parts.

A part is a tree itself, of neighbours in the order of paths. Where a part ends is decided by the
path that it ends with, so that a file that changed, came or went changes its own part and leaves
the others what they were: they are stored already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

from mfv.errors import CorruptError
from mfv.ids import TreeId
from mfv.manifest.encoding import TooLargeError, decode
from mfv.manifest.records import Tree, TreeFile
from mfv.odb.database import Database

if TYPE_CHECKING:
    from mfv.odb.writer import Writer

WHOLE = 256  # files: so many are one record
_MEAN = 128  # files of a part; a changed part costs about as much as the list of parts of 10,000
MOST_FILES = 300_000
_MOST = 1024  # files of a part


def store(writer: Writer, files: Sequence[TreeFile]) -> TreeId:
    """Stores the tree of `files`, sorted by path; equal files are equal ids. TooLargeError."""
    from mfv.repo.publish import add_record  # whoever only reads does without

    parts: tuple[bytes, ...] = ()
    if len(files) > MOST_FILES:
        raise TooLargeError(
            f"the code has {len(files)} files, and a snapshot has at most {MOST_FILES}",
            hint="leave out what is no code, in .mfvignore",
        )
    if len(files) > WHOLE:
        parts = tuple(bytes(add_record(writer, TreeId, Tree(part))[0]) for part in _cut(files))
    tree_id, _ = add_record(writer, TreeId, Tree((), parts) if parts else Tree(tuple(files)))
    return TreeId(tree_id)


def read(database: Database, tree_id: TreeId) -> Tree:
    """The tree with all its files; CorruptError where a part is damaged or none."""
    tree = decode(Tree, database.read_record(tree_id))
    if not tree.parts:
        return tree
    check(tree)
    files: list[TreeFile] = []
    for part_id in tree.parts:
        part = decode(Tree, database.read_record(TreeId(part_id)))
        check(part, is_part=True)
        files += part.files
        if len(files) > MOST_FILES:
            raise CorruptError(f"a snapshot of more than {MOST_FILES} files")
    return Tree(tuple(files))


def check(tree: Tree, *, is_part: bool = False) -> None:
    """Refuses what would be another size when read than it is as it lies; CorruptError."""
    if is_part and tree.parts:
        raise CorruptError("a part of a snapshot has parts itself")
    if tree.parts and (tree.files or len(set(tree.parts)) != len(tree.parts)):
        raise CorruptError("a snapshot holds files beside parts, or one part twice")


def ids(database: Database, tree_id: TreeId) -> Iterator[TreeId]:
    """The ids of all records that the tree is made of, its own first."""
    yield tree_id
    yield from map(TreeId, decode(Tree, database.read_record(tree_id)).parts)


def _cut(files: Sequence[TreeFile]) -> Iterator[tuple[TreeFile, ...]]:
    start = 0
    for at, file in enumerate(files, 1):
        if crc32(file.path) % _MEAN == 0 or at - start == _MOST or at == len(files):
            yield tuple(files[start:at])
            start = at
