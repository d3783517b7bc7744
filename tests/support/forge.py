"""Repositories whose hashes and seals are right, and whose content is whatever one wants.

Everything is written by the encoders of mfv itself, past all that a writer would refuse: so it is
what was written that is judged, and never that a hash does not match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from making import environment

from mfv.ids import (
    BlobId,
    ChunkId,
    EnvironmentId,
    ObjectId,
    OpeningId,
    PackId,
    RunId,
    TaskId,
    TreeId,
)
from mfv.manifest.artifact import BYTES, PICKLE, SCALAR, TEXT, Artifact, Frame
from mfv.manifest.encoding import _encoded as encode  # which refuses nothing
from mfv.manifest.records import GraphNode, Opening, Run, Task, TaskRef, Tree, TreeFile
from mfv.odb import pack as packs
from mfv.odb.pack import Member, PackBuilder, Receipt, Record
from mfv.odb.packindex import key_of
from mfv.repo.archive import key_of as entry_key
from mfv.repo.entries import Body, Entry, OpenRun, PackMade, SealRun, Tasks
from mfv.repo.log import Tip, encode_entry, write_tip
from mfv.repo.repository import Repository
from mfv.storage.local import LocalBackend

FLOW, STEP, NAME = "Flow", "start", "x"
CODE = b"print('hello')\n"
MOMENT = 1_700_000_000_000_000  # µs since 1970
FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000

Change = Callable[[Any], Any] | bytes | None


class Forge:
    """A repository at `folder`, to which anything is added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        repo = Repository.create(folder, writer="ana@host")
        assert isinstance(repo.backend, LocalBackend)
        self.backend = repo.backend
        self.backend.durable = False
        self.origin = repo.format.repository
        self._builder = PackBuilder()
        self.made: list[Receipt] = []
        self.head, self.number = bytes(32), 0
        self._runs: dict[str, int] = {}

    # Objects

    def stored(
        self,
        kind: type[ObjectId],
        data: bytes,
        *,
        as_id: bytes | None = None,
        codec: int = 0,
        stored: bytes | None = None,
        size: int | None = None,
        depth: int = 0,
        number: int | None = None,
    ) -> bytes:
        """An object of `data`; the rest is what the pack is to say of it instead of the truth."""
        object_id = kind.of(data) if as_id is None else ObjectId(as_id)
        member = Member(
            object_id, kind.kind if number is None else number, len(data) if size is None else size
        )
        self._builder.add([member], codec, data if stored is None else stored, depth)
        return bytes(object_id)

    def record(self, kind: type[ObjectId], record: msgspec.Struct | bytes, **more: Any) -> bytes:
        return self.stored(kind, record if isinstance(record, bytes) else encode(record), **more)

    def blob(self, data: bytes, **more: Any) -> bytes:
        return self.stored(ChunkId, data, **more)

    def chunks(self, blob: bytes, ids: Iterable[bytes], **more: Any) -> bytes:
        """A blob said to consist of these chunks."""
        return self.stored(BlobId, b"".join(ids), as_id=blob, **more)

    def pack(self, change: Callable[[list[Record]], list[Record]] | None = None) -> PackId:
        """Writes what was stored since the last pack, as records that `change` makes of them."""
        builder, self._builder = self._builder, PackBuilder()
        if change is not None:
            payload = b"".join(bytes(part) for part in builder.take())
            builder.records = change(builder.records)
            return self._write(builder.id, payload, builder.records)
        parts, receipt = builder.finish()
        self.backend.put(key_of(builder.id), parts)
        self.made.append(receipt)
        return builder.id

    def _write(self, pack: PackId, payload: bytes, records: Sequence[Record]) -> PackId:
        """A pack of exactly these records, with a seal that is right."""
        index = b"".join(
            packs.RECORD.pack(r.id, r.kind, r.codec, r.depth, r.within, r.offset, r.stored, r.size)
            for r in records
        )
        head = packs.TRAILER.pack(len(payload), len(records), bytes(32))[:-32]
        seal = packs._seal(payload[: packs.HEADER.size], index, head)
        self.backend.put(key_of(pack), [payload, index, head + seal])
        size = len(payload) + len(index) + packs.TRAILER.size
        self.made.append(Receipt(pack, size, seal))
        return pack

    @property
    def open_pack(self) -> bytes:
        """The name that the pack in the making will have."""
        return bytes(self._builder.id)

    # The log

    def append(
        self,
        body: Body | None = None,
        *,
        raw: bytes | None = None,
        at: int | None = None,
        says: int | None = None,
        previous: bytes | None = None,
        writer: str = "ana@host",
        time: int | None = None,
    ) -> bytes:
        """An entry with its seal. `raw`: its bytes; `at`, `says`: its file's number, its own."""
        number = self.number + 1 if at is None else at
        if raw is None:
            assert body is not None
            said = number if says is None else says
            moment = MOMENT + number if time is None else time
            entry = Entry(said, self.head if previous is None else previous, moment, writer, body)
            data, seal = encode_entry(entry)
        else:
            from mfv.ids import EntryId

            seal = EntryId.of(raw)
            data = raw + seal
        self.backend.put(entry_key(number), [data])
        self.head, self.number = bytes(seal), max(self.number, number)
        return data

    def tip(self, number: int | None = None, checkpoint: int = 0) -> None:
        write_tip(self.backend, Tip(self.number if number is None else number, checkpoint))

    def brought(self) -> tuple[PackMade, ...]:
        """The packs written since the last entry."""
        made, self.made = self.made, []
        return tuple(PackMade.of(receipt) for receipt in made)

    # Runs

    def run(
        self,
        *,
        flow: str = FLOW,
        number: int | None = None,
        files: Sequence[tuple[bytes, int, bytes]] = ((b"flow.py", FILE, CODE),),
        values: Sequence[Artifact] | None = None,
        tree: Change = None,
        machine: Change = None,
        opening: Change = None,
        task: Change = None,
        manifest: Change = None,
        ref: Change = None,
        pack: Callable[[list[Record]], list[Record]] | None = None,
        seal: bool = True,
    ) -> None:
        """A run of one task; each record is what a change makes of an honest one, or its bytes."""
        number = self._runs.get(flow, 0) + 1 if number is None else number
        self._runs[flow] = number
        listed = tuple(
            TreeFile(path, mode, self.blob(content), len(content))
            for path, mode, content in sorted(files)
        )
        tree_id = self.record(TreeId, _changed(tree, Tree(listed)))
        environment_id = self.record(EnvironmentId, _changed(machine, environment()))
        honest = Opening(
            flow=flow, created=MOMENT, script="flow.py",
            parameters=(Artifact("lr", "float", value=0.1 * number),), constants=(),
            graph=(GraphNode(STEP, "start", (), False, 3, ""),),
            tree=tree_id, environment=environment_id, git=None, version=None, left_out=(),
            argv=("flow.py", "run"), cwd="/home/ana", user="ana", host="host", variables=(),
            mfv="0.1.0",
        )  # fmt: skip
        opening_id = self.record(OpeningId, _changed(opening, honest))
        artifacts = (self.scalar(number),) if values is None else tuple(values)
        plain = Task(
            flow=flow, run=number, step=STEP, id=1, status="ok", started=MOMENT, ended=MOMENT + 5,
            artifacts=artifacts,
        )  # fmt: skip
        task_id = self.record(TaskId, _changed(task, plain))
        where = self.open_pack
        refs = (TaskRef(STEP, 1, 0, "ok", MOMENT, MOMENT + 5, task_id, where),)
        refs = _changed(ref, refs)
        whole = Run(
            flow=flow, number=number, origin=self.origin, opening=opening_id, status="ok",
            started=MOMENT, ended=MOMENT + 9, tasks=refs, sources=(),
            results=tuple(one for one in artifacts if one.serializer == SCALAR),
        )  # fmt: skip
        run_id = self.record(RunId, _changed(manifest, whole))
        self.pack(pack)
        self.append(OpenRun(flow, number, opening_id, where, "", "elsewhere", self.brought()))
        self.append(Tasks(flow, number, refs, ()))
        if seal:
            self.append(SealRun(flow, number, "ok", run_id, where, ()))

    @staticmethod
    def scalar(value: object, name: str = NAME) -> Artifact:
        return Artifact(name, type(value).__name__, value=value)  # type: ignore[arg-type]

    def artifact(
        self,
        data: bytes,
        serializer: str = BYTES,
        *more: bytes,
        name: str = NAME,
        kind: str | None = None,
        size: int | None = None,
        **facts: Any,
    ) -> Artifact:
        """An artifact of `data`, and of more frames behind that."""
        types = {BYTES: "bytes", TEXT: "str", PICKLE: "evil.Thing"}
        frames = tuple(
            Frame(self.blob(one), len(one) if size is None else size) for one in (data, *more)
        )
        return Artifact(
            name, kind or types.get(serializer, "evil.Thing"), serializer, None, frames, **facts
        )


def _changed(change: Change, honest: Any) -> Any:
    if change is None:
        return honest
    return change if isinstance(change, bytes) else change(honest)


def with_fields(**fields: Any) -> Callable[[Any], Any]:
    """A change of these fields of a record."""
    return lambda record: msgspec.structs.replace(record, **fields)
