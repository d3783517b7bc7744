"""What the scheduler asks of others: to record, to tell, and what earlier runs have done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from mfv.flow.order import Order, Transition
from mfv.flow.spool import SpoolFile
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, RunStatus, Task, TaskRef

Stream = Literal["stdout", "stderr"]


class Ending(NamedTuple):
    """One attempt that is over, to be committed."""

    task: Task  # without its logs, but for a clone
    stdout: bytes | SpoolFile = b""
    stderr: bytes | SpoolFile = b""
    delivery: bytes = b""

    @property
    def is_clone(self) -> bool:
        """Whether all of it is recorded already, in another run."""
        return self.task.origin is not None


class StoreAgainError(Exception):
    """A commit found that packs were condemned on which these tasks' deliveries rely."""

    def __init__(self, packs_by_task: dict[int, frozenset[bytes]]) -> None:
        super().__init__(f"{len(packs_by_task)} tasks must store again")
        self.packs_by_task = packs_by_task


class Recorder(Protocol):
    """Where finished attempts become durable."""

    def commit(
        self, endings: Sequence[Ending], results: tuple[Artifact, ...] | None = None
    ) -> list[TaskRef]:
        """Commits all of them or none; raises StoreAgainError if some must store anew.

        With `results` they are the last of a run that went well, and the same entry seals it.
        """
        ...


class Output(Protocol):
    """Where a run is told of while it goes on."""

    def line(self, order: Order, pid: int, stream: Stream, text: bytes) -> None:
        """One line that a task printed, without its end."""
        ...

    def started(self, order: Order, pid: int) -> None: ...

    def finished(self, order: Order, pid: int, task: Task) -> None: ...

    def note(self, text: str) -> None: ...

    def tick(self, waiting: int) -> float | None:
        """Told before the scheduler sleeps, with the number of tasks that could start.

        Returns after how many seconds it wants to be told again, whatever happens; None for never.
        """
        ...


class Clone(NamedTuple):
    """A task that another run has done already."""

    task: Task  # as a task of this run, with its logs
    transition: Transition


class Origin(Protocol):
    """The finished work of earlier runs."""

    def clone(self, order: Order) -> Clone | None:
        """What they have done of `order`; None if that has to run."""
        ...

    def ran(self, task: Task) -> None:
        """Told of a task that ran, before `clone` is asked for what comes after it."""
        ...


class Outcome(NamedTuple):
    """How a run ended."""

    status: RunStatus
    results: tuple[Artifact, ...] = ()  # the artifacts of the end task
    failure: Failure | None = None
    failed_step: str | None = None
    sealed: bool = False  # with its last tasks, by one entry


# Of one foreach, unless more are asked for. Metaflow has 100, where each task costs a second; here
# the limit is there for mistakes, such as going over a text instead of a list of texts.
MAX_SPLITS = 10_000


class Limits(NamedTuple):
    """How much one run may do."""

    max_workers: int = 16  # tasks at a time
    max_num_splits: int | None = None  # tasks of one foreach; None for any number
    max_log_size: int | None = None  # bytes kept of one stream of a task; None for all


NO_LIMITS = Limits()
