"""Compares what two runs of one flow left, artifact by artifact. Unpickles only where asked to."""

from __future__ import annotations

from mfv.diff.rerun import DIFFERENT, UNKNOWN, VALUE, Compared, Rerun, diff_rerun
from mfv.errors import CorruptError
from mfv.manifest.artifact import PICKLE, SCALAR, Artifact
from mfv.odb.database import Database
from mfv.repo.artifacts import load as load_artifact
from mfv.repo.view import RunView
from mfv.serde import inert
from mfv.serde.frame import Buffer
from mfv.verify.likeness import Likeness, Tolerance, compare

CUT_SHORT = frozenset({"failed", "interrupted", "crashed"})  # some tasks never had their turn


def compare_runs(old: RunView, new: RunView, tolerance: Tolerance, *, load: bool) -> Rerun:
    """Every task of `old`, the recorded run, beside the same one of `new`.

    `load`: whether values whose bytes say too little are loaded, which runs the code that they
    name. Of a run that was cut short only the tasks count that both have. Raises CorruptError.
    """

    databases = old.repository.database, new.repository.database

    def look(one: Artifact, other: Artifact) -> Compared:
        likeness = _look(*databases, one, other, tolerance)
        if likeness.alike is None and load:
            from mfv.verify.loaded import compare_loaded

            values = load_artifact(databases[0], one), load_artifact(databases[1], other)
            likeness = compare_loaded(*values, tolerance)
        return _told(one, likeness)

    return diff_rerun(
        old.opening.graph,
        (old.repository.task(ref) for ref in old.refs),
        (new.repository.task(ref) for ref in new.refs),
        look,
        ending=_ending(old, new),
        partial=old.status in CUT_SHORT,
    )


def _look(
    a: Database, b: Database, one: Artifact, other: Artifact, tolerance: Tolerance
) -> Likeness:
    if one.type != other.type:
        return Likeness(False, why=f"{one.type} -> {other.type}")
    if one.serializer == other.serializer == SCALAR:
        return compare(one.value, other.value, tolerance)
    if one.serializer != PICKLE or other.serializer != PICKLE:
        return Likeness(False, why=_sizes(one, other))
    try:
        return compare(inert.read(_frames(a, one)), inert.read(_frames(b, other)), tolerance)
    except inert.OpaqueError as error:
        return Likeness(None, why=error.message)


def _told(artifact: Artifact, likeness: Likeness) -> Compared:
    alike = likeness.alike
    status = UNKNOWN if alike is None else VALUE if alike else DIFFERENT
    what = ""
    if not alike:
        place = f"{artifact.name}{likeness.where}" if likeness.where else ""
        what = ": ".join(part for part in (place, likeness.why) if part)
    return Compared(artifact.name, status, artifact.type, likeness.difference, what)


def _frames(database: Database, artifact: Artifact) -> list[Buffer]:
    if not artifact.frames:
        raise CorruptError(f"{artifact.name!r} has no frames, and cannot be without")
    return [database.read_blob(frame.id, largest=frame.size) for frame in artifact.frames]


def _sizes(one: Artifact, other: Artifact) -> str:
    if one.size != other.size:
        return f"{one.size} bytes -> {other.size}"
    return f"other bytes, {one.size} as before"


def _ending(old: RunView, new: RunView) -> str:
    """How the repetition ended otherwise than the recorded run, in words."""
    failed = _failure(new)
    if old.status in ("interrupted", "crashed"):
        return failed
    if old.status != new.status:
        return failed or f"it {old.status} before, and now it is {new.status}"
    before, after = old.manifest, new.manifest
    if before is not None and after is not None and before.failed_step != after.failed_step:
        return f"it failed in {before.failed_step} before, and now {failed}"
    return ""


def _failure(run: RunView) -> str:
    manifest = run.manifest
    if run.status == "ok" or manifest is None:
        return "" if run.status == "ok" else f"it ended as {run.status}"
    if manifest.failure is None:
        return f"it ended as {run.status}"
    failure = manifest.failure
    return f"it failed in {manifest.failed_step} with {failure.type}: {failure.message}"[:300]
