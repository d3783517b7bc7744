"""All that one run needs, told even where some of it cannot be read any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from mfv.errors import CorruptError, FormatTooNewError, StorageError
from mfv.ids import EnvironmentId, ObjectId, OpeningId, RunId, TaskId, TreeId
from mfv.manifest.records import TaskRef
from mfv.repo import trees
from mfv.repo.names import RunState
from mfv.repo.reachable import (
    Keeping,
    blobs_of_manifest,
    blobs_of_opening,
    blobs_of_task,
    blobs_of_tree,
    is_there,
)
from mfv.repo.repository import Repository

R = TypeVar("R")


class Need(NamedTuple):
    """One object that a run needs; a record comes with what is wrong with it."""

    id: ObjectId
    trouble: str = ""


def needs(repository: Repository, run: RunState) -> Iterator[Need]:
    """The records of a run and the blobs that they name, those that are let go left out.

    A record that cannot be read comes with its trouble, and what only it led to does not come.
    Some come more than once.
    """
    keeping = Keeping.of(run)
    troubled: list[Need] = []

    def read(object_id: ObjectId, how: Callable[[], R]) -> R | None:
        try:
            return how()
        except FormatTooNewError:
            raise  # nothing can be said of what cannot be read here
        except (CorruptError, StorageError) as error:
            troubled.append(Need(object_id, error.message))
            return None

    database = repository.database
    openings = [] if run.opening is None else [OpeningId(run.opening)]
    refs: tuple[TaskRef, ...] = tuple(run.tasks)
    if run.manifest is not None:
        yield Need(RunId(run.manifest))
        manifest = read(RunId(run.manifest), lambda: repository.manifest(run))
        if manifest is not None:
            refs = manifest.tasks
            if manifest.opening != run.opening:
                openings.append(OpeningId(manifest.opening))
            yield from map(Need, blobs_of_manifest(manifest))
    for opening_id in openings:
        yield Need(opening_id)
    if openings:
        opening = read(openings[0], lambda: repository.opening(run))
        if opening is not None:
            yield from map(Need, blobs_of_opening(opening))
            environment = EnvironmentId(opening.environment)
            yield Need(environment)
            read(environment, lambda: database.read_record(environment))
            yield Need(TreeId(opening.tree))
            tree = read(TreeId(opening.tree), lambda: repository.tree(opening))
            if tree is not None:
                yield from map(Need, trees.ids(database, TreeId(opening.tree)))
                yield from map(Need, blobs_of_tree(tree))
    for ref in refs:
        yield Need(TaskId(ref.manifest))
        task = read(TaskId(ref.manifest), lambda ref=ref: repository.task(ref))  # type: ignore[misc]
        if task is not None:
            yield from map(Need, blobs_of_task(task, keeping))
    yield from troubled


def missing(repository: Repository, run: RunState) -> tuple[ObjectId, ...]:
    """The records and blobs that the run needs and that no pack has, or not all of.

    As the packs' indexes have it: nothing is read but records and lists of chunks.
    """
    database, found = repository.database, dict[bytes, ObjectId]()
    seen: set[bytes] = set()
    for object_id, trouble in needs(repository, run):
        if trouble:
            found[bytes(object_id)] = object_id
        elif object_id not in seen:
            seen.add(bytes(object_id))
            if not is_there(database, object_id):
                found[bytes(object_id)] = object_id
    return tuple(sorted(found.values()))
