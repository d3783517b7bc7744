"""What rendering wants to know of a run; whoever has a run gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment, Opening, Run, Task, TaskRef, Tree


class ShownState(Protocol):
    """What the log says of a run; see `mfv.repo.names.RunState`."""

    @property
    def removed(self) -> int: ...

    @property
    def reason(self) -> str: ...

    @property
    def swept(self) -> bool: ...

    @property
    def note(self) -> str: ...

    @property
    def dropped(self) -> Sequence[str]: ...

    @property
    def lost(self) -> Sequence[bytes]: ...


class ShownRun(Protocol):
    """One run, read already or read on the way; see `mfv.repo.view.RunView`."""

    flow: str
    number: int
    name: str
    tags: tuple[str, ...]

    @property
    def state(self) -> ShownState: ...

    @property
    def run_id(self) -> str | None: ...

    @property
    def status(self) -> str: ...

    @property
    def trouble(self) -> str | None: ...

    @property
    def started(self) -> int: ...

    @property
    def ended(self) -> int | None: ...

    @property
    def seconds(self) -> float: ...

    @property
    def parameters(self) -> Mapping[str, Artifact]: ...

    @property
    def constants(self) -> Mapping[str, Artifact]: ...

    @property
    def metrics(self) -> Mapping[str, Artifact]: ...

    @property
    def opening(self) -> Opening: ...

    @property
    def manifest(self) -> Run | None: ...

    @property
    def tree(self) -> Tree: ...

    @property
    def environment(self) -> Environment: ...

    def steps(self) -> Mapping[str, Sequence[TaskRef]]: ...

    def tasks(self, step: str) -> Sequence[Task]: ...
