"""Code snapshots and environments: what capture found, as records of the repository."""

from __future__ import annotations

import msgspec

from mfv.capture.environment import Environment as Found
from mfv.capture.git import GitState
from mfv.capture.snapshot import Snapshot, read
from mfv.errors import MfvError
from mfv.ids import EnvironmentId, TreeId
from mfv.manifest.records import Environment, Git, LeftOut, Tree, TreeFile
from mfv.manifest.text import printable
from mfv.odb.writer import Writer
from mfv.repo.publish import add_record


def store_tree(writer: Writer, snapshot: Snapshot) -> tuple[TreeId, tuple[LeftOut, ...]]:
    """Stores every file of `snapshot`; a file that cannot be read any more is left out, named."""
    files, left_out = [], [LeftOut(printable(f.path), f.reason, f.size) for f in snapshot.left_out]
    for file in snapshot.files:
        try:
            data = read(snapshot, file)
        except MfvError:
            left_out.append(LeftOut(printable(file.path), "unreadable", file.size))
            continue
        blob = writer.add_blob(data)
        path = file.path.encode("utf-8", "surrogateescape")
        files.append(TreeFile(path, file.mode, bytes(blob), len(data)))
    tree_id, _ = add_record(writer, TreeId, Tree(tuple(sorted(files, key=lambda f: f.path))))
    return TreeId(tree_id), tuple(left_out)


def store_environment(writer: Writer, found: Found) -> EnvironmentId:
    """Stores the environment; equal ones share one record."""
    record = msgspec.convert(found, Environment, from_attributes=True)
    environment_id, _ = add_record(writer, EnvironmentId, record)
    return EnvironmentId(environment_id)


def git_record(found: GitState | None) -> Git | None:
    """What capture found of git, as recorded."""
    if found is None:
        return None
    return Git(
        commit=found.commit,
        branch=found.branch and printable(found.branch),
        remote=found.remote and printable(found.remote),
        dirty=found.dirty,
        changed=tuple(printable(path) for path in found.changed),
        describe=found.describe,
    )
