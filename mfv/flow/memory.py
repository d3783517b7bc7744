"""Whether the kernel killed a process because memory ran out: it counts such kills."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class OutOfMemory:
    """Notices that the kernel killed for lack of memory since it was last asked."""

    def __init__(self, counters: Iterable[Path] | None = None) -> None:
        """`counters`: files that may have a line `oom_kill N`; the first that has one counts."""
        places = _counters() if counters is None else counters
        self._counter = next((path for path in places if _count(path) is not None), None)
        self._told = self._now()

    def killed(self) -> bool:
        """Whether the kernel killed since the last call. Each kill is told once."""
        more = self._now() > self._told
        self._told += more
        return more

    def _now(self) -> int:
        return 0 if self._counter is None else _count(self._counter) or 0


def _counters() -> Iterable[Path]:
    """The counter of this process's control group, of either version, then the machine's."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            yield _ROOT / group.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            yield _ROOT / "memory" / group.lstrip("/") / "memory.oom_control"
    yield Path("/proc/vmstat")


def _count(path: Path) -> int | None:
    try:
        for line in path.read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    except (OSError, ValueError):
        pass
    return None
