"""What the scheduler and a task's process say to each other: an order, and a report."""

from __future__ import annotations

import msgspec

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, Read, Split, TaskRef, TaskStatus

# What stands for the attribute iterated over where a step asked for a number of tasks.
NUM_PARALLEL = "num_parallel"


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One split that is open at a task: a branch, an item of a foreach, or one of a gang."""

    step: str  # the step that split
    task: int  # the task of it that split
    index: int
    total: int
    variable: str | None  # the attribute iterated over; None for a static branch
    value: str  # a short repr of the item; empty where it is not known
    ref: TaskRef | None  # where the items are; None where there are none
    item: bytes = b""  # the item itself as the store writes it; empty where it is not small

    @property
    def split(self) -> Split | None:
        """As recorded; None for a static branch, which is no foreach."""
        if self.variable is None:
            return None
        return Split(self.step, self.variable, self.index, self.total, self.value)


class Gang(msgspec.Struct, frozen=True, array_like=True):
    """The tasks of one `num_parallel`, which run at the same time and may talk to each other."""

    num_nodes: int
    node_index: int
    control_task_id: str  # of the first of them


class Order(msgspec.Struct, frozen=True):
    """One task to be run."""

    run: int  # the number of the run
    id: int
    step: str
    parents: tuple[TaskRef, ...] = ()
    frames: tuple[Frame, ...] = ()
    attempt: int = 0
    gang: Gang | None = None

    @property
    def ticket(self) -> int:
        """Tells one attempt of one task from every other of the run."""
        return self.id << 8 | self.attempt

    @property
    def splits(self) -> tuple[Split, ...]:
        return tuple(split for frame in self.frames if (split := frame.split) is not None)


class Transition(msgspec.Struct, frozen=True):
    """Where a task goes on: the steps, and for a foreach the number of items and what they are."""

    next: tuple[str, ...] = ()  # of a switch: the one that was chosen
    variable: str | None = None  # the attribute to be iterated over
    total: int = 0  # of a foreach or a `num_parallel`
    values: tuple[str, ...] = ()  # a short repr of each item
    items: tuple[bytes, ...] = ()  # each item as `Frame` has it


class Report(msgspec.Struct, frozen=True):
    """What a task's process found out; its logs and its end are the scheduler's to add."""

    status: TaskStatus
    started: int  # µs since 1970
    ended: int
    cpu: float  # seconds
    peak_memory: int  # bytes
    transition: Transition
    artifacts: tuple[Artifact, ...]
    inherited: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    failure: Failure | None
    caught: Failure | None = None  # an exception that a decorator dealt with
    delivery: bytes = b""  # the store's own: objects, packs and what they rely on
    reads: tuple[Read, ...] = ()  # of other runs
    more_reads: int = 0  # for which there was no room
