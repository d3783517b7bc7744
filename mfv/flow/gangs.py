"""Tasks that run side by side and succeed or fail together."""

from __future__ import annotations

from typing import NamedTuple

from mfv.flow.order import Order, Transition
from mfv.manifest.records import Failure, TaskRef


class Member(NamedTuple):
    """One task of a gang that is over and durable."""

    order: Order
    ref: TaskRef
    transition: Transition
    failure: Failure | None


class Gangs:
    """Collects the tasks of each gang until the last of them is over."""

    def __init__(self) -> None:
        self._over: dict[str, dict[int, Member]] = {}  # by the id of the first of them
        self._failed: dict[str, Failure] = {}  # by the same: what happened first

    def add(self, member: Member) -> list[Member] | None:
        """All members in order once `member` is the last that was waited for, else None."""
        gang = member.order.gang
        assert gang is not None
        over = self._over.setdefault(gang.control_task_id, {})
        over[gang.node_index] = member
        if member.failure is not None:
            self._failed.setdefault(gang.control_task_id, member.failure)
        if len(over) < gang.num_nodes:
            return None
        del self._over[gang.control_task_id]
        return [over[index] for index in sorted(over)]

    def failure(self, order: Order) -> Failure | None:
        """What happened first to the gang of `order`; None if nothing did yet."""
        return None if order.gang is None else self._failed.get(order.gang.control_task_id)

    def forget(self, order: Order) -> None:
        """The gang of `order` is tried anew, or given up."""
        if order.gang is not None:
            self._failed.pop(order.gang.control_task_id, None)
