"""Threads that run when tasks are forked: a fork copies their locks, and not the threads."""

from __future__ import annotations

import os
import sys

# Native threads by the library that starts them as it is imported, which stops them before a fork
# and starts them again after it.
_POOLS = ("openblas",)


def other_threads() -> tuple[str, ...]:
    """What runs in this process beside its main thread, in words; empty if no fork does harm.

    Python's threads by name. Native ones are counted, less those of pools that survive a fork.
    """
    threading = sys.modules.get("threading")
    alive = [] if threading is None else threading.enumerate()
    mine = [] if threading is None else [threading.main_thread()]
    named = [one.name for one in alive if one not in mine and not _harmless(one)]
    try:
        tasks = len(os.listdir("/proc/self/task"))
    except OSError:
        return tuple(named)
    native = tasks - max(1, len(alive))
    if native > 0:
        native -= _pool_threads()
    if native > 0:
        named.append("1 native thread" if native == 1 else f"{native} native threads")
    return tuple(named)


def _harmless(thread: object) -> bool:
    # The monitor of progress bars only ever waits, and is started again where it is missing.
    return type(thread).__module__.partition(".")[0] == "tqdm"


def _pool_threads() -> int:
    """At most so many native threads belong to pools that survive a fork."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            paths = {line.split(maxsplit=5)[-1].strip() for line in maps if ".so" in line}
    except OSError:
        return 0
    libraries = [path for path in paths if any(pool in os.path.basename(path) for pool in _POOLS)]
    return len(libraries) * ((os.cpu_count() or 1) - 1)
