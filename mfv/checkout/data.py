"""A run's artifacts as files that other programs read, each in the format of its type.

Numbers, text, bytes, files, arrays and plain containers are written from their bytes; nothing is
run. A table is loaded first, which runs code that its pickle names, and that is said. All else is
written as a pickle in one file, uncopied out of the record and not run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from mfv.checkout.names import Names, safe_ending, safe_name
from mfv.errors import CorruptError, MfvError
from mfv.ids import BlobId
from mfv.manifest.artifact import BYTES, FILE, PICKLE, SCALAR, TEXT, Artifact
from mfv.manifest.records import Task
from mfv.odb.database import Database
from mfv.repo.artifacts import load
from mfv.repo.view import RunView
from mfv.serde import inert
from mfv.serde.inert import Pairs
from mfv.serde.numbers import array_of

INDEX = "artifacts.json"

_MEDIA = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "application/pdf": ".pdf",
    "image/svg+xml": ".svg",
}
_TABLES = ("pandas.", "polars.", "pyarrow.")
# Of a container that is written as JSON; a larger one is written as a pickle.
_DEPTH = 100
_VALUES = 1_000_000


class Written(NamedTuple):
    """What was written."""

    files: int
    size: int  # bytes
    loaded: tuple[str, ...]  # artifacts that were unpickled for it
    failed: tuple[str, ...]  # artifacts that could not be written, and why


class _File(NamedTuple):
    """One artifact as a file."""

    ending: str
    write: Callable[[IO[bytes]], object]
    loaded: bool = False


def write_data(view: RunView, folder: Path, *, trusted: bool) -> Written:
    """Writes every artifact that a task made to `folder/STEP/TASK/NAME.ending`, and a list of all.

    What a task only handed on stands where it was made. `folder` must not exist. Tables are
    written as such where the run is `trusted`, else as pickles. Raises OSError.
    """
    folder.mkdir()
    listed, loaded, failed, size = [], [], [], 0
    steps = Names()
    for step in view.steps():
        place = folder / steps.give(safe_name(step), "")
        place.mkdir()
        for task in view.tasks(step):
            target = place / str(task.id)
            target.mkdir()
            names = Names()
            for artifact in _made(task):
                where = f"{step}/{task.id}/{artifact.name}"
                try:
                    file = _file(view.repository.database, artifact, trusted)
                    path = target / names.give(safe_name(artifact.name), file.ending)
                    with open(os.open(path, _NEW, 0o666), "wb") as out:
                        file.write(out)
                        size += out.tell()
                    content = _content(path)
                except MfvError as error:
                    failed.append(f"{where} ({error.message})")
                    continue
                if file.loaded:
                    loaded.append(where)
                facts = {"step": step, "task": task.id, "name": artifact.name}
                relative = os.fspath(path.relative_to(folder))
                more = {"type": artifact.type, "id": artifact.id.hex(), "file": relative}
                more["content"] = content.hex()  # by which `mfv whence` knows it
                listed.append({**facts, **more, "unpickled": file.loaded})
    (folder / INDEX).write_bytes(msgspec.json.format(msgspec.json.encode(listed), indent=2) + b"\n")
    return Written(len(listed), size, tuple(loaded), tuple(failed))


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _content(path: Path) -> BlobId:
    """The id of what a file holds."""
    hasher = BlobId.hasher()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return BlobId(hasher.digest())


def _made(task: Task) -> Iterator[Artifact]:
    for artifact in task.artifacts:
        if artifact.name not in task.inherited:
            yield artifact


def _file(database: Database, artifact: Artifact, trusted: bool) -> _File:
    """How an artifact is written."""
    if artifact.serializer == SCALAR:
        return _json(artifact.value)
    if artifact.serializer == TEXT:
        return _stream(database, artifact, ".txt")
    if artifact.serializer == BYTES:
        return _stream(database, artifact, _MEDIA.get(artifact.summary.media or "", ".bin"))
    if artifact.serializer == FILE:
        return _stream(database, artifact, safe_ending(artifact.path))
    if artifact.serializer != PICKLE or not artifact.frames:
        raise CorruptError(f"it is written with {artifact.serializer!r}, which is not known here")
    if artifact.type.startswith(_TABLES) and trusted:
        table = _table(database, artifact)
        if table is not None:
            return table
    frames = [database.read_blob(frame.id, largest=frame.size) for frame in artifact.frames]
    try:
        node = inert.read(frames)
        array = array_of(node)
        if array is not None and artifact.type == "numpy.ndarray":
            return _File(".npy", lambda out: _save(out, array))
        return _json(_Plain().value(node, 0) if array is None else array.item())
    except (inert.OpaqueError, ValueError, msgspec.MsgspecError):
        return _File(".pickle", lambda out: [out.write(piece) for piece in inert.joined(frames)])


def _json(value: Any) -> _File:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return _File(".json", lambda out: out.write(text + b"\n"))


def _stream(database: Database, artifact: Artifact, ending: str) -> _File:
    if len(artifact.frames) != 1:
        raise CorruptError("it has not one content")
    blob = BlobId(artifact.frames[0].blob)
    return _File(ending, lambda out: [out.write(one) for one in database.stream_blob(blob)])


def _save(out: IO[bytes], array: Any) -> None:
    import numpy

    numpy.save(out, array, allow_pickle=False)


class _Plain:
    """A value of plain containers as JSON has it; ValueError for one of anything else."""

    def __init__(self) -> None:
        self._left = _VALUES  # a container may hold one other a great many times

    def value(self, node: Any, depth: int) -> Any:
        self._left -= 1
        if depth > _DEPTH or self._left < 0:
            raise ValueError("too deep, or too much")
        if node is None or isinstance(node, (bool, str)):
            return node
        if isinstance(node, int) and -(1 << 63) <= node < 1 << 64:
            return node
        if isinstance(node, float) and node - node == 0:  # JSON has no infinity
            return node
        if isinstance(node, (list, tuple)):
            return [self.value(one, depth + 1) for one in node]
        if isinstance(node, Pairs) and all(isinstance(key, str) for key, _ in node.items):
            return {key: self.value(value, depth + 1) for key, value in node.items}
        array = array_of(node)
        if array is not None and array.ndim == 0:
            return self.value(array.item(), depth + 1)
        raise ValueError("no plain value")


def _table(database: Database, artifact: Artifact) -> _File | None:
    """A table as Parquet where that can be written here, else as CSV; None if it is none."""
    try:
        value: Any = load(database, artifact)
    except CorruptError:
        raise
    except MfvError:  # its library is not here
        return None
    if type(value).__module__.startswith("polars") and hasattr(value, "write_parquet"):
        return _File(".parquet", value.write_parquet, loaded=True)
    if type(value).__module__.startswith("pyarrow") and hasattr(value, "schema"):
        from importlib.util import find_spec

        if find_spec("pyarrow") is not None:
            return _File(".parquet", lambda out: _write_arrow(value, out), loaded=True)
    if hasattr(value, "to_csv"):  # a frame or series of pandas
        return _of_pandas(value)
    return None


def _write_arrow(value: Any, out: IO[bytes]) -> None:
    import pyarrow
    import pyarrow.parquet

    if isinstance(value, pyarrow.RecordBatch):
        value = pyarrow.Table.from_batches([value])
    pyarrow.parquet.write_table(value, out)


def _of_pandas(value: Any) -> _File:
    import io

    if hasattr(value, "to_parquet"):
        held = io.BytesIO()
        try:
            value.to_parquet(held)
        except Exception:  # no library for it, or columns that it cannot hold
            pass
        else:
            return _File(".parquet", lambda out: out.write(held.getbuffer()), loaded=True)
    return _File(".csv", lambda out: out.write(value.to_csv().encode()), loaded=True)
