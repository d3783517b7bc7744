"""Artifacts that are files: streamed in, written out, and found again where they were."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from mfv.errors import CorruptError, StorageError, UnpicklableError
from mfv.ids import BlobId, Buffer
from mfv.manifest.artifact import FILE, Artifact, Frame
from mfv.odb.aligner import Older
from mfv.odb.database import Database
from mfv.odb.source import hash_all
from mfv.odb.writer import Writer
from mfv.repo.paths import check_path
from mfv.serde.openfile import PATH, OpenFile, open_file, revive
from mfv.storage.local import LocalBackend
from mfv.storage.oserrors import storage_error
from mfv.storage.paths import leads_away

FOLDER = "cache/files"


def store_file(writer: Writer, file: OpenFile, older: Callable[[], Older | None]) -> Frame:
    """Adds the content of `file` in bounded memory."""
    try:
        blob, size = writer.add_file(file.read_at, file.size, older)
    except OSError as error:
        raise UnpicklableError(
            f"{file.path} cannot be stored: {error.strerror or error}",
            path=file.path,
            type_name="file",
            hint="check the disk that it lies on",
        ) from error
    return Frame(bytes(blob), size)


def load_file(database: Database, artifact: Artifact) -> object:
    """The path of a file that holds what was recorded, or such a file opened, as it was left.

    It is the file that was recorded where that still has the same bytes; else a copy, read-only,
    in the repository's cache.
    """
    blob, size = _content(artifact)
    path = artifact.path
    if not (path and _holds(path, blob, size)):
        path = _cached(database, blob, size, artifact.path)
    return revive(path, artifact.value if isinstance(artifact.value, str) else PATH)


def copy_to(database: Database, artifact: Artifact, destination: str | os.PathLike[str]) -> None:
    """Writes a file artifact to `destination`, which appears whole and verified or not at all."""
    blob, _ = _content(artifact)
    write_blob(database, blob, destination)


def write_blob(
    database: Database,
    blob: BlobId,
    destination: str | os.PathLike[str],
    *,
    mode: int | None = None,
) -> None:
    """Writes a blob to a new file at `destination`, in place of what is there, once verified.

    `mode`: of the file, whatever the umask; None for what that leaves.
    """
    path = Path(destination)
    staged = path.with_name(f".{os.urandom(6).hex()}.mfv-part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(staged, flags, mode or 0o666), "wb", buffering=0) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            try:
                _write_all(file, database.stream_blob(blob, each=False))
            except CorruptError:
                # Once more, and of what is damaged another copy if there is one.
                file.seek(0)
                file.truncate()
                _write_all(file, database.stream_blob(blob))
            os.fsync(file.fileno())
        os.replace(staged, path)
    except OSError as error:
        raise storage_error(error, "write", path) from error
    finally:
        staged.unlink(missing_ok=True)


def _write_all(file: IO[bytes], pieces: Iterable[Buffer]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while len(view):
            view = view[file.write(view) :]


def _content(artifact: Artifact) -> tuple[BlobId, int]:
    if artifact.serializer != FILE or len(artifact.frames) != 1:
        raise CorruptError(f"{artifact.name!r} is recorded as a file and has not one content")
    return artifact.frames[0].id, artifact.frames[0].size


def _holds(path: str, blob: BlobId, size: int) -> bool:
    """Whether there is a regular file at `path` with just these bytes."""
    try:
        file = open_file(Path(path), path)
    except UnpicklableError:
        return False
    if file is None:
        return False
    try:
        return file.size == size and hash_all(file.read_at)[0] == blob
    except OSError:
        return False
    finally:
        file.close()


def _cached(database: Database, blob: BlobId, size: int, recorded: str) -> str:
    """A copy of the blob under the last name of the path `recorded`."""
    name = os.path.basename(recorded) or "file"
    try:
        name = check_path(os.fsencode(name))
    except CorruptError:
        name = "file"
    backend = database.backend
    if isinstance(backend, LocalBackend) and backend.refusal is None:
        folder = os.path.join(backend.root, FOLDER, str(blob))
        path = os.path.join(folder, name)
        if _holds(path, blob, size):
            return path
        try:
            if leads_away(backend.root, f"{FOLDER}/{blob}"):
                raise OSError("a symbolic link is in the way")
            backend.modes.make_folders(folder)
            write_blob(database, blob, path, mode=backend.modes.fixed)
            return path
        except (OSError, StorageError):
            pass  # a repository that one may only read
    path = os.path.join(tempfile.mkdtemp(prefix="mfv-"), name)
    write_blob(database, blob, path)
    return path
