"""Values to recorded artifacts and back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from mfv.capture.secrets import is_secret_path
from mfv.errors import CorruptError, FormatTooNewError, UnpicklableError
from mfv.manifest.artifact import (
    BYTES,
    FILE,
    PICKLE,
    SCALAR,
    TEXT,
    Artifact,
    Column,
    Frame,
    Summary,
)
from mfv.manifest.text import printable
from mfv.odb.aligner import Older
from mfv.odb.database import Database
from mfv.odb.writer import Writer
from mfv.repo.lineage import Find, Lineage
from mfv.serde.frame import Frame as Dumped
from mfv.serde.openfile import OpenFile


class Stored(NamedTuple):
    """What became of a task's attributes."""

    artifacts: tuple[Artifact, ...]  # sorted by name
    dropped: tuple[tuple[str, str], ...]  # name, why it could not be stored


def store(writer: Writer, name: str, value: object, lineage: Find | None = None) -> Artifact:
    """Adds `value` to `writer` and returns its record.

    Where it resembles a value of its `lineage` it takes little more than what changed. Keep `value`
    unchanged until the writer is flushed. Raises UnpicklableError.
    """
    from mfv.serde.scalar import is_scalar
    from mfv.serde.summary import type_name

    kind = printable(type_name(value))
    if is_scalar(value):
        return Artifact(name, kind, SCALAR, value)  # type: ignore[arg-type]
    from mfv.serde.summary import summarize

    found: list[Lineage] = []  # looked up by the first frame that wants it

    def older(place: int) -> Older | None:
        if not found:
            found.append(lineage() if lineage is not None else Lineage())
        return _older(found[0], place)

    file = _open_file(name, value)
    if file is not None:
        from mfv.repo.files import store_file

        try:
            frame = store_file(writer, file, partial(older, 0))
        finally:
            file.close()
        path = printable(file.path)
        return Artifact(name, kind, FILE, file.kind, (frame,), Summary(text=path[-160:]), path)
    serializer, frames = _serialize(name, value)
    stored = tuple(
        Frame(bytes(writer.add_blob(data, item, partial(older, place))), memoryview(data).nbytes)
        for place, (data, item) in enumerate(frames)
    )
    facts = summarize(value)
    columns = tuple(Column(printable(key), printable(text)) for key, text in facts.columns)
    fields = facts._replace(text=printable(facts.text), columns=())._asdict()
    summary = Summary(**{**fields, "columns": columns})
    return Artifact(name, kind, serializer, None, stored, summary)


def _open_file(name: str, value: object) -> OpenFile | None:
    """The file that `value` stands for; of one that looks like a secret, only its path is told."""
    from mfv.serde.openfile import open_file

    file = open_file(value, f"self.{name}")
    if file is None or not is_secret_path(file.path):
        return file
    file.close()
    return None


def _older(lineage: Lineage, place: int) -> Older | None:
    """The frames that stand at `place` in earlier values: the same column, tensor or stream."""
    base = sum(place < len(one.frames) for one in lineage.path[: lineage.base])
    path = tuple(one.frames[place].id for one in lineage.path if place < len(one.frames))
    return Older(path, base) if path else None


def store_all(
    writer: Writer, values: Mapping[str, object], lineage: Callable[[str], Lineage] | None = None
) -> Stored:
    """Stores every value that can be stored; the others are named and cost nothing else.

    `lineage` gives the earlier values of the artifact of that name.
    """
    artifacts, dropped = [], []
    for name in sorted(values):
        try:
            before = partial(lineage, name) if lineage is not None else None
            artifacts.append(store(writer, name, values[name], before))
        except UnpicklableError as error:
            dropped.append((printable(name), printable(error.message)))
    return Stored(tuple(artifacts), tuple(dropped))


def load(database: Database, artifact: Artifact, *, trusted: bool = True) -> object:
    """The value of `artifact`, every byte verified.

    Unpickles, and so runs what the pickle names: only for runs that are `trusted` (see
    `mfv.repo.trust`). Of others, values of harmless data are made without unpickling; any other is
    an UntrustedError, which names what is not harmless.
    """
    if artifact.serializer == SCALAR:
        return artifact.value
    if artifact.serializer == FILE:
        from mfv.repo.files import load_file

        return load_file(database, artifact)
    if artifact.serializer not in (BYTES, TEXT, PICKLE):
        raise FormatTooNewError(
            f"artifact {artifact.name!r} is written with {artifact.serializer!r}",
            hint="install a newer mfv-store to read it",
        )
    count = len(artifact.frames)
    if count == 0 or (count > 1 and artifact.serializer != PICKLE):
        raise CorruptError(f"{artifact.name!r} has {count} frames, and cannot have so many")
    frames = [database.read_blob(frame.id, largest=frame.size) for frame in artifact.frames]
    for frame, data in zip(artifact.frames, frames, strict=True):
        if len(data) != frame.size:
            raise CorruptError(f"a frame of {artifact.name!r} has not the size recorded for it")
    if artifact.serializer == PICKLE:
        if not trusted:
            from mfv.serde.harmless import load as make_harmless

            return make_harmless(frames)
        from mfv.serde.pickle5 import load as unpickle

        return unpickle(frames)
    if artifact.serializer == BYTES:
        return bytes(frames[0])
    try:
        return str(frames[0], "utf-8")
    except UnicodeDecodeError:
        raise CorruptError(f"{artifact.name!r} is recorded as text and is none") from None


def _serialize(name: str, value: object) -> tuple[str, list[Dumped]]:
    """The serializer for `value` and its frames.

    Plain bytes and text are not pickled: `mfv cat` gives them back without running anything, and
    their blob is the hash of the file that they may have come from.
    """
    if type(value) is bytes:
        return BYTES, [Dumped(value)]
    if type(value) is str:
        with contextlib.suppress(UnicodeEncodeError):
            return TEXT, [Dumped(value.encode())]
    from mfv.serde.pickle5 import dump

    return PICKLE, dump(value, name=f"self.{name}")
