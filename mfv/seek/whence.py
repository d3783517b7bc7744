"""Which run made these bytes: by content, wherever they are and whatever they are called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from mfv.errors import MfvError, NotFoundError, StorageError
from mfv.found.places import Place, Traced
from mfv.history.find import Found
from mfv.ids import ArtifactId, BlobId
from mfv.index.holders import Holder, Holders, open_holders
from mfv.manifest.artifact import Artifact
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

_ID = re.compile(r"[0-9a-f]{64}")
_PIECE = 1 << 20  # bytes
_NPY = b"\x93NUMPY"
LISTING = "artifacts.json"  # of `mfv clone --data`
_ABOVE = 4  # folders in which that is looked for


class _Wanted(NamedTuple):
    blob: bytes
    part: str  # of the file: empty for all of it
    words: str


def whence_file(repository: Repository, path: str) -> Traced:
    """Where the content of a file is; NotFoundError if there is no such file."""
    try:
        wanted = list(_of_file(path))
    except (OSError, ValueError) as error:  # a name with a NUL
        raise NotFoundError(
            f"{path}: {getattr(error, 'strerror', error)}",
            hint="give a file, RUN/step/NAME, or an id",
        ) from None
    places = _places(repository, wanted)
    listed = _listed(path, wanted[0].blob)
    words = [one.words for one in wanted]
    if listed is not None and not places:
        words.append("what `clone --data` noted beside it")
        places = _of_listing(repository, listed)
    return Traced(path, tuple(words), tuple(places))


def whence_artifact(found: Found) -> Traced:
    """Where else the bytes of an artifact are."""
    run, artifact, task = found.run, found.artifact, found.task
    assert artifact is not None and task is not None
    name = f"{task.pathspec}/{artifact.name}"
    if not artifact.frames:
        return Traced(name, ("it stands in the record itself: `mfv log --where` finds values",), ())
    wanted = [_Wanted(artifact.frames[0].blob, "", "its bytes")]
    places = [one for one in _places(run.repository, wanted) if one.artifact == artifact.id.hex()]
    return Traced(name, ("its bytes",), tuple(places))


def whence_id(repository: Repository, text: str) -> Traced:
    """Where the blob with an id is."""
    wanted = [_Wanted(bytes.fromhex(text), "", "the bytes with this id")]
    return Traced(text, (wanted[0].words,), tuple(_places(repository, wanted)))


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _of_file(path: str) -> Iterator[_Wanted]:
    """The ids of what may be stored of a file: all of it, and the array in a `.npy`."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        whole = BlobId.hasher()
        first = file.read(_PIECE)
        data_at = _npy_data(first)
        inner = None if data_at is None else BlobId.hasher()
        piece, at = first, 0
        while piece:
            whole.update(piece)
            if inner is not None and data_at is not None:
                inner.update(piece[max(0, data_at - at) :])
            at += len(piece)
            piece = file.read(_PIECE)
        yield _Wanted(whole.digest(), "", f"its {size} bytes")
        if inner is not None:
            yield _Wanted(inner.digest(), "array", "the array in it")


def _npy_data(head: bytes) -> int | None:
    """Where the data of a `.npy` begin: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"""
    if head[:6] != _NPY or len(head) < 12:
        return None
    if head[6] == 1:
        return 10 + int.from_bytes(head[8:10], "little")
    return 12 + int.from_bytes(head[8:12], "little")


def _places(repository: Repository, wanted: Iterable[_Wanted]) -> list[Place]:
    holders = open_holders(repository)
    if holders is None:
        raise StorageError(
            "what holds which bytes cannot be looked up: the log is damaged, or there is no room",
            hint="`mfv fsck` says more",
        )
    found: list[Place] = []
    for one in wanted:
        found += _artifacts(repository, holders, one)
        found += _files(repository, holders, one)
    return found


def _artifacts(repository: Repository, holders: Holders, wanted: _Wanted) -> Iterator[Place]:
    for holder in dict.fromkeys(holders.artifacts(wanted.blob)):  # once, however often it holds it
        artifact = _artifact(repository, holder)
        if artifact is None:
            continue
        frames = [place for place, frame in enumerate(artifact.frames) if frame.blob == wanted.blob]
        if not frames:
            continue  # only eight bytes of the id were the same
        part = wanted.part
        if len(artifact.frames) > 1 and not part:
            part = f"frame {frames[0]} of {len(artifact.frames)}"
        run = f"{holder.flow}/{holder.run}"
        size = artifact.frames[frames[0]].size
        yield Place(run, holder.step, holder.task, artifact.name, part, artifact.id.hex(), size)


def _artifact(repository: Repository, holder: Holder) -> Artifact | None:
    """None where it is gone, or in the trash, or damaged."""
    state = repository.state.find(holder.flow, holder.run)
    if state is None or state.in_trash:
        return None
    try:
        run = RunView(repository, state)
        task = run.task(holder.step, str(holder.task))
        return next((one for one in task.artifacts if one.name == holder.name), None)
    except MfvError:
        return None


def _files(repository: Repository, holders: Holders, wanted: _Wanted) -> Iterator[Place]:
    for flow, number, path in holders.files(wanted.blob):
        state = repository.state.find(flow, number)
        if state is None:
            continue
        try:
            files = RunView(repository, state).tree.files
        except MfvError:
            continue
        for file in files:
            if file.blob == wanted.blob and file.path.decode("utf-8", "replace") == path:
                name = file.path.decode("utf-8", "surrogateescape")
                yield Place(f"{flow}/{number}", name=name, size=file.size)


def _listed(path: str, content: bytes) -> bytes | None:
    """The id of the artifact that a file was written from, by the list beside it.

    None where it is not what it was when that was written.
    """
    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    for _ in range(_ABOVE):
        try:
            with open(os.path.join(folder, LISTING), "rb") as file:
                listed = msgspec.json.decode(file.read(64 << 20))
        except (OSError, msgspec.MsgspecError):
            folder = os.path.dirname(folder)
            continue
        relative = os.path.relpath(real, folder)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and one.get("file") == relative:
                known, artifact = one.get("content"), one.get("id")
                if known == content.hex() and isinstance(artifact, str) and is_id(artifact):
                    return bytes.fromhex(artifact)
        return None
    return None


def _of_listing(repository: Repository, artifact_id: bytes) -> list[Place]:
    """Every run is looked at: what has no frames has no bytes by which it could be found."""
    wanted = ArtifactId(artifact_id)
    found = []
    for state in reversed(list(repository.state)):
        if state.in_trash:
            continue
        run = RunView(repository, state)
        try:
            tasks = [repository.task(ref) for ref in run.refs]
        except MfvError:
            continue
        for task in tasks:
            for one in task.artifacts:
                if one.name not in task.inherited and one.id == wanted:
                    found.append(
                        Place(run.name, task.step, task.id, one.name, "", one.id.hex(), one.size)
                    )
    return found
