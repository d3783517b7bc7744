"""The tasks that can run and do not run yet."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from mfv.flow.order import Order


class Queue:
    """First come, first served; retries when their time has come. A gang is handed out as one."""

    def __init__(self) -> None:
        self._ready: deque[Order] = deque()
        self._later: list[tuple[float, int, tuple[Order, ...]]] = []
        self._count = 0

    def add(self, orders: Iterable[Order]) -> None:
        """Tasks that can run now; the tasks of a gang come in one piece."""
        self._ready.extend(orders)

    def add_later(self, orders: Iterable[Order], due: float) -> None:
        """Tasks that can run at `due`, seconds of the caller's clock."""
        self._count += 1
        heapq.heappush(self._later, (due, self._count, tuple(orders)))

    def take(self, now: float) -> tuple[Order, ...]:
        """The next task, or the tasks of the next gang; none if nothing can run at `now`."""
        while self._later and self._later[0][0] <= now:
            self._ready.extend(heapq.heappop(self._later)[2])
        if not self._ready:
            return ()
        first = self._ready.popleft()
        if first.gang is None:
            return (first,)
        return (first, *(self._ready.popleft() for _ in range(first.gang.num_nodes - 1)))

    def due(self) -> float | None:
        """When the next retry can run; None if none waits."""
        return self._later[0][0] if self._later else None

    def __len__(self) -> int:
        return len(self._ready) + sum(len(orders) for _, _, orders in self._later)

    def __bool__(self) -> bool:
        return bool(self._ready or self._later)
