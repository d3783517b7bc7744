"""A task store that is a dict: what tasks leave, without any repository."""

from __future__ import annotations

from collections.abc import Mapping

from mfv.flow.order import Order, Report
from mfv.flow.task import Saved
from mfv.ids import BlobId
from mfv.manifest.artifact import PICKLE, SCALAR, Artifact, Frame
from mfv.manifest.records import Task, TaskRef


class DictStore:
    """Keeps values in memory; says of a value that is a `Refused` that it cannot be stored."""

    def __init__(self) -> None:
        self.values: dict[bytes, object] = {}  # by the artifact's id
        self.tasks: dict[int, Task] = {}
        self.packed: list[object] = []
        self.loaded: list[str] = []
        self.saved: list[list[str]] = []
        self.avoided: list[frozenset[bytes]] = []
        self.trouble: Exception | None = None

    def artifact(self, name: str, value: object) -> Artifact:
        """Keeps `value`, and returns its record; equal values have equal ids."""
        if value is None or isinstance(value, bool | int | float | str):
            artifact = Artifact(name, type(value).__name__, SCALAR, value)
        else:
            frame = Frame(bytes(BlobId.of(repr(value).encode())), 1)
            artifact = Artifact(name, type(value).__name__, PICKLE, None, (frame,))
        self.values[artifact.id] = value
        return artifact

    def add_task(self, order: Order, values: Mapping[str, object]) -> TaskRef:
        """A finished task that left `values`."""
        artifacts = tuple(self.artifact(name, values[name]) for name in sorted(values))
        return self._keep(order, artifacts)

    def add_report(self, order: Order, report: Report) -> TaskRef:
        """A finished task, as its own report tells it."""
        return self._keep(order, report.artifacts)

    def _keep(self, order: Order, artifacts: tuple[Artifact, ...]) -> TaskRef:
        self.tasks[order.id] = Task(
            flow="F",
            run=order.run,
            step=order.step,
            id=order.id,
            status="ok",
            started=0,
            ended=0,
            splits=order.splits,
            artifacts=artifacts,
        )
        return TaskRef(order.step, order.id, 0, "ok", 0, 0, bytes(32), bytes(16))

    def task(self, ref: TaskRef) -> Task:
        return self.tasks[ref.id]

    def load(self, artifact: Artifact) -> object:
        self.loaded.append(artifact.name)
        return self.values[artifact.id]

    def pack(self, item: object) -> bytes:
        if isinstance(item, Refused):
            return b""
        self.packed.append(item)
        return str(len(self.packed) - 1).encode()

    def unpack(self, data: bytes) -> object:
        return self.packed[int(data)]

    def save(self, values: Mapping[str, object], avoid: frozenset[bytes]) -> Saved:
        if self.trouble is not None:
            raise self.trouble
        self.saved.append(sorted(values))
        self.avoided.append(avoid)
        kept = {name: value for name, value in values.items() if not isinstance(value, Refused)}
        artifacts = tuple(self.artifact(name, kept[name]) for name in sorted(kept))
        dropped = tuple((name, f"self.{name} is refused") for name in values if name not in kept)
        return Saved(artifacts, dropped, b"delivered")


class Refused:
    """A value that `DictStore` cannot store."""
