"""Environments and git states: what capture found, as records of the repository."""

from __future__ import annotations

import msgspec

from mfv.capture.environment import Environment as Found
from mfv.capture.git import GitState
from mfv.ids import EnvironmentId
from mfv.manifest.records import Environment, Git
from mfv.manifest.text import printable
from mfv.odb.writer import Writer
from mfv.repo.publish import add_record


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
